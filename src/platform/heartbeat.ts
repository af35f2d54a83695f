import { randomUUID } from 'node:crypto';
import { type Clock, isTrusted } from './clock.ts';
import type { Db } from './db.ts';
import type { Logger } from './logger.ts';
import { periodic } from './periodic.ts';
import { withSystem } from './tenant-tx.ts';

/** Every part that must run for a ticket to move from sale to gate. */
export const workers = ['outbox-relay', 'background', 'mint-worker', 'listener'] as const;
export type WorkerName = (typeof workers)[number];

const EVERY_MS = 2_000;
/** A worker that was silent for so long is not fresh. */
export const STALE_AFTER_MS = 10_000;

/** Tells the others, until `signal`, that `worker` is alive; `details` says what it is at. */
export async function beat(
  worker: WorkerName,
  options: {
    db: Db;
    clock: Clock;
    log: Logger;
    signal: AbortSignal;
    details?: () => Record<string, unknown>;
  },
): Promise<void> {
  const { db, clock, details } = options;
  const instance = `${process.pid}-${randomUUID().slice(0, 8)}`;
  await periodic(`heartbeat of ${worker}`, { ...options, everyMs: EVERY_MS }, async () => {
    // On a machine whose clock is far off a worker is not ready, and others are told by its silence.
    if (!isTrusted(clock)) return;
    await withSystem(db, async (tx) => {
      const row = { beat_at: clock.now(), details: JSON.stringify(details?.() ?? {}) };
      await tx
        .insertInto('worker_heartbeats')
        .values({ worker, instance, ...row })
        .onConflict((conflict) => conflict.columns(['worker', 'instance']).doUpdateSet(row))
        .execute();
    });
  });
  await withSystem(db, (tx) => tx.deleteFrom('worker_heartbeats').where('instance', '=', instance).execute());
}

/** The newest beat of each worker; undefined for one that never beat. */
export async function readHeartbeats(db: Db): Promise<Record<WorkerName, Date | undefined>> {
  const rows = await withSystem(db, (tx) =>
    tx
      .selectFrom('worker_heartbeats')
      .select((eb) => ['worker', eb.fn.max('beat_at').as('beat_at')])
      .groupBy('worker')
      .execute(),
  );
  const newest = new Map(rows.map((row) => [row.worker, row.beat_at]));
  return Object.fromEntries(workers.map((worker) => [worker, newest.get(worker)])) as Record<
    WorkerName,
    Date | undefined
  >;
}
