import { sleep } from './retry.ts';

/** A message on its way: `id` is the same in every delivery, so a consumer can tell a repetition. */
export type BusMessage = {
  id: string;
  /** Routing key; see the catalogue in `src/messages.ts`. */
  kind: string;
  tenantId: string;
  occurredAt: string;
  requestId?: string;
  /** The only queue that gets it, for a message that comes again; without one, all that want its kind do. */
  queue?: string;
  /** How often its consumer failed; 0 at first. */
  attempt: number;
  body: unknown;
};

/** What a handler made of a message. `dead` sends it to the queue's dead letters. */
export type Verdict = 'done' | 'dead';

/**
 * A handler that throws gets the message again after a pause, REDELIVERIES times; then it is a dead letter. `deliveries`
 * tells how often the message was handed out before to somebody who was not heard of again; that is no failure.
 */
export type Handler = (message: BusMessage, delivery: { deliveries: number }) => Promise<Verdict>;

export const REDELIVERIES = 5;

/** Milliseconds before a message whose handler failed `failures` times before comes again. */
function pauseAfter(failures: number): number {
  return Math.min(2_000, 50 * 2 ** failures);
}

/** Hands `message` out until its handler says what became of it; undefined when `signal` ended that first. */
export async function handOut(
  message: BusMessage,
  deliveries: number,
  { handler, signal, failed }: { handler: Handler; signal: AbortSignal; failed: (error: Error) => void },
): Promise<Verdict | undefined> {
  for (let failures = 0; ; failures++) {
    try {
      return await handler(message, { deliveries });
    } catch (error) {
      failed(error as Error);
      if (failures === REDELIVERIES) return 'dead';
      if (!(await sleep(pauseAfter(failures), signal))) return undefined;
    }
  }
}

/** What a queue gave up on. */
export type DeadLetter = {
  /** Undefined for anything that is no message of ours. */
  message: BusMessage | undefined;
  id: string;
  /** As it came. */
  content: string;
  /** `undelivered`: the broker handed it out until its own limit, and no handler ever answered. */
  reason: 'failed' | 'undelivered';
};

/** Which routing keys reach which queue. `*` stands for one word, `#` for any number. */
export type Topology = Record<string, readonly string[]>;

/**
 * At-least-once delivery. `publish` resolves when every message is safe: written by the broker, or handled where there
 * is no broker. It rejects when one was refused, unroutable or not confirmed in time; publishing again is harmless.
 */
export type Bus = {
  /** After so many milliseconds at the latest `publish` resolves or rejects. */
  readonly confirmTimeoutMs: number;
  publish(messages: readonly BusMessage[]): Promise<void>;
  /**
   * Resolves when the consumer runs, or will run once the broker is back; it ends with `signal`, after the messages in
   * hand are done.
   */
  subscribe(
    queue: string,
    options: { prefetch: number; signal: AbortSignal },
    handler: Handler,
  ): Promise<void>;
  /** Takes the dead letters of `queue` away, one after the other; one stays until `take` resolves. Ends with `signal`. */
  takeDead(
    queue: string,
    options: { signal: AbortSignal },
    take: (dead: DeadLetter) => Promise<void>,
  ): Promise<void>;
  /** Whether messages can flow now. */
  ready(): boolean;
  /** Ends the consumers and resolves when the messages in hand are done. */
  close(): Promise<void>;
};

/** Thrown by `publish`; names the messages that are not safe. */
export class PublishError extends Error {
  constructor(reason: string, ids: readonly string[]) {
    super(`${reason}: ${ids.join(', ')}`);
    this.name = 'PublishError';
  }
}
