import { sql } from 'kysely';
import type { Message } from '../messages.ts';
import { newId } from './ids.ts';
import type { TenantTx } from './tenant-tx.ts';

/** What the outbox keeps of a message until the relay sends it; `id` is only in rows of an earlier version. */
export type OutboxMessage = { kind: string; body: unknown; id?: string; requestId?: string };

/**
 * The only way out for a message: it commits with the effect that it tells of. One row however many messages, since
 * rows are what a busy sale pays for.
 */
export async function enqueue(
  tx: TenantTx,
  now: Date,
  messages: readonly Message[],
  requestId?: string,
): Promise<void> {
  if (messages.length === 0) return;
  const rows: OutboxMessage[] = messages.map((message) => (requestId ? { ...message, requestId } : message));
  await insertOutboxRow(tx, now, rows, now);
}

/** The same, sent not before `notBefore`. */
export async function enqueueLater(
  tx: TenantTx,
  now: Date,
  messages: readonly Message[],
  notBefore: Date,
): Promise<void> {
  if (messages.length > 0) await insertOutboxRow(tx, now, [...messages], notBefore);
}

async function insertOutboxRow(
  tx: TenantTx,
  now: Date,
  rows: OutboxMessage[],
  notBefore: Date,
): Promise<void> {
  await tx
    .insertInto('outbox')
    .values({
      tenant_id: sql`current_tenant()`,
      id: newId(),
      messages: JSON.stringify(rows),
      created_at: now,
      next_attempt_at: notBefore,
    })
    .execute();
}
