/** A message on its way: `id` is the same in every delivery, so a consumer can tell a repetition. */
export type BusMessage = {
  id: string;
  /** Routing key; see the catalogue in `src/messages.ts`. */
  kind: string;
  tenantId: string;
  occurredAt: string;
  requestId?: string;
  /** How often the consumer put it off; 0 at first. */
  attempt: number;
  body: unknown;
};

/** What a handler made of a message. `dead` sends it to the queue's dead letters. */
export type Verdict = 'done' | 'dead';

/** A handler that throws gets the message again after a pause, REDELIVERIES times; then it is a dead letter. */
export type Handler = (message: BusMessage) => Promise<Verdict>;

export const REDELIVERIES = 5;

/** Milliseconds before a message that came back `redelivered` times comes again. */
export function redeliveryPause(redelivered: number): number {
  return Math.min(2_000, 50 * 2 ** redelivered);
}

/** Which routing keys reach which queue. `*` stands for one word, `#` for any number. */
export type Topology = Record<string, readonly string[]>;

/**
 * At-least-once delivery. `publish` resolves when every message is safe: written by the broker, or handled where there
 * is no broker. It rejects when one was refused, unroutable or not confirmed in time; publishing again is harmless.
 */
export type Bus = {
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
