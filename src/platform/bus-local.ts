import { type Bus, type BusMessage, type Handler, PublishError, type Topology } from './bus.ts';
import type { Logger } from './logger.ts';

type Delivery = { message: BusMessage; settle: (error?: Error) => void };
type Queue = {
  waiting: Delivery[];
  consumers: { handler: Handler; prefetch: number; running: number; signal: AbortSignal }[];
  deadLetters: BusMessage[];
};

/**
 * The bus inside one process. `publish` resolves only when every consumer is done with the message, so the outbox row
 * behind it survives a crash in between: at least once, as with a broker.
 */
export function createLocalBus({
  topology,
  log,
  confirmTimeoutMs = 30_000,
}: {
  topology: Topology;
  log: Logger;
  confirmTimeoutMs?: number;
}): Bus & { deadLetters(queue: string): BusMessage[] } {
  const queues = new Map<string, Queue>(
    Object.keys(topology).map((name) => [name, { waiting: [], consumers: [], deadLetters: [] }]),
  );
  const running = new Set<Promise<void>>();
  let closed = false;

  function queueNamed(name: string): Queue {
    const queue = queues.get(name);
    if (!queue) throw new Error(`no queue ${name} in the topology`);
    return queue;
  }

  function pump(name: string, queue: Queue): void {
    for (const consumer of queue.consumers) {
      while (!consumer.signal.aborted && consumer.running < consumer.prefetch) {
        const delivery = queue.waiting.shift();
        if (!delivery) return;
        consumer.running++;
        const work = deliver(name, queue, consumer.handler, delivery).finally(() => {
          consumer.running--;
          running.delete(work);
          pump(name, queue);
        });
        running.add(work);
      }
    }
  }

  async function deliver(name: string, queue: Queue, handler: Handler, delivery: Delivery): Promise<void> {
    try {
      if ((await handler(delivery.message)) === 'dead') queue.deadLetters.push(delivery.message);
      delivery.settle();
    } catch (error) {
      // Not handled and not parked: the outbox row stays and is delivered again.
      log.warn(
        { queue: name, messageId: delivery.message.id, err: (error as Error).message },
        'a handler failed',
      );
      delivery.settle(error as Error);
    }
  }

  function send(message: BusMessage): Promise<void>[] {
    const names = Object.keys(topology).filter((name) =>
      topology[name]?.some((key) => matches(key, message.kind)),
    );
    if (names.length === 0) return [Promise.reject(new Error(`no queue takes ${message.kind}`))];
    return names.map(
      (name) =>
        new Promise((resolve, reject) => {
          const queue = queueNamed(name);
          const delivery: Delivery = { message, settle: (error) => (error ? reject(error) : resolve()) };
          queue.waiting.push(delivery);
          setTimeout(() => {
            const at = queue.waiting.indexOf(delivery);
            if (at >= 0) queue.waiting.splice(at, 1);
            reject(new Error('not confirmed in time'));
          }, confirmTimeoutMs).unref();
          pump(name, queue);
        }),
    );
  }

  return {
    async publish(messages) {
      if (closed)
        throw new PublishError(
          'the bus is closed',
          messages.map((m) => m.id),
        );
      const outcomes = await Promise.allSettled(messages.map((message) => Promise.all(send(message))));
      const failed = messages.filter((_, i) => outcomes[i]?.status === 'rejected');
      const first = outcomes.find((outcome) => outcome.status === 'rejected');
      if (first)
        throw new PublishError(
          (first.reason as Error).message,
          failed.map((m) => m.id),
        );
    },
    async subscribe(name, { prefetch, signal }, handler) {
      const queue = queueNamed(name);
      const consumer = { handler, prefetch, running: 0, signal };
      queue.consumers.push(consumer);
      signal.addEventListener('abort', () => queue.consumers.splice(queue.consumers.indexOf(consumer), 1), {
        once: true,
      });
      pump(name, queue);
    },
    ready: () => !closed,
    async close() {
      closed = true;
      await Promise.allSettled(running);
    },
    deadLetters: (name) => queueNamed(name).deadLetters,
  };
}

/** AMQP topic matching. */
function matches(pattern: string, key: string): boolean {
  if (pattern === key) return true;
  const words = key.split('.');
  const parts = pattern.split('.');
  function from(p: number, w: number): boolean {
    if (p === parts.length) return w === words.length;
    if (parts[p] === '#') return from(p + 1, w) || (w < words.length && from(p, w + 1));
    return w < words.length && (parts[p] === '*' || parts[p] === words[w]) && from(p + 1, w + 1);
  }
  return from(0, 0);
}
