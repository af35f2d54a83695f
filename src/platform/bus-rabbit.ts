import { type Channel, type ChannelModel, type ConfirmChannel, type ConsumeMessage, connect } from 'amqplib';
import { brokerRefusal } from './broker-refusal.ts';
import { type Bus, type BusMessage, type DeadLetter, handOut, PublishError, type Topology } from './bus.ts';
import { declareTopology } from './bus-rabbit-topology.ts';
import type { Logger } from './logger.ts';
import { backoff, sleep } from './retry.ts';

type Options = {
  url: string;
  topology: Topology;
  log: Logger;
  /** Goes before every exchange and queue name, so that several systems can share a virtual host. */
  namespace?: string;
  confirmTimeoutMs?: number;
};

type Settlement = 'done' | 'dead' | 'again';
type Consumer = {
  queue: string;
  prefetch: number;
  signal: AbortSignal;
  handle: (raw: ConsumeMessage) => Promise<Settlement>;
  /** The connection that it consumes on; no other may start it a second time there. */
  on?: ChannelModel;
  cancel?: () => Promise<unknown>;
};

/** Two of these without a sign of life, and the connection is taken for dead. */
const HEARTBEAT_SECONDS = '10';
const CLOSE_MS = 2_000;
/** A broker that neither lets us in nor refuses us for so long is away. */
const FIRST_ATTEMPT_MS = 6_000;
/** Dead letters are taken one after the other, but the next ones need not be fetched first. */
const DEAD_PREFETCH = 16;

/**
 * The bus over RabbitMQ: one topic exchange, quorum queues, each with its dead-letter queue. The connection is
 * supervised and comes back by itself; while it is away `publish` rejects and the outbox keeps the messages.
 * @throws Error in plain words when the broker refuses us at the first attempt: what is missing does not come by waiting
 */
export async function createRabbitBus(options: Options): Promise<Bus> {
  const { url, topology, log, namespace = '', confirmTimeoutMs = 5_000 } = options;
  const exchange = `${namespace}tessera`;
  const consumers = new Set<Consumer>();
  const running = new Set<Promise<void>>();
  let publisher: ConfirmChannel | undefined;
  let model: ChannelModel | undefined;
  let returned = new Set<string>();
  const closing = new AbortController();

  async function setUp(fresh: ChannelModel): Promise<void> {
    // Nobody else listens before this has ended, and an error that nobody listens to would end the process.
    fresh.on('error', (error) => log.debug({ err: error.message }, 'broker connection'));
    model = fresh;
    const channel = await fresh.createConfirmChannel();
    channel.on('error', (error) => log.warn({ err: error.message }, 'publishing channel'));
    channel.on('close', () => {
      if (publisher === channel) publisher = undefined;
      startOver(fresh);
    });
    await declareTopology(fresh, channel, { exchange, namespace, topology, log });
    returned = new Set();
    channel.on('return', (message) => returned.add(String(message.properties.messageId)));
    publisher = channel;
    for (const consumer of consumers) await consume(fresh, consumer);
    log.info({ exchange }, 'connected to the broker');
  }

  /** A channel that closed alone, or a queue that went away, would leave a part of the bus mute for ever. */
  function startOver(on: ChannelModel): void {
    if (closing.signal.aborted || model !== on) return;
    on.close().catch((error) => log.debug({ err: error.message }, 'closing'));
  }

  async function consume(on: ChannelModel, consumer: Consumer): Promise<void> {
    const { queue, prefetch, signal } = consumer;
    if (signal.aborted || consumer.on === on) return;
    consumer.on = on;
    const channel = await on.createChannel();
    channel.on('error', (error) => log.warn({ queue, err: error.message }, 'consuming channel'));
    channel.on('close', () => startOver(on));
    await channel.prefetch(prefetch);
    const { consumerTag } = await channel.consume(`${namespace}${queue}`, (raw) => {
      if (raw === null) {
        log.warn({ queue }, 'the broker ended a consumer');
        startOver(on);
        return;
      }
      const work = deliver(channel, consumer, raw).finally(() => running.delete(work));
      running.add(work);
    });
    consumer.cancel = () => channel.cancel(consumerTag);
    if (signal.aborted) await consumer.cancel();
  }

  async function deliver(channel: Channel, consumer: Consumer, raw: ConsumeMessage): Promise<void> {
    const settlement = consumer.signal.aborted ? 'again' : await consumer.handle(raw);
    try {
      if (settlement === 'done') channel.ack(raw);
      else channel.nack(raw, false, settlement === 'again');
    } catch (error) {
      // The channel went away meanwhile: the broker delivers again and the inbox answers.
      log.debug({ queue: consumer.queue, err: (error as Error).message }, 'could not acknowledge');
    }
  }

  async function start(consumer: Consumer): Promise<void> {
    if (consumer.signal.aborted) return;
    const { queue } = consumer;
    consumers.add(consumer);
    const leave = (): void => {
      consumers.delete(consumer);
      consumer.cancel?.().catch((error) => log.debug({ queue, err: error.message }, 'cancelling'));
    };
    consumer.signal.addEventListener('abort', leave, { once: true });
    if (!model || !publisher) return;
    try {
      await consume(model, consumer);
    } catch (error) {
      // The connection broke meanwhile: the next one starts it.
      log.warn({ queue, err: (error as Error).message }, 'could not consume yet');
    }
  }

  function send(channel: ConfirmChannel, message: BusMessage): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('not confirmed in time')), confirmTimeoutMs);
      // The default exchange brings a message to the queue of that name and to no other.
      const { queue } = message;
      channel.publish(
        queue === undefined ? exchange : '',
        queue === undefined ? message.kind : `${namespace}${queue}`,
        Buffer.from(JSON.stringify(message)),
        { persistent: true, mandatory: true, messageId: message.id, contentType: 'application/json' },
        (error) => {
          clearTimeout(timer);
          // The broker returns an unroutable message before it confirms it.
          if (returned.delete(message.id)) reject(new Error(`no queue takes ${message.kind}`));
          else if (error) reject(error instanceof Error ? error : new Error('refused by the broker'));
          else resolve();
        },
      );
    });
  }

  const connection = await connect(withHeartbeat(url), {
    timeout: 5_000,
    noDelay: true,
    recovery: { initialDelay: 100, maxDelay: 5_000, waitForConnect: false, setup: setUp },
  });
  connection.on('disconnect', (error) => {
    publisher = undefined;
    model = undefined;
    log.warn({ err: error?.message }, 'the broker is away');
  });
  connection.on('connect-failed', (error) => {
    const refusal = brokerRefusal(error, url);
    if (refusal) log.error({ err: error.message }, refusal);
    else log.warn({ err: error.message }, 'the broker does not answer');
  });
  connection.on('error', (error) => log.debug({ err: error.message }, 'broker connection'));
  const attempt = new Promise<Error | undefined>((resolve) => {
    connection.once('connect', () => resolve(undefined)).once('connect-failed', resolve);
  });
  const failure = await Promise.race([
    attempt,
    sleep(FIRST_ATTEMPT_MS, closing.signal).then(() => undefined),
  ]);
  const refusal = failure && brokerRefusal(failure, url);
  if (refusal) {
    await connection.close();
    throw new Error(refusal);
  }

  return {
    confirmTimeoutMs,
    async publish(messages) {
      const channel = publisher;
      if (!channel)
        throw new PublishError(
          'the broker is away',
          messages.map((m) => m.id),
        );
      const outcomes = await Promise.allSettled(messages.map((message) => send(channel, message)));
      const first = outcomes.find((outcome) => outcome.status === 'rejected');
      if (!first) return;
      const failed = messages.filter((_, i) => outcomes[i]?.status === 'rejected');
      throw new PublishError(
        (first.reason as Error).message,
        failed.map((m) => m.id),
      );
    },
    async subscribe(queue, { prefetch, signal: until }, handler) {
      requireQueue(queue, topology);
      const signal = AbortSignal.any([until, closing.signal]);
      await start({
        queue,
        prefetch,
        signal,
        async handle(raw) {
          const message = parse(raw);
          if (!message) {
            log.error({ queue, messageId: raw.properties.messageId }, 'not a message of ours');
            return 'dead';
          }
          const deliveries = Number(raw.properties.headers?.['x-delivery-count'] ?? 0);
          const failed = (error: Error): void =>
            log.warn({ queue, messageId: message.id, err: error.message }, 'a handler failed');
          return (await handOut(message, deliveries, { handler, signal, failed })) ?? 'again';
        },
      });
    },
    async takeDead(queue, { signal: until }, take) {
      requireQueue(queue, topology);
      const signal = AbortSignal.any([until, closing.signal]);
      await start({
        queue: `${queue}.dlq`,
        prefetch: DEAD_PREFETCH,
        signal,
        async handle(raw) {
          for (let attempt = 1; ; attempt++) {
            try {
              await take(toDeadLetter(raw));
              return 'done';
            } catch (error) {
              log.warn({ queue, err: (error as Error).message }, 'a dead letter was not taken');
              if (!(await sleep(backoff(attempt, 250, 5_000), signal))) return 'again';
            }
          }
        },
      });
    },
    ready: () => publisher !== undefined,
    async close() {
      closing.abort();
      while (running.size > 0) await Promise.allSettled(running);
      // A broker that says nothing gets no longer than this to say goodbye.
      await Promise.race([connection.close(), sleep(CLOSE_MS)]);
    },
  };
}

function withHeartbeat(url: string): string {
  const parts = new URL(url);
  if (!parts.searchParams.has('heartbeat')) parts.searchParams.set('heartbeat', HEARTBEAT_SECONDS);
  return parts.href;
}

function requireQueue(queue: string, topology: Topology): void {
  if (!(queue in topology)) throw new Error(`no queue ${queue} in the topology`);
}

function toDeadLetter(raw: ConsumeMessage): DeadLetter {
  const [death] = (raw.properties.headers?.['x-death'] ?? []) as { reason?: string }[];
  return {
    message: parse(raw),
    id: String(raw.properties.messageId ?? ''),
    content: raw.content.toString('utf8'),
    reason: death?.reason === 'delivery_limit' ? 'undelivered' : 'failed',
  };
}

/** Undefined for anything that is no message of ours. */
function parse(raw: ConsumeMessage): BusMessage | undefined {
  let value: Partial<BusMessage> | null;
  try {
    value = JSON.parse(raw.content.toString('utf8'));
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { id, kind, tenantId, occurredAt, attempt, queue = '' } = value;
  const texts = [id, kind, tenantId, occurredAt, queue].every((text) => typeof text === 'string');
  return texts && Number.isInteger(attempt) ? (value as BusMessage) : undefined;
}
