import { sql } from 'kysely';
import type { Bus, BusMessage } from './bus.ts';
import type { Clock } from './clock.ts';
import type { Db } from './db.ts';
import type { Logger } from './logger.ts';
import { sleep } from './retry.ts';
import { withSystem } from './tenant-tx.ts';

type Row = {
  tenant_id: string;
  consumer: string;
  message_id: string;
  kind: string;
  body: unknown;
  occurred_at: Date;
  request_id: string | null;
  attempts: number;
};

export type RetryOptions = {
  /** The relay's role. */
  db: Db;
  bus: Bus;
  clock: Clock;
  log: Logger;
  signal: AbortSignal;
  idleMs?: number;
};

const WINDOW = 256;
/** A claimed row is ours until its publishing is over, and so much longer; of a process that died the next one takes it. */
const LEASE_MARGIN_MS = 5_000;
/** Once a queue has the message its consumer says what becomes of it. A broker that lost it is not asked before this. */
const PUBLISHED_MS = 6 * 3_600_000;
const REFUSED_MS = 1_000;

/**
 * Sends messages that failed again when their time has come, each to the queue that failed and to no other, until
 * `signal`. A row stays until its consumer forgets it.
 */
export async function relayRetries(options: RetryOptions): Promise<void> {
  const { db, bus, clock, log, signal, idleMs = 250 } = options;
  const inFlight = new Set<Promise<void>>();

  async function publish(rows: Row[], lease: Date): Promise<void> {
    const outcomes = await Promise.allSettled(rows.map((row) => bus.publish([toBusMessage(row)])));
    const [safe, refused] = [[] as Row[], [] as Row[]];
    for (const [i, row] of rows.entries()) (outcomes[i]?.status === 'fulfilled' ? safe : refused).push(row);
    const first = outcomes.find((outcome) => outcome.status === 'rejected');
    if (first) log.warn({ rows: refused.length, err: first.reason.message }, 'not sent again yet');
    try {
      await move(db, safe, lease, new Date(clock.now().getTime() + PUBLISHED_MS));
      await move(db, refused, lease, new Date(clock.now().getTime() + REFUSED_MS));
    } catch (error) {
      // The lease ends by itself; until then the rows only wait longer.
      log.warn({ rows: rows.length, err: (error as Error).message }, 'could not note what was sent again');
    }
  }

  while (!signal.aborted) {
    const lease = new Date(clock.now().getTime() + bus.confirmTimeoutMs + LEASE_MARGIN_MS);
    let claimed: Row[] = [];
    try {
      if (bus.ready() && inFlight.size < 4) claimed = await claim(db, clock.now(), lease);
    } catch (error) {
      log.warn({ err: (error as Error).message }, 'cannot reach what failed');
      await sleep(1_000, signal);
      continue;
    }
    if (claimed.length > 0) {
      const work = publish(claimed, lease).finally(() => inFlight.delete(work));
      inFlight.add(work);
    }
    if (claimed.length < WINDOW) await sleep(idleMs, signal);
  }
  await Promise.allSettled(inFlight);
}

function claim(db: Db, now: Date, lease: Date): Promise<Row[]> {
  return withSystem(db, async (tx) => {
    const { rows } = await sql<Row>`
      update failed_messages f set next_attempt_at = ${lease}
      where (tenant_id, consumer, message_id) in (
        select tenant_id, consumer, message_id from failed_messages where next_attempt_at <= ${now}
        order by next_attempt_at limit ${WINDOW} for update skip locked)
      returning tenant_id, consumer, message_id, kind, body, occurred_at, request_id, attempts`.execute(tx);
    return rows;
  });
}

/** A consumer that was faster has moved or forgotten the row; then it is no longer ours. */
async function move(db: Db, rows: Row[], lease: Date, until: Date): Promise<void> {
  if (rows.length === 0) return;
  const keys = JSON.stringify(
    rows.map(({ tenant_id, consumer, message_id }) => ({ tenant_id, consumer, message_id })),
  );
  await withSystem(db, (tx) =>
    sql`update failed_messages f set next_attempt_at = ${until}
      from json_to_recordset(${keys}) as r (tenant_id uuid, consumer text, message_id text)
      where f.tenant_id = r.tenant_id and f.consumer = r.consumer and f.message_id = r.message_id
        and f.next_attempt_at = ${lease}`.execute(tx),
  );
}

function toBusMessage(row: Row): BusMessage {
  return {
    id: row.message_id,
    kind: row.kind,
    tenantId: row.tenant_id,
    occurredAt: row.occurred_at.toISOString(),
    ...(row.request_id ? { requestId: row.request_id } : {}),
    queue: row.consumer,
    attempt: row.attempts,
    body: row.body,
  };
}
