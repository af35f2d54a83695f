import { sql } from 'kysely';
import type { Clock } from './clock.ts';
import type { Db } from './db.ts';
import type { Cause } from './failed-messages.ts';
import { type TenantId, toTenantId } from './ids.ts';
import type { Logger } from './logger.ts';
import { withSystem, withTenant } from './tenant-tx.ts';

export type Parked = {
  tenantId: TenantId;
  consumer: string;
  messageId: string;
  kind: string;
  cause: Cause;
  attempts: number;
  error: string;
  parkedAt: Date;
};

/** Which parked messages are meant; an empty choice means all. */
export type Choice = { consumer?: string | undefined; messageId?: string | undefined };

/** Crashes are mostly no fault of a message: it is taken back this often without being asked, a little later each time. */
const REVIVALS = 3;
const REVIVE_AFTER_MS = 60_000;
const SWEEP = 500;

/** What a tenant's consumers gave up on, the newest first, without what is in it. */
export function listParked(db: Db, tenantId: TenantId, limit = 1_000): Promise<Parked[]> {
  return withTenant(db, tenantId, async (tx) => {
    const rows = await tx
      .selectFrom('failed_messages')
      .select(['consumer', 'message_id', 'kind', 'cause', 'attempts', 'error', 'parked_at'])
      .where('tenant_id', '=', tenantId)
      .where('parked_at', 'is not', null)
      .orderBy('parked_at', 'desc')
      .limit(limit)
      .execute();
    return rows.map((row) => ({
      tenantId,
      consumer: row.consumer,
      messageId: row.message_id,
      kind: row.kind,
      cause: row.cause as Cause,
      attempts: row.attempts,
      error: row.error,
      parkedAt: row.parked_at as Date,
    }));
  });
}

/** Dead letters that belong to no tenant, the newest first, without what is in them. */
export function listStrays(relay: Db, limit = 1_000) {
  return withSystem(relay, (tx) =>
    tx
      .selectFrom('stray_messages')
      .select(['id', 'consumer', 'message_id as messageId', 'reason', 'found_at as foundAt'])
      .orderBy('found_at', 'desc')
      .limit(limit)
      .execute(),
  );
}

/** Lets parked messages be tried again, as if they had never failed. Returns how many. */
export function retryParked(db: Db, tenantId: TenantId, now: Date, choice: Choice): Promise<number> {
  return withTenant(db, tenantId, async (tx) => {
    const moved = await tx
      .updateTable('failed_messages')
      .set({ parked_at: null, next_attempt_at: now, attempts: 0, outages: 0, crashes: 0, revivals: 0 })
      .where('tenant_id', '=', tenantId)
      .where('parked_at', 'is not', null)
      .$if(choice.consumer !== undefined, (query) => query.where('consumer', '=', choice.consumer as string))
      .$if(choice.messageId !== undefined, (query) =>
        query.where('message_id', '=', choice.messageId as string),
      )
      .executeTakeFirst();
    return Number(moved.numUpdatedRows);
  });
}

/** Takes back what was parked because of crashes. Returns how many messages. */
export async function reviveCrashed(
  { db, clock, log }: { db: Db; clock: Clock; log: Logger },
  relay: Db,
): Promise<number> {
  const now = clock.now();
  const due = await withSystem(relay, async (tx) => {
    const { rows } = await sql<{ tenant_id: string; consumer: string; message_id: string }>`
      select tenant_id, consumer, message_id from failed_messages
      where parked_at is not null and cause = 'crash' and revivals < ${REVIVALS}
        and parked_at <= ${now}::timestamptz - ${`${REVIVE_AFTER_MS} milliseconds`}::interval * power(4, revivals)
      order by parked_at limit ${SWEEP}`.execute(tx);
    return rows;
  });
  let revived = 0;
  for (const [tenant, rows] of Map.groupBy(due, (row) => row.tenant_id)) {
    const keys = JSON.stringify(rows);
    const { numAffectedRows = 0n } = await withTenant(db, toTenantId(tenant), (tx) =>
      sql`update failed_messages f
        set parked_at = null, next_attempt_at = ${now}, crashes = 0, revivals = f.revivals + 1
        from json_to_recordset(${keys}) as r (consumer text, message_id text)
        where f.tenant_id = ${tenant} and f.consumer = r.consumer and f.message_id = r.message_id
          and f.parked_at is not null and f.cause = 'crash'`.execute(tx),
    );
    revived += Number(numAffectedRows);
  }
  if (revived > 0) log.info({ messages: revived }, 'took messages back that crashes had parked');
  return revived;
}
