import { sql } from 'kysely';
import type { Clock } from './clock.ts';
import type { Db } from './db.ts';
import { STALE_AFTER_MS } from './heartbeat.ts';
import { withSystem } from './tenant-tx.ts';

/** What the listener says of itself with each heartbeat. */
export type ListenerState = { lagSlots: number; slot: number };

const REMEMBER_MS = 1_000;
const remembered = new WeakMap<Db, { until: number; state: ListenerState | undefined }>();

/** How far the listener has come; undefined when it is silent. Looked up once a second at most. */
export async function readListenerState(ctx: { db: Db; clock: Clock }): Promise<ListenerState | undefined> {
  const now = ctx.clock.now().getTime();
  const known = remembered.get(ctx.db);
  if (known && known.until > now) return known.state;
  const row = await withSystem(ctx.db, (tx) =>
    tx
      .selectFrom('worker_heartbeats')
      .select(['beat_at', 'details'])
      .where('worker', '=', 'listener')
      // Those that stand by say nothing of the chain.
      .where(sql<boolean>`details ? 'lagSlots'`)
      .orderBy('beat_at', 'desc')
      .limit(1)
      .executeTakeFirst(),
  );
  const fresh = row !== undefined && now - row.beat_at.getTime() < STALE_AFTER_MS;
  const details = row?.details as Partial<ListenerState> | undefined;
  const state =
    fresh && typeof details?.lagSlots === 'number'
      ? { lagSlots: details.lagSlots, slot: details.slot ?? 0 }
      : undefined;
  remembered.set(ctx.db, { until: now + REMEMBER_MS, state });
  return state;
}
