import { sql } from 'kysely';
import type { Db } from './db.ts';
import { withSystem } from './tenant-tx.ts';

const BATCH = 5_000;
const DAY_MS = 86_400_000;

/** Inbox rows outlive every delivery that could repeat, idempotency keys every retry that a client could send. */
const KEEP = { inbox: 7 * DAY_MS, idempotency_keys: 2 * DAY_MS } as const;

/** Removes what has served its time, a little at a time. */
export async function prune(relay: Db, now: Date): Promise<void> {
  await withSystem(relay, async (tx) => {
    await sql`delete from inbox where ctid in (
      select ctid from inbox where processed_at < ${new Date(now.getTime() - KEEP.inbox)} limit ${BATCH})`.execute(
      tx,
    );
    await sql`delete from idempotency_keys where ctid in (
      select ctid from idempotency_keys
      where created_at < ${new Date(now.getTime() - KEEP.idempotency_keys)} and status is not null limit ${BATCH})`.execute(
      tx,
    );
  });
}
