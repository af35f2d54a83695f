import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { STALE_AFTER_MS } from '../../src/platform/heartbeat.ts';
import { waitFor } from '../../src/platform/retry.ts';
import type { Bench } from '../support/bench.ts';
import { type Broker, openBroker } from '../support/broker.ts';
import { startDelayProxy } from '../support/delay-proxy.ts';
import { type Life, openLives } from '../support/life.ts';
import type { BenchDatabase } from '../support/postgres.ts';

const ROUND_TRIP_MS = 50;
/** An order is told of by 5 messages, a rare one by 7 more. */
const MESSAGES_AN_ORDER = 5.7;
const BACKLOG = { full: 100_000, quick: 15_000 };
/** Deliveries that are open at once where there is no backlog: less than what the process takes in hand. */
const FLOWING = 4_000;
const LONGEST_MS = { full: 600_000, quick: 60_000 };

export const background: Bench = {
  name: 'background',
  what: `messages of all kinds a second with ${BACKLOG.full} waiting ÷ without a backlog, ${ROUND_TRIP_MS} ms to the database`,
  aim: 0.8,
  async run(server, effort, say) {
    const database = await server.openDatabase();
    const broker = await openBroker();
    const proxy = await startDelayProxy(database.url(), ROUND_TRIP_MS);
    const live = await openLives(database);
    const count = effort.quick ? BACKLOG.quick : BACKLOG.full;
    try {
      const small = await live(Math.round(count / 3 / MESSAGES_AN_ORDER));
      const large = await live(Math.round(count / MESSAGES_AN_ORDER));
      await database.owner.query('vacuum analyze');
      const longest = effort.quick ? LONGEST_MS.quick : LONGEST_MS.full;
      const flowing = await measure(database, broker, proxy.url, small, FLOWING, longest);
      say(`without a backlog: ${describe(flowing)}`);
      const waiting = await measure(database, broker, proxy.url, large, Number.POSITIVE_INFINITY, longest);
      say(`with ${large.messages.length} waiting: ${describe(waiting)}`);
      await checkBooks(database, small.mails + large.mails, small.messages.concat(large.messages));
      return [waiting.rate / flowing.rate];
    } finally {
      await broker.close();
      await proxy.close();
      await database.drop();
    }
  },
};

type Measured = {
  rate: number;
  seconds: number;
  oldestBeatMs: number;
  outcomes: Record<string, number>;
  mails: number;
};

function describe({ rate, seconds, oldestBeatMs, outcomes, mails }: Measured): string {
  return `${rate.toFixed(0)} messages/s, drained in ${seconds.toFixed(1)} s, ${mails} mails, heartbeat at most ${(oldestBeatMs / 1_000).toFixed(1)} s old, ${JSON.stringify(outcomes)}`;
}

/** Publishes `life` with no more than `open` deliveries open, and waits until all of it was handled. */
async function measure(
  database: BenchDatabase,
  broker: Broker,
  through: (url: string) => string,
  life: Life,
  open: number,
  timeoutMs: number,
): Promise<Measured> {
  const publishing = { handled: 0, sent: 0 };
  const chunk = 250;
  const share = life.deliveries / life.messages.length;
  async function publish(): Promise<void> {
    for (let i = 0; i < life.messages.length; i += chunk) {
      while (publishing.sent - publishing.handled > open) await delay(5);
      await broker.bus.publish(life.messages.slice(i, i + chunk));
      publishing.sent += chunk * share;
    }
  }
  if (!Number.isFinite(open)) await publish();

  const child = fork(fileURLToPath(new URL('../support/serve-background.ts', import.meta.url)), [], {
    env: {
      PATH: process.env.PATH,
      NODE_ENV: 'test',
      LOG_LEVEL: 'error',
      DATABASE_URL: through(database.url('tessera_app')),
      DATABASE_RELAY_URL: through(database.url('tessera_relay')),
      AMQP_URL: broker.url,
      AMQP_NAMESPACE: broker.namespace,
      MAIL_FOLDER: '/nowhere',
    },
  });
  let outcomes: Record<string, number> = {};
  let mails = 0;
  let firstAt = 0;
  child.on('message', (told: { handled: Record<string, number>; mails: number }) => {
    outcomes = told.handled;
    mails = told.mails;
    publishing.handled = told.handled.done ?? 0;
    if (publishing.handled > 0) firstAt ||= performance.now();
  });
  const ended = once(child, 'exit');
  let oldestBeatMs = 0;
  const watching = new AbortController();
  const watch = watchBeats(database, watching.signal, (ms) => {
    oldestBeatMs = Math.max(oldestBeatMs, ms);
  });
  if (Number.isFinite(open)) await publish();
  const isDone = async () => publishing.handled >= life.deliveries && mails >= life.mails;
  const done = await waitFor(isDone, { timeoutMs, everyMs: 50 });
  const seconds = (performance.now() - firstAt) / 1_000;
  watching.abort();
  await watch;
  child.kill('SIGTERM');
  await ended;
  if (!done)
    throw new Error(
      `${publishing.handled} of ${life.deliveries} deliveries, ${mails} of ${life.mails} mails after ${seconds.toFixed(0)} s, heartbeat up to ${oldestBeatMs} ms old: ${JSON.stringify(outcomes)}`,
    );
  if (oldestBeatMs > STALE_AFTER_MS) throw new Error(`the heartbeat was ${oldestBeatMs} ms old`);
  return { rate: life.messages.length / seconds, seconds, oldestBeatMs, outcomes, mails };
}

/** How old the newest beat is, from the first one on. */
async function watchBeats(
  { owner }: BenchDatabase,
  signal: AbortSignal,
  see: (ms: number) => void,
): Promise<void> {
  await owner.query('delete from worker_heartbeats');
  while (!signal.aborted) {
    const { rows } = await owner.query<{ ms: number | null }>(
      `select (extract(epoch from now() - max(beat_at)) * 1000)::float8 as ms from worker_heartbeats where worker = 'background'`,
    );
    see(rows[0]?.ms ?? 0);
    await delay(200);
  }
}

/** Everything happened once: what was counted is what was told, and everybody got each letter once. */
async function checkBooks(
  { owner }: BenchDatabase,
  mails: number,
  messages: readonly { kind: string }[],
): Promise<void> {
  const told = (kind: string): number => messages.filter((message) => message.kind === kind).length;
  const { rows } = await owner.query<Record<string, string>>(`
    select
      (select sum(count) from event_statistics where kind = 'ticket.minted') as minted,
      (select sum(count) from event_statistics where kind = 'ticket.checked_in') as checked_in,
      (select count(*) from audit_log where action = 'order.completed') as recorded,
      (select count(*) from event_ticket_transactions where status = 'pending') as pending,
      (select count(*) from refunds where status <> 'succeeded') as unpaid,
      (select count(*) from capacity_drift) as drift,
      (select count(*) from mails where status = 'sent') as mails,
      (select count(*) from mails where status <> 'sent') as unsent,
      (select count(*) from failed_messages) as failed`);
  const expected = {
    minted: told('ticket.minted'),
    checked_in: told('ticket.checked_in'),
    recorded: told('ticket.transactions'),
    pending: 0,
    unpaid: 0,
    drift: 0,
    mails,
    unsent: 0,
    failed: 0,
  };
  const wrong = Object.entries(expected).filter(([what, count]) => Number(rows[0]?.[what]) !== count);
  if (wrong.length > 0)
    throw new Error(
      `the books are wrong: ${wrong.map(([what, count]) => `${rows[0]?.[what]} ${what} instead of ${count}`).join(', ')}`,
    );
}
