import { randomBytes } from 'node:crypto';
import { type ConfirmChannel, connect } from 'amqplib';
import { topology } from '../../src/messages.ts';
import type { Bus } from '../../src/platform/bus.ts';
import { createRabbitBus } from '../../src/platform/bus-rabbit.ts';
import { createLogger } from '../../src/platform/logger.ts';
import { waitFor } from '../../src/platform/retry.ts';

/** Our queues on the broker at `AMQP_URL`, under a name of their own. */
export type Broker = {
  url: string;
  namespace: string;
  exchange: string;
  bus: Bus;
  /** Past the bus, straight to the broker. */
  channel: ConfirmChannel;
  /** Forgets what waits in the queues. */
  purge(): Promise<void>;
  close(): Promise<void>;
};

const DEFAULT_URL = 'amqp://guest:guest@127.0.0.1:5672';

export async function openBroker(): Promise<Broker> {
  const url = process.env.AMQP_URL ?? DEFAULT_URL;
  const namespace = `bench-${randomBytes(5).toString('hex')}.`;
  const connection = await connect(url, { noDelay: true });
  const channel = await connection.createConfirmChannel();
  const log = createLogger({ level: 'error', process: 'bench' });
  const bus = await createRabbitBus({ url, namespace, topology, log, confirmTimeoutMs: 30_000 });
  if (!(await waitFor(async () => bus.ready(), { timeoutMs: 10_000, everyMs: 10 })))
    throw new Error('the broker does not answer');
  const queues = Object.keys(topology).flatMap((queue) => [
    `${namespace}${queue}`,
    `${namespace}${queue}.dlq`,
  ]);
  return {
    url,
    namespace,
    exchange: `${namespace}tessera`,
    bus,
    channel,
    async purge() {
      for (const queue of queues) await channel.purgeQueue(queue);
    },
    async close() {
      await bus.close();
      for (const queue of queues) await channel.deleteQueue(queue);
      await channel.deleteExchange(`${namespace}tessera`);
      await channel.deleteExchange(`${namespace}tessera.dead`);
      await connection.close();
    },
  };
}
