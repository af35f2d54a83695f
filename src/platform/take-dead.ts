import { sql } from 'kysely';
import type { Bus, DeadLetter, Topology } from './bus.ts';
import type { Clock } from './clock.ts';
import type { Db } from './db.ts';
import type { FailureBook } from './failed-messages.ts';
import { newId } from './ids.ts';
import type { Logger } from './logger.ts';
import { withSystem } from './tenant-tx.ts';

const LONGEST = 10_000;

/**
 * Takes what the queues of `topology` gave up on to where it is shown: to the parked messages of its tenant, or to the
 * strays. What the broker itself gave up on, because nobody answered, was parked by crashes and is taken back later.
 */
export async function takeDeadLetters(options: {
  bus: Bus;
  topology: Topology;
  failures: FailureBook;
  relay: Db;
  clock: Clock;
  log: Logger;
  signal: AbortSignal;
}): Promise<void> {
  const { bus, topology, failures, relay, clock, log, signal } = options;

  async function take(consumer: string, dead: DeadLetter): Promise<void> {
    const { message, reason } = dead;
    const crashed = reason === 'undelivered';
    log.error({ queue: consumer, messageId: dead.id, reason }, 'a dead letter');
    const known =
      message &&
      (await failures.record({
        consumer,
        message,
        cause: crashed ? 'crash' : 'failure',
        error: crashed
          ? 'The broker gave the message up: it was handed out too often and nobody answered.'
          : 'The handler failed each time, and could not say why.',
        pause: undefined,
      }));
    if (known) return;
    const content = dead.content.replaceAll('\0', '�').slice(0, LONGEST);
    const why = message ? 'It names no tenant of ours.' : 'It is no message of ours.';
    await withSystem(relay, (tx) =>
      sql`insert into stray_messages (id, consumer, message_id, reason, content, found_at)
        values (${newId()}, ${consumer}, ${dead.id.replaceAll('\0', '�')}, ${why}, ${content}, ${clock.now()})`.execute(
        tx,
      ),
    );
  }

  for (const queue of Object.keys(topology))
    await bus.takeDead(queue, { signal }, (dead) => take(queue, dead));
}
