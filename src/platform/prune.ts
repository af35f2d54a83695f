import { type RawBuilder, sql } from 'kysely';
import type { Db } from './db.ts';
import { withSystem } from './tenant-tx.ts';

const BATCH = 5_000;
/** A pass ends after so many batches of a table; the next one goes on. A day of 5,000 messages a second fits into a day. */
const BATCHES = 100;
const DAY_MS = 86_400_000;

/**
 * Removes what has served its time, a little at a time: inbox rows outlive every delivery that could repeat, idempotency
 * keys every retry that a client could send, mails every message that could ask for them again.
 */
export async function prune(relay: Db, now: Date): Promise<void> {
  const before = (days: number): Date => new Date(now.getTime() - days * DAY_MS);
  await removeAll(
    relay,
    sql`delete from inbox where ctid in (
      select ctid from inbox where processed_at < ${before(7)} limit ${BATCH})`,
  );
  await removeAll(
    relay,
    sql`delete from idempotency_keys where ctid in (
      select ctid from idempotency_keys where created_at < ${before(2)} and status is not null limit ${BATCH})`,
  );
  // What may have gone out or not waits for somebody to decide.
  await removeAll(
    relay,
    sql`delete from mails where (tenant_id, id) in (
      select tenant_id, id from mails where settled_at < ${before(30)} and status <> 'uncertain' limit ${BATCH})`,
  );
}

async function removeAll(relay: Db, statement: RawBuilder<unknown>): Promise<void> {
  for (let batch = 0; batch < BATCHES; batch++) {
    const { numAffectedRows = 0n } = await withSystem(relay, (tx) => statement.execute(tx));
    if (numAffectedRows < BATCH) return;
  }
}
