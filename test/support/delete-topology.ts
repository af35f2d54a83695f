import { connect } from 'amqplib';
import { topology } from '../../src/messages.ts';
import type { Topology } from '../../src/platform/bus.ts';

/** Takes everything off the broker at `url` that processes with this namespace have put there. */
export async function deleteTopology(
  url: string,
  namespace: string,
  queues: Topology = topology,
): Promise<void> {
  const connection = await connect(url);
  const channel = await connection.createChannel();
  for (const queue of Object.keys(queues)) {
    await channel.deleteQueue(`${namespace}${queue}`);
    await channel.deleteQueue(`${namespace}${queue}.dlq`);
  }
  await channel.deleteExchange(`${namespace}tessera`);
  await channel.deleteExchange(`${namespace}tessera.dead`);
  await connection.close();
}
