import { sql } from 'kysely';
import type { QueueName } from '../messages.ts';
import type { Clock } from './clock.ts';
import type { Db } from './db.ts';
import { forgetFailures } from './failed-messages.ts';
import type { TenantId } from './ids.ts';
import { createLanes } from './lane.ts';
import { type TenantTx, withTenant } from './tenant-tx.ts';

/** A message by its id; `retried` when it came back after a failure. */
export type Handled = { id: string; retried: boolean };

const BATCH = 256;

/** Notes that `queue` takes messages, and returns the ids that it had not taken before. Commits with what the caller does. */
export async function takeOnce(
  tx: TenantTx,
  queue: QueueName,
  tenantId: TenantId,
  messages: readonly Handled[],
  now: Date,
): Promise<Set<string>> {
  // In one order everywhere: two that take the same messages wait for each other, and do not deadlock.
  const ids = messages.map(({ id }) => id).sort();
  const { rows } = await sql<{ message_id: string }>`
    insert into inbox (tenant_id, consumer, message_id, processed_at)
    select ${tenantId}, ${queue}, id, ${now} from unnest(${ids}::text[]) id
    on conflict do nothing returning message_id`.execute(tx);
  await forgetFailures(tx, queue, tenantId, messages);
  return new Set(rows.map((row) => row.message_id));
}

/**
 * What jobs of `queue` were done: a job calls other services, so its row is written when it ended. One that ends while
 * its process dies runs again and must find out by itself. Asked and told in batches.
 */
export function createJobBook(
  { db, clock }: { db: Db; clock: Clock },
  queue: QueueName,
): {
  isDone(tenantId: TenantId, message: Handled): Promise<boolean>;
  done(tenantId: TenantId, message: Handled): Promise<boolean>;
} {
  const asked = createLanes<Handled, boolean>({
    maxBatch: BATCH,
    atOnce: 1,
    async flush(key, messages) {
      const tenantId = key as TenantId;
      return withTenant(db, tenantId, async (tx) => {
        const rows = await tx
          .selectFrom('inbox')
          .select('message_id')
          .where('tenant_id', '=', tenantId)
          .where('consumer', '=', queue)
          .where(
            'message_id',
            'in',
            messages.map(({ id }) => id),
          )
          .execute();
        const known = new Set(rows.map((row) => row.message_id));
        const repeated = messages.filter(({ id }) => known.has(id));
        await forgetFailures(tx, queue, tenantId, repeated);
        return messages.map(({ id }) => known.has(id));
      });
    },
  });
  const told = createLanes<Handled, boolean>({
    maxBatch: BATCH,
    atOnce: 1,
    async flush(key, messages) {
      const tenantId = key as TenantId;
      const fresh = await withTenant(db, tenantId, (tx) =>
        takeOnce(tx, queue, tenantId, messages, clock.now()),
      );
      return messages.map(({ id }) => fresh.has(id));
    },
  });
  return {
    isDone: (tenantId, message) => asked.submit(tenantId, message),
    done: (tenantId, message) => told.submit(tenantId, message),
  };
}
