import { type Body, bodies, type MessageKind, type QueueName } from '../messages.ts';
import type { Bus, BusMessage, Verdict } from './bus.ts';
import type { Clock } from './clock.ts';
import type { Db } from './db.ts';
import { DomainError, RetryableError } from './errors.ts';
import { ACCUSED_MS, createFailureBook, type Failure, type FailureBook } from './failed-messages.ts';
import { type TenantId, toTenantId } from './ids.ts';
import { createJobBook, type Handled, takeOnce } from './inbox.ts';
import { createLanes, createRoom } from './lane.ts';
import type { Logger } from './logger.ts';
import type { Metrics } from './metrics.ts';
import { backoff, sleep } from './retry.ts';
import { type TenantTx, withTenant } from './tenant-tx.ts';

export type Received<K extends MessageKind = MessageKind> = {
  [Kind in K]: { id: string; kind: Kind; tenantId: TenantId; occurredAt: Date; body: Body<Kind> };
}[K];

/** What messages of one tenant do together. It commits with their inbox rows: it happens once. SQL only, no network call. */
export type Effect<K extends MessageKind, Result = void> = (
  tx: TenantTx,
  tenantId: TenantId,
  messages: Received<K>[],
) => Promise<Result>;
/** What follows the commit and may be lost with the process: caches, and hints that something else gives as well. */
export type Aftermath<K extends MessageKind, Result> = (
  tenantId: TenantId,
  messages: Received<K>[],
  result: Result,
) => Promise<void>;
/** Work that calls other services: it must find out by itself what was done by one that died meanwhile. */
export type Job<K extends MessageKind> = (message: Received<K>, log: Logger) => Promise<void>;

export type ConsumerOptions = {
  db: Db;
  /** Connections for the record of what failed, when those of `db` are all in use. */
  spare?: Db;
  bus: Bus;
  clock: Clock;
  log: Logger;
  metrics: Metrics;
  signal: AbortSignal;
  /** Messages in hand; those that wait for their turn are among them. */
  prefetch?: number;
  /** How many batches, or jobs, run side by side: the share of the connections that this queue gets. */
  atOnce?: number;
};

/** A message whose handler asks for another try gets this many before it is parked. */
const MAX_ATTEMPTS = 5;
const MAX_BATCH = 512;
const PREFETCH = 2_048;
/** So often a message waits in hand for the database, before it is put off: the others of its batch then part from it. */
const TRIES_IN_HAND = 3;
/** Handed out so often without an answer, a message is handled alone, so that what it does to the process is known. */
const SUSPECT_AFTER = 8;
const CRASHES = 3;

type Outcome = 'done' | 'repeated';

/** Consumes `queue` in batches by tenant; each message takes effect once, however often it is delivered. */
export function consumeOnce<K extends MessageKind, Result = void>(
  queue: QueueName,
  options: ConsumerOptions,
  kinds: readonly K[],
  effect: Effect<K, Result>,
  aftermath?: Aftermath<K, Result>,
): Promise<void> {
  const take = createEffect(queue, options, effect, aftermath);
  return subscribe(queue, options, async (message, handled) =>
    kinds.includes(message.kind as K) ? take(message as Received<K>, handled) : 'done',
  );
}

/** A job that is an effect: many of its kind, of one tenant, make one transaction. */
export function batched<K extends MessageKind>(
  queue: QueueName,
  options: ConsumerOptions,
  effect: Effect<K>,
): Job<K> {
  const take = createEffect<K, void>(queue, options, effect);
  return async (message) => void (await take(message, { id: message.id, retried: false, alone: false }));
}

/** Consumes `queue` with jobs. One that ended is not run again, however often its message is delivered. */
export function consumeJobs<K extends MessageKind>(
  queue: QueueName,
  options: ConsumerOptions,
  jobs: { [Kind in K]: Job<Kind> },
): Promise<void> {
  const book = createJobBook(options, queue);
  const enter = options.atOnce === undefined ? undefined : createRoom(options.atOnce);
  return subscribe(queue, options, async (message, handled, log) => {
    const job = jobs[message.kind as K] as Job<MessageKind> | undefined;
    if (!job) return 'done';
    if (await book.isDone(message.tenantId, handled)) return 'repeated';
    const leave = await enter?.();
    try {
      await job(message, log);
    } finally {
      leave?.();
    }
    await book.done(message.tenantId, handled);
    return 'done';
  });
}

type InHand = Handled & { alone: boolean };

function createEffect<K extends MessageKind, Result>(
  queue: QueueName,
  options: ConsumerOptions,
  effect: Effect<K, Result>,
  aftermath?: Aftermath<K, Result>,
): (message: Received<K>, handled: InHand) => Promise<Outcome> {
  const { db, clock, log, atOnce = 1 } = options;
  type Item = { message: Received<K>; handled: InHand };

  async function flush(tenantId: TenantId, items: Item[]): Promise<Outcome[]> {
    const left = { messages: [] as Received<K>[], result: undefined as Result | undefined };
    const fresh = await withTenant(db, tenantId, async (tx) => {
      const taken = await takeOnce(
        tx,
        queue,
        tenantId,
        items.map(({ handled }) => handled),
        clock.now(),
      );
      // Two copies of one message may be in one batch.
      const once = new Map(items.map(({ message }) => [message.id, message]));
      left.messages = [...once.values()].filter(({ id }) => taken.has(id));
      if (left.messages.length > 0) left.result = await effect(tx, tenantId, left.messages);
      return taken;
    });
    if (left.messages.length > 0)
      await aftermath?.(tenantId, left.messages, left.result as Result).catch((error: Error) =>
        log.warn({ queue, tenantId, err: error.message }, 'what follows a commit did not happen'),
      );
    return items.map(({ message }) => (fresh.delete(message.id) ? 'done' : 'repeated'));
  }

  const lanes = createLanes<Item, Outcome>({
    maxBatch: MAX_BATCH,
    atOnce,
    whenFailed: 'halves',
    flush: (key, items) => flush(key as TenantId, items),
  });
  return async (message, handled) =>
    handled.alone
      ? ((await flush(message.tenantId, [{ message, handled }]))[0] as Outcome)
      : lanes.submit(message.tenantId, { message, handled });
}

function subscribe(
  queue: QueueName,
  options: ConsumerOptions,
  handle: (message: Received, handled: InHand, log: Logger) => Promise<Outcome>,
): Promise<void> {
  const { bus, metrics, signal, prefetch = PREFETCH } = options;
  const failures = createFailureBook({ ...options, db: options.spare ?? options.db });
  const oneSuspect = createRoom(1);

  /** In another order each time: where processes die for reasons of their own, it is not always the same that is at it. */
  async function enterAlone(): Promise<() => void> {
    await sleep(Math.random() * 200, signal);
    return oneSuspect();
  }

  async function attempt(raw: BusMessage, log: Logger, alone: boolean): Promise<Outcome> {
    const handled = { id: raw.id, retried: alone || raw.queue !== undefined, alone };
    const message = receive(raw);
    for (let tries = 1; ; tries++) {
      try {
        return await handle(message, handled, log);
      } catch (error) {
        if (!isDatabaseAway(error) || tries === TRIES_IN_HAND) throw error;
        if (!(await sleep(backoff(tries, 250, 2_000), signal))) throw error;
      }
    }
  }

  return bus.subscribe(queue, { prefetch, signal }, async (raw, { deliveries }): Promise<Verdict> => {
    const log = options.log.child({
      queue,
      messageId: raw.id,
      tenantId: raw.tenantId,
      requestId: raw.requestId,
    });
    const leave = deliveries >= SUSPECT_AFTER ? await enterAlone() : undefined;
    try {
      if (leave) await accuse(failures, options, queue, raw, log);
      const outcome = await attempt(raw, log, leave !== undefined);
      metrics.messagesHandled.inc({ queue, outcome });
      return 'done';
    } catch (error) {
      // A process that ends hands back what it could not do; nobody failed.
      if (signal.aborted && isDatabaseAway(error)) throw error;
      const failure = judge(queue, raw, error as Error);
      const parked = failure.pause === undefined;
      log.warn({ kind: raw.kind, attempt: raw.attempt, err: failure.error }, parked ? 'parked' : 'put off');
      metrics.messagesHandled.inc({ queue, outcome: parked ? 'parked' : 'deferred' });
      if (await untilRecorded(options, log, () => failures.record(failure))) return 'done';
      log.error({ kind: raw.kind }, 'a message without a tenant');
      return 'dead';
    } finally {
      leave?.();
    }
  });
}

/** @throws TypeError or ZodError for a message that no version of ours wrote; it is parked. */
function receive(raw: BusMessage): Received {
  const schema = bodies[raw.kind as MessageKind];
  if (!schema) throw new TypeError(`unknown kind ${raw.kind}`);
  return {
    id: raw.id,
    kind: raw.kind,
    tenantId: toTenantId(raw.tenantId),
    occurredAt: new Date(raw.occurredAt),
    body: schema.parse(raw.body),
  } as Received;
}

class CrashedError extends Error {}

/**
 * Notes, before a suspect is tried, that it is: should the process die now, that stays.
 * @throws CrashedError when processes died of it CRASHES times
 */
async function accuse(
  failures: FailureBook,
  options: ConsumerOptions,
  consumer: string,
  message: BusMessage,
  log: Logger,
): Promise<void> {
  const error = 'The process that had this message in hand was not heard of again.';
  const accusation: Failure = { consumer, message, cause: 'crash', error, pause: ACCUSED_MS };
  const known = await untilRecorded(options, log, () => failures.record(accusation));
  if (known && known.crashes > CRASHES)
    throw new CrashedError(`The process died ${CRASHES} times while it handled this message alone.`);
}

function judge(consumer: string, message: BusMessage, error: Error): Failure {
  const failure = { consumer, message, error: error.message };
  if (error instanceof CrashedError) return { ...failure, cause: 'crash', pause: undefined };
  const pause = 500 + backoff(message.attempt + 1, 1_000, 60_000);
  // A dependency is down: that is no fault of the message, however long it takes. The pause grows with each time.
  if (error instanceof DomainError && error.kind === 'unavailable')
    return { ...failure, cause: 'outage', pause: 500 + Math.random() * 1_000 };
  const again = error instanceof RetryableError && message.attempt + 1 < MAX_ATTEMPTS;
  return { ...failure, cause: 'failure', pause: again ? pause : undefined };
}

function isDatabaseAway(error: unknown): boolean {
  return error instanceof DomainError && error.code === 'database_unavailable';
}

/** The record of a failure must reach the database, which may be what failed: wait for it, holding the message. */
async function untilRecorded<T>(
  { signal }: ConsumerOptions,
  log: Logger,
  record: () => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await record();
    } catch (error) {
      if (!isDatabaseAway(error) || signal.aborted) throw error;
      log.warn({ attempt, err: (error as Error).message }, 'cannot record a failure yet');
      await sleep(backoff(attempt, 250, 5_000), signal);
    }
  }
}
