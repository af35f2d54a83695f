import { randomBytes } from 'node:crypto';
import { connect } from 'amqplib';
import { inject } from 'vitest';
import type { Bus, Topology } from '../../../src/platform/bus.ts';
import { createLocalBus } from '../../../src/platform/bus-local.ts';
import { createRabbitBus } from '../../../src/platform/bus-rabbit.ts';
import { createLogger } from '../../../src/platform/logger.ts';
import { deleteTopology } from '../../support/delete-topology.ts';

/** A bus with a way to look at its dead letters. */
export type OpenBus = {
  bus: Bus;
  /** The ids of the messages that were given up on, in the order of their death. */
  deadLetters(queue: string): Promise<string[]>;
  close(): Promise<void>;
};

export const log = createLogger({ level: 'silent', process: 'test' });

export async function openLocalBus(topology: Topology): Promise<OpenBus> {
  const bus = createLocalBus({ topology, log, confirmTimeoutMs: 10_000 });
  return {
    bus,
    deadLetters: async (queue) => bus.deadLetters(queue).map(({ id }) => id),
    close: () => bus.close(),
  };
}

/** A namespace of its own on the broker, removed again by `clear`. */
export function rabbitSpace(topology: Topology): { namespace: string; clear(): Promise<void> } {
  const namespace = `test-${randomBytes(6).toString('hex')}.`;
  return {
    namespace,
    clear: () => deleteTopology(rabbitUrl(), namespace, topology),
  };
}

export async function openRabbitBus(topology: Topology, url = rabbitUrl()): Promise<OpenBus> {
  const { namespace, clear } = rabbitSpace(topology);
  const bus = await createRabbitBus({ url, topology, log, namespace, confirmTimeoutMs: 2_000 });
  await untilReady(bus);
  const dead: Record<string, string[]> = {};
  return {
    bus,
    deadLetters: (queue) =>
      withChannel(async (channel) => {
        dead[queue] ??= [];
        for (;;) {
          const raw = await channel.get(`${namespace}${queue}.dlq`, { noAck: true });
          if (!raw) return dead[queue];
          dead[queue].push(raw.properties.messageId);
        }
      }),
    async close() {
      await bus.close();
      await clear();
    },
  };
}

export function rabbitUrl(): string {
  return inject('amqp') ?? '';
}

/** A channel past the bus, straight to the broker. */
export async function withChannel<T>(
  work: (
    channel: Awaited<ReturnType<Awaited<ReturnType<typeof connect>>['createConfirmChannel']>>,
  ) => Promise<T>,
): Promise<T> {
  const connection = await connect(rabbitUrl());
  try {
    return await work(await connection.createConfirmChannel());
  } finally {
    await connection.close();
  }
}

export async function untilReady(bus: Bus): Promise<void> {
  for (const end = Date.now() + 10_000; !bus.ready(); ) {
    if (Date.now() > end) throw new Error('the bus did not become ready');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
