import { sql } from 'kysely';
import type { Bus, BusMessage } from './bus.ts';
import type { Clock } from './clock.ts';
import type { Db } from './db.ts';
import { type Failpoints, noFailpoints } from './failpoints.ts';
import type { Logger } from './logger.ts';
import type { Metrics } from './metrics.ts';
import type { OutboxMessage } from './outbox.ts';
import { backoff, sleep } from './retry.ts';
import { relayRetries } from './retry-relay.ts';
import { withSystem } from './tenant-tx.ts';

type Row = { tenant_id: string; id: string; messages: unknown; created_at: Date; attempts: number };

export type RelayOptions = {
  db: Db;
  bus: Bus;
  clock: Clock;
  log: Logger;
  metrics: Metrics;
  signal: AbortSignal;
  failpoints?: Failpoints;
  /** Rows under way at once. */
  window?: number;
  idleMs?: number;
};

/**
 * A claimed row is ours until its publishing is over, and so much longer; a relay that died leaves it to the next one
 * after that. What was killed with rows in hand must not hold them back for minutes.
 */
const LEASE_MARGIN_MS = 5_000;

/** Moves the outbox to the bus until `signal`, and what failed back to the queues that failed. Several may run. */
export async function relayOutbox(options: RelayOptions): Promise<void> {
  const { idleMs: _idleMs, ...retries } = options;
  await Promise.all([moveOutbox(options), relayRetries(retries)]);
}

/**
 * Moves the outbox to the bus until `signal`: claims due rows, publishes each, deletes those that were confirmed.
 * A row may be published twice, never lost.
 */
async function moveOutbox(options: RelayOptions): Promise<void> {
  const { db, bus, clock, log, metrics, signal, window = 512, idleMs = 100 } = options;
  const { failpoints = noFailpoints } = options;
  const inFlight = new Set<Promise<void>>();
  let confirmed: Row[] = [];

  async function publish(row: Row): Promise<void> {
    try {
      await bus.publish(toBusMessages(row));
      confirmed.push(row);
    } catch (error) {
      metrics.outboxFailures.inc();
      const wait = backoff(row.attempts, 200, 30_000) + 50;
      log.warn({ outboxId: row.id, attempts: row.attempts, err: (error as Error).message }, 'not confirmed');
      await putOff(db, row, new Date(clock.now().getTime() + wait), (error as Error).message).catch(
        (failure) =>
          // The lease ends by itself; until then the row only waits longer.
          log.warn({ outboxId: row.id, err: failure.message }, 'could not put a row off'),
      );
    }
  }

  while (!signal.aborted) {
    let claimed: Row[] = [];
    try {
      if (confirmed.length > 0) {
        await failpoints.hit('relay.published');
        const done = confirmed;
        confirmed = [];
        await remove(db, done).catch((error) => {
          confirmed.push(...done);
          throw error;
        });
        metrics.outboxPublished.inc(done.length);
      }
      if (bus.ready() && inFlight.size < window)
        claimed = await claim(db, clock, bus, window - inFlight.size);
      if (claimed.length > 0) await failpoints.hit('relay.claimed');
    } catch (error) {
      log.warn({ err: (error as Error).message }, 'the relay cannot reach the outbox');
      await sleep(1_000, signal);
      continue;
    }
    for (const row of claimed) {
      const work = publish(row).finally(() => inFlight.delete(work));
      inFlight.add(work);
    }
    if (claimed.length === 0) await Promise.race([sleep(idleMs, signal), ...inFlight]);
    else await Promise.race([sleep(5, signal), Promise.all(inFlight)]);
  }
  await Promise.allSettled(inFlight);
  if (confirmed.length === 0) return;
  await remove(db, confirmed).catch((error) =>
    // They are published again when the lease ends, and their consumers know them.
    log.warn({ rows: confirmed.length, err: error.message }, 'could not remove what was published'),
  );
}

function claim(db: Db, clock: Clock, bus: Bus, limit: number): Promise<Row[]> {
  const now = clock.now();
  const lease = new Date(now.getTime() + bus.confirmTimeoutMs + LEASE_MARGIN_MS);
  return withSystem(db, async (tx) => {
    const { rows } = await sql<Row>`
      update outbox set attempts = attempts + 1, next_attempt_at = ${lease}
      where (tenant_id, id) in (
        select tenant_id, id from outbox where next_attempt_at <= ${now}
        order by next_attempt_at, id limit ${limit} for update skip locked)
      returning tenant_id, id, messages, created_at, attempts`.execute(tx);
    return rows.sort((a, b) => (a.id < b.id ? -1 : 1));
  });
}

async function remove(db: Db, rows: Row[]): Promise<void> {
  await withSystem(db, (tx) =>
    sql`delete from outbox o using unnest(${rows.map((r) => r.tenant_id)}::uuid[], ${rows.map((r) => r.id)}::uuid[])
      as done(tenant_id, id) where o.tenant_id = done.tenant_id and o.id = done.id`.execute(tx),
  );
}

async function putOff(db: Db, row: Row, until: Date, reason: string): Promise<void> {
  await withSystem(db, (tx) =>
    tx
      .updateTable('outbox')
      .set({ next_attempt_at: until, last_error: reason.slice(0, 500) })
      .where('tenant_id', '=', row.tenant_id)
      .where('id', '=', row.id)
      .execute(),
  );
}

function toBusMessages(row: Row): BusMessage[] {
  return (row.messages as OutboxMessage[]).map((message, i) => ({
    id: message.id ?? `${row.id}.${i}`,
    kind: message.kind,
    tenantId: row.tenant_id,
    occurredAt: row.created_at.toISOString(),
    ...(message.requestId ? { requestId: message.requestId } : {}),
    attempt: 0,
    body: message.body,
  }));
}
