import {
  type Bus,
  type BusMessage,
  type DeadLetter,
  type Handler,
  handOut,
  PublishError,
  type Topology,
} from './bus.ts';
import type { Logger } from './logger.ts';

type Delivery = { message: BusMessage; settle: (error?: Error) => void };
type Consumer = { handler: Handler; prefetch: number; running: number; signal: AbortSignal };
type Queue = {
  waiting: Delivery[];
  consumers: Consumer[];
  deadLetters: BusMessage[];
  takeDead?: ((dead: DeadLetter) => Promise<void>) | undefined;
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
  const closing = new AbortController();

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
        const work = deliver(name, queue, consumer, delivery).finally(() => {
          consumer.running--;
          running.delete(work);
          pump(name, queue);
        });
        running.add(work);
      }
    }
  }

  async function deliver(name: string, queue: Queue, consumer: Consumer, delivery: Delivery): Promise<void> {
    const { message } = delivery;
    const verdict = await handOut(message, 0, {
      ...consumer,
      failed: (error) =>
        log.warn({ queue: name, messageId: message.id, err: error.message }, 'a handler failed'),
    });
    // Not handled and not parked: the outbox row stays and is delivered again.
    if (!verdict) return delivery.settle(new Error('the consumer stopped'));
    if (verdict === 'dead') {
      queue.deadLetters.push(message);
      await handOverDead(name, queue);
    }
    delivery.settle();
  }

  async function handOverDead(name: string, queue: Queue): Promise<void> {
    const { takeDead } = queue;
    if (!takeDead) return;
    for (const message of queue.deadLetters.splice(0)) {
      const dead = { message, id: message.id, content: JSON.stringify(message), reason: 'failed' as const };
      await takeDead(dead).catch((error: Error) => {
        queue.deadLetters.push(message);
        log.warn({ queue: name, messageId: message.id, err: error.message }, 'a dead letter was not taken');
      });
    }
  }

  /** What waits for consumers that are gone stays in the outbox, and its publisher need not wait for the time-out. */
  function giveBack(queue: Queue): void {
    for (const delivery of queue.waiting.splice(0)) delivery.settle(new Error('the consumer stopped'));
  }

  function send(message: BusMessage): Promise<void>[] {
    const names = Object.keys(topology).filter((name) =>
      message.queue === undefined
        ? topology[name]?.some((key) => matches(key, message.kind))
        : name === message.queue,
    );
    if (names.length === 0) return [Promise.reject(new Error(`no queue takes ${message.kind}`))];
    return names.map(
      (name) =>
        new Promise((resolve, reject) => {
          const queue = queueNamed(name);
          const timer = setTimeout(() => {
            const at = queue.waiting.indexOf(delivery);
            if (at >= 0) queue.waiting.splice(at, 1);
            reject(new Error('not confirmed in time'));
          }, confirmTimeoutMs).unref();
          const delivery: Delivery = {
            message,
            settle(error) {
              clearTimeout(timer);
              if (error) reject(error);
              else resolve();
            },
          };
          queue.waiting.push(delivery);
          pump(name, queue);
        }),
    );
  }

  return {
    confirmTimeoutMs,
    async publish(messages) {
      if (closing.signal.aborted)
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
      if (signal.aborted || closing.signal.aborted) return;
      const consumer = { handler, prefetch, running: 0, signal: AbortSignal.any([signal, closing.signal]) };
      queue.consumers.push(consumer);
      const leave = (): void => {
        queue.consumers.splice(queue.consumers.indexOf(consumer), 1);
        if (queue.consumers.length === 0) giveBack(queue);
      };
      consumer.signal.addEventListener('abort', leave, { once: true });
      pump(name, queue);
    },
    async takeDead(name, { signal }, take) {
      const queue = queueNamed(name);
      if (signal.aborted || closing.signal.aborted) return;
      queue.takeDead = take;
      const leave = (): void => {
        queue.takeDead = undefined;
      };
      AbortSignal.any([signal, closing.signal]).addEventListener('abort', leave, { once: true });
      await handOverDead(name, queue);
    },
    ready: () => !closing.signal.aborted,
    async close() {
      closing.abort();
      for (const queue of queues.values()) giveBack(queue);
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
