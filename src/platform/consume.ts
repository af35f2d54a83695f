import { type Body, bodies, type MessageKind, type QueueName } from '../messages.ts';
import type { Bus, BusMessage, Verdict } from './bus.ts';
import type { Clock } from './clock.ts';
import type { Db } from './db.ts';
import { DomainError, RetryableError } from './errors.ts';
import { type TenantId, toTenantId } from './ids.ts';
import type { Logger } from './logger.ts';
import type { Metrics } from './metrics.ts';
import { enqueueAgain } from './outbox.ts';
import { backoff, sleep } from './retry.ts';
import { type TenantTx, withTenant } from './tenant-tx.ts';

export type Received<K extends MessageKind = MessageKind> = {
  [Kind in K]: { id: string; kind: Kind; tenantId: TenantId; occurredAt: Date; body: Body<Kind> };
}[K];

/** An effect that commits together with the inbox row: it happens once. SQL only, no network call. */
export type Effect<K extends MessageKind> = (tx: TenantTx, message: Received<K>) => Promise<void>;
/** Work that calls other services: it must find out by itself what was done already. */
export type Job<K extends MessageKind> = (message: Received<K>, log: Logger) => Promise<void>;

export type ConsumerOptions = {
  db: Db;
  bus: Bus;
  clock: Clock;
  log: Logger;
  metrics: Metrics;
  signal: AbortSignal;
  prefetch?: number;
};

/** A message whose handler asks for another try gets this many before it is parked. */
const MAX_ATTEMPTS = 5;

/** Consumes `queue`; each message takes effect once, however often it is delivered. */
export function consumeOnce<K extends MessageKind>(
  queue: QueueName,
  options: ConsumerOptions,
  effects: { [Kind in K]: Effect<Kind> },
): Promise<void> {
  return subscribe(queue, options, async (message) => {
    const effect = effects[message.kind as K] as Effect<MessageKind> | undefined;
    if (!effect) return 'done';
    return withTenant(options.db, message.tenantId, async (tx) => {
      if (!(await takeOnce(tx, queue, message, options.clock.now()))) return 'repeated';
      await effect(tx, message);
      return 'done';
    });
  });
}

/** Notes that `queue` took a message; false when it did so before. Commits with what the caller does. */
export async function takeOnce(
  tx: TenantTx,
  queue: QueueName,
  message: Pick<Received, 'id' | 'tenantId'>,
  now: Date,
): Promise<boolean> {
  const inserted = await tx
    .insertInto('inbox')
    .values({ tenant_id: message.tenantId, consumer: queue, message_id: message.id, processed_at: now })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst();
  return inserted.numInsertedOrUpdatedRows === 1n;
}

/** Consumes `queue` with jobs that are idempotent by their own records. */
export function consumeJobs<K extends MessageKind>(
  queue: QueueName,
  options: ConsumerOptions,
  jobs: { [Kind in K]: Job<Kind> },
): Promise<void> {
  return subscribe(queue, options, async (message, log) => {
    const job = jobs[message.kind as K] as Job<MessageKind> | undefined;
    await job?.(message, log);
    return 'done';
  });
}

function subscribe(
  queue: QueueName,
  options: ConsumerOptions,
  handle: (message: Received, log: Logger) => Promise<'done' | 'repeated'>,
): Promise<void> {
  const { bus, metrics, signal, prefetch = 64 } = options;
  return bus.subscribe(queue, { prefetch, signal }, async (raw): Promise<Verdict> => {
    const log = options.log.child({
      queue,
      messageId: raw.id,
      tenantId: raw.tenantId,
      requestId: raw.requestId,
    });
    try {
      const outcome = await handle(receive(raw), log);
      metrics.messagesHandled.inc({ queue, outcome });
      return 'done';
    } catch (error) {
      const down = isDown(error);
      const again = down || (error instanceof RetryableError && raw.attempt + 1 < MAX_ATTEMPTS);
      log.warn(
        { kind: raw.kind, attempt: raw.attempt, err: (error as Error).message },
        again ? 'put off' : 'parked',
      );
      metrics.messagesHandled.inc({ queue, outcome: again ? 'deferred' : 'parked' });
      await untilSettled(options, log, () =>
        again ? putOff(options, raw, down) : park(options, queue, raw, error as Error),
      );
      return again ? 'done' : 'dead';
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

/** A dependency is down: that is no fault of the message, however long it takes. */
function isDown(error: unknown): boolean {
  return error instanceof DomainError && error.kind === 'unavailable';
}

/** The record of a failure must reach the database, which may be what failed: wait for it, holding the message. */
async function untilSettled(
  options: ConsumerOptions,
  log: Logger,
  settle: () => Promise<void>,
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await settle();
    } catch (error) {
      if (!(error instanceof DomainError && error.kind === 'unavailable') || options.signal.aborted)
        throw error;
      log.warn({ attempt, err: error.message }, 'cannot record a failure yet');
      await sleep(backoff(attempt, 250, 5_000), options.signal);
    }
  }
}

function putOff(options: ConsumerOptions, raw: BusMessage, down: boolean): Promise<void> {
  const now = options.clock.now();
  const { id, kind, body, requestId } = raw;
  // An outage, however long, leaves a message the tries that its handler may need afterwards.
  const attempt = down ? Math.min(raw.attempt + 1, MAX_ATTEMPTS - 2) : raw.attempt + 1;
  const again = { id, kind, body, attempt, ...(requestId ? { requestId } : {}) };
  const notBefore = new Date(now.getTime() + 500 + backoff(raw.attempt + 1, 1_000, 60_000));
  return withTenant(options.db, toTenantId(raw.tenantId), (tx) => enqueueAgain(tx, now, again, notBefore));
}

/** Keeps a copy where an operator sees it. A message that names no tenant of ours goes to the dead letters alone. */
async function park(
  options: ConsumerOptions,
  consumer: string,
  raw: BusMessage,
  error: Error,
): Promise<void> {
  let tenantId: TenantId;
  try {
    tenantId = toTenantId(raw.tenantId);
  } catch {
    options.log.error({ messageId: raw.id, kind: raw.kind }, 'a message without a tenant');
    return;
  }
  await withTenant(options.db, tenantId, async (tx) => {
    const known = await tx.selectFrom('tenants').select('tenant_id').executeTakeFirst();
    if (!known) return;
    await tx
      .insertInto('parked_messages')
      .values({
        tenant_id: tenantId,
        consumer,
        message_id: raw.id,
        kind: raw.kind,
        body: JSON.stringify(raw.body ?? null),
        error: error.message.slice(0, 1_000),
        attempts: raw.attempt + 1,
        parked_at: options.clock.now(),
      })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  });
}
