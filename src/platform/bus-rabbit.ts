import { type Channel, type ChannelModel, type ConfirmChannel, type ConsumeMessage, connect } from 'amqplib';
import { type Bus, type BusMessage, type Handler, PublishError, type Topology } from './bus.ts';
import type { Logger } from './logger.ts';

type Options = {
  url: string;
  topology: Topology;
  log: Logger;
  /** Goes before every exchange and queue name, so that several systems can share a virtual host. */
  namespace?: string;
  confirmTimeoutMs?: number;
};

type Consumer = { queue: string; prefetch: number; signal: AbortSignal; handler: Handler };

/** A message that was redelivered this often without an answer (its consumer keeps dying) goes to the dead letters. */
const DELIVERY_LIMIT = 5;

/**
 * The bus over RabbitMQ: one topic exchange, quorum queues, each with its dead-letter queue. The connection is
 * supervised and comes back by itself; while it is away `publish` rejects and the outbox keeps the messages.
 */
export async function createRabbitBus(options: Options): Promise<Bus> {
  const { url, topology, log, namespace = '', confirmTimeoutMs = 5_000 } = options;
  const exchange = `${namespace}tessera`;
  const consumers: Consumer[] = [];
  const running = new Set<Promise<void>>();
  let publisher: ConfirmChannel | undefined;
  let model: ChannelModel | undefined;
  let returned = new Set<string>();
  let closing = false;

  async function setUp(fresh: ChannelModel): Promise<void> {
    model = fresh;
    const channel = await fresh.createConfirmChannel();
    await declare(channel, exchange, namespace, topology);
    returned = new Set();
    channel.on('return', (message) => returned.add(String(message.properties.messageId)));
    channel.on('error', (error) => log.warn({ err: error.message }, 'publishing channel'));
    channel.on('close', () => {
      if (publisher === channel) publisher = undefined;
      // A channel that closed alone would leave the connection mute: start over with a new one.
      if (!closing && model === fresh)
        fresh.close().catch((error) => log.debug({ err: error.message }, 'closing'));
    });
    publisher = channel;
    for (const consumer of consumers) await consume(fresh, consumer);
    log.info({ exchange }, 'connected to the broker');
  }

  async function consume(on: ChannelModel, consumer: Consumer): Promise<void> {
    if (consumer.signal.aborted) return;
    const channel = await on.createChannel();
    channel.on('error', (error) =>
      log.warn({ queue: consumer.queue, err: error.message }, 'consuming channel'),
    );
    await channel.prefetch(consumer.prefetch);
    const { consumerTag } = await channel.consume(`${namespace}${consumer.queue}`, (raw) => {
      if (raw === null) return;
      const work = deliver(channel, consumer, raw).finally(() => running.delete(work));
      running.add(work);
    });
    consumer.signal.addEventListener('abort', () => void channel.cancel(consumerTag).catch(() => undefined), {
      once: true,
    });
  }

  async function deliver(channel: Channel, consumer: Consumer, raw: ConsumeMessage): Promise<void> {
    let verdict: 'done' | 'dead' | 'again';
    try {
      verdict = await consumer.handler(parse(raw));
    } catch (error) {
      log.warn(
        { queue: consumer.queue, messageId: raw.properties.messageId, err: (error as Error).message },
        'a handler failed',
      );
      verdict = error instanceof SyntaxError ? 'dead' : 'again';
    }
    try {
      if (verdict === 'done') channel.ack(raw);
      else channel.nack(raw, false, verdict === 'again');
    } catch (error) {
      // The channel went away meanwhile: the broker delivers again and the inbox answers.
      log.debug({ queue: consumer.queue, err: (error as Error).message }, 'could not acknowledge');
    }
  }

  function send(channel: ConfirmChannel, message: BusMessage): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('not confirmed in time')), confirmTimeoutMs);
      channel.publish(
        exchange,
        message.kind,
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

  const connection = await connect(url, {
    timeout: 5_000,
    recovery: { initialDelay: 100, maxDelay: 5_000, waitForConnect: false, setup: setUp },
  });
  connection.on('disconnect', (error) => {
    publisher = undefined;
    log.warn({ err: error?.message }, 'the broker is away');
  });
  connection.on('connect-failed', (error) => log.warn({ err: error.message }, 'the broker does not answer'));
  connection.on('error', (error) => log.debug({ err: error.message }, 'broker connection'));

  return {
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
    async subscribe(queue, { prefetch, signal }, handler) {
      if (!(queue in topology)) throw new Error(`no queue ${queue} in the topology`);
      const consumer = { queue, prefetch, signal, handler };
      consumers.push(consumer);
      if (model && publisher) await consume(model, consumer);
    },
    ready: () => publisher !== undefined,
    async close() {
      closing = true;
      await Promise.allSettled(running);
      await connection.close();
    },
  };
}

async function declare(
  channel: Channel,
  exchange: string,
  namespace: string,
  topology: Topology,
): Promise<void> {
  const deadLetters = `${exchange}.dead`;
  await channel.assertExchange(exchange, 'topic', { durable: true });
  await channel.assertExchange(deadLetters, 'direct', { durable: true });
  for (const [name, keys] of Object.entries(topology)) {
    const queue = `${namespace}${name}`;
    await channel.assertQueue(`${queue}.dlq`, { durable: true, arguments: { 'x-queue-type': 'quorum' } });
    await channel.bindQueue(`${queue}.dlq`, deadLetters, queue);
    await channel.assertQueue(queue, {
      durable: true,
      arguments: {
        'x-queue-type': 'quorum',
        'x-delivery-limit': DELIVERY_LIMIT,
        'x-dead-letter-exchange': deadLetters,
        'x-dead-letter-routing-key': queue,
        'x-dead-letter-strategy': 'at-least-once',
        'x-overflow': 'reject-publish',
      },
    });
    for (const key of keys) await channel.bindQueue(queue, exchange, key);
  }
}

/** @throws SyntaxError for anything that is no message of ours. */
function parse(raw: ConsumeMessage): BusMessage {
  const message = JSON.parse(raw.content.toString('utf8')) as BusMessage;
  if (
    typeof message?.id !== 'string' ||
    typeof message.kind !== 'string' ||
    typeof message.tenantId !== 'string'
  ) {
    throw new SyntaxError('not a message');
  }
  return message;
}
