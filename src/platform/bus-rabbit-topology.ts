import type { Channel, ChannelModel } from 'amqplib';
import type { Topology } from './bus.ts';
import type { Logger } from './logger.ts';

/**
 * A queue hands a message out so often before it makes a dead letter of it by itself. It counts deliveries, and a process
 * that dies has had hundreds: failures are counted by who consumes, and this limit is out of their way.
 */
const DELIVERY_LIMIT = 1_000;
const PRECONDITION_FAILED = 406;

type Options = { exchange: string; namespace: string; topology: Topology; log: Logger };

/** One topic exchange, and quorum queues, each with its dead-letter queue. */
export async function declareTopology(on: ChannelModel, channel: Channel, options: Options): Promise<void> {
  const { exchange, namespace, topology } = options;
  const deadLetters = `${exchange}.dead`;
  await channel.assertExchange(exchange, 'topic', { durable: true });
  await channel.assertExchange(deadLetters, 'direct', { durable: true });
  for (const [name, keys] of Object.entries(topology)) {
    const queue = `${namespace}${name}`;
    const kept = { 'x-queue-type': 'quorum', 'x-delivery-limit': DELIVERY_LIMIT };
    await declareQueue(on, channel, options, `${queue}.dlq`, kept);
    await channel.bindQueue(`${queue}.dlq`, deadLetters, queue);
    await declareQueue(on, channel, options, queue, {
      ...kept,
      'x-dead-letter-exchange': deadLetters,
      'x-dead-letter-routing-key': queue,
      'x-dead-letter-strategy': 'at-least-once',
      'x-overflow': 'reject-publish',
    });
    for (const key of keys) await channel.bindQueue(queue, exchange, key);
  }
}

/** A queue that an earlier version made keeps its arguments, and its messages; the broker refuses to change them. */
async function declareQueue(
  on: ChannelModel,
  channel: Channel,
  { log }: Options,
  queue: string,
  args: Record<string, unknown>,
): Promise<void> {
  // A refusal closes the channel that it came on.
  const trial = await on.createChannel();
  trial.on('error', (error) => log.debug({ queue, err: error.message }, 'declaring'));
  try {
    await trial.assertQueue(queue, { durable: true, arguments: args });
    // Nobody hears of a closing whose connection broke: it is not waited for.
    trial.close().catch((error) => log.debug({ queue, err: error.message }, 'declaring'));
  } catch (error) {
    if ((error as { code?: number }).code !== PRECONDITION_FAILED) throw error;
    await channel.checkQueue(queue);
    log.warn({ queue }, 'a queue of an earlier version is used as it is');
  }
}
