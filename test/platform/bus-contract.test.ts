import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { beforeEach, describe, expect, inject, it } from 'vitest';
import {
  type BusMessage,
  type Handler,
  PublishError,
  REDELIVERIES,
  type Verdict,
} from '../../src/platform/bus.ts';
import { type OpenBus, openLocalBus, openRabbitBus } from './support/open-bus.ts';

const topology = {
  one: ['only.one'],
  star: ['order.*', 'gate.open'],
  all: ['order.#'],
  work: ['work'],
} as const;

const withoutBroker = inject('amqp') === null;

describe('the bus inside the process', () => contract(openLocalBus));
describe.skipIf(withoutBroker)(
  `the bus over RabbitMQ${withoutBroker ? ' (left out: needs RabbitMQ)' : ''}`,
  () => contract(openRabbitBus),
);

/** What everybody may rely on, whichever bus runs. */
function contract(open: (queues: typeof topology) => Promise<OpenBus>): void {
  let opened: OpenBus;
  let stop: AbortController;

  beforeEach(async () => {
    stop = new AbortController();
    opened = await open(topology);
    return async () => {
      stop.abort();
      await opened.close();
    };
  });

  const consume = (queue: string, handler: Handler, prefetch = 8) =>
    opened.bus.subscribe(queue, { prefetch, signal: stop.signal }, handler);

  /** As the outbox does: again, until all is safe. */
  async function send(messages: BusMessage[]): Promise<void> {
    for (;;) {
      try {
        return await opened.bus.publish(messages);
      } catch (error) {
        if (!(error instanceof PublishError)) throw error;
        await delay(20);
      }
    }
  }

  it('delivers a message as it was published, with all that belongs to it', async () => {
    const { received, handler } = recorder();
    await consume('one', handler);
    const sent = message('only.one', {
      id: `${randomUUID()}.0`,
      requestId: 'request-1',
      attempt: 3,
      body: { nested: [{ text: 'Zürich 🎫' }], no: null, amount: 1_000_000_000_000 },
    });
    const bare = message('only.one');
    await opened.bus.publish([sent, bare]);
    await expect.poll(() => received.length).toBe(2);
    expect(received.find(({ id }) => id === sent.id)).toEqual(sent);
    expect(received.find(({ id }) => id === bare.id)).toEqual(bare);
  });

  it('delivers a large message whole', async () => {
    const { received, handler } = recorder();
    await consume('one', handler);
    const large = message('only.one', { body: { text: 'x'.repeat(1_000_000) } });
    await opened.bus.publish([large]);
    await expect.poll(() => received.length).toBe(1);
    expect(received[0]).toEqual(large);
  });

  it('brings a message to every queue that wants its kind and to no other', async () => {
    const seen = { one: recorder(), star: recorder(), all: recorder() };
    for (const [queue, { handler }] of Object.entries(seen)) await consume(queue, handler);
    const kinds = ['order.paid', 'order.paid.late', 'order', 'gate.open', 'only.one'];
    await opened.bus.publish(kinds.map((kind) => message(kind)));
    const kindsOf = (name: keyof typeof seen) => seen[name].received.map(({ kind }) => kind).toSorted();
    await expect.poll(() => kindsOf('all')).toEqual(['order', 'order.paid', 'order.paid.late']);
    await expect.poll(() => kindsOf('star')).toEqual(['gate.open', 'order.paid']);
    await expect.poll(() => kindsOf('one')).toEqual(['only.one']);
    await delay(30);
    expect(Object.values(seen).map(({ received }) => received.length)).toEqual([1, 2, 3]);
  });

  it('brings a message that names its queue there alone, whatever its kind', async () => {
    const seen = { one: recorder(), star: recorder(), all: recorder(), work: recorder() };
    for (const [queue, { handler }] of Object.entries(seen)) await consume(queue, handler);
    const again = message('order.paid', { queue: 'all', attempt: 2 });
    const elsewhere = message('order.paid', { queue: 'work', id: again.id });
    await opened.bus.publish([again]);
    await opened.bus.publish([elsewhere]);
    await expect.poll(() => seen.all.received).toEqual([again]);
    await expect.poll(() => seen.work.received).toEqual([elsewhere]);
    await delay(30);
    expect([seen.one.received, seen.star.received]).toEqual([[], []]);
    const lost = message('order.paid', { queue: 'nowhere' });
    await expect(opened.bus.publish([lost])).rejects.toThrow(lost.id);
  });

  it('tells the first time that nobody had the message before', async () => {
    const told: number[] = [];
    await consume('work', async (_delivered, { deliveries }) => {
      told.push(deliveries);
      return 'done';
    });
    await opened.bus.publish([message('work')]);
    await expect.poll(() => told).toEqual([0]);
  });

  it('hands the dead letters of a queue over, those from before and those to come, each once it is taken', async () => {
    const [before, after, elsewhere] = [message('work'), message('work'), message('only.one')];
    for (const queue of ['work', 'one']) await consume(queue, async () => 'dead');
    await send([before]);
    const taken: string[] = [];
    let failures = 0;
    await opened.bus.takeDead('work', { signal: stop.signal }, async (dead) => {
      if (failures++ === 0) throw new Error('not yet');
      expect(dead).toMatchObject({ reason: 'failed', id: dead.message?.id });
      expect(JSON.parse(dead.content)).toEqual(dead.message);
      taken.push(dead.id);
    });
    await send([after, elsewhere]);
    await expect.poll(() => taken.toSorted()).toEqual([before.id, after.id].toSorted());
    expect(await opened.deadLetters('work')).toEqual([]);
    await expect.poll(() => opened.deadLetters('one')).toEqual([elsewhere.id]);
    await expect(
      opened.bus.takeDead('nowhere', { signal: stop.signal }, async () => undefined),
    ).rejects.toThrow('no queue nowhere');
  });

  it('refuses what no queue takes, names it, and delivers the rest', async () => {
    const { received, handler } = recorder();
    await consume('one', handler);
    const [lost, alsoLost, kept] = [message('nobody.wants'), message('order-paid'), message('only.one')];
    const refusal = await opened.bus.publish([lost, kept, alsoLost]).catch((error) => error);
    expect(refusal).toBeInstanceOf(PublishError);
    expect(refusal.message).toContain(lost.id);
    expect(refusal.message).toContain(alsoLost.id);
    expect(refusal.message).not.toContain(kept.id);
    expect(refusal.message).toMatch(/no queue takes nobody.wants/);
    await expect.poll(() => received.map(({ id }) => id)).toEqual([kept.id]);
  });

  it('keeps what comes before its consumer', async () => {
    const early = message('work');
    const sending = send([early]);
    await delay(50);
    const { received, handler } = recorder();
    await consume('work', handler);
    await sending;
    await expect.poll(() => received).toEqual([early]);
  });

  it('delivers a message whose handler failed again after growing pauses, while others flow', async () => {
    const [bad, good] = [message('work'), Array.from({ length: 20 }, () => message('work'))];
    const times: number[] = [];
    const { received, handler } = recorder();
    await consume(
      'work',
      async (delivered) => {
        if (delivered.id !== bad.id) return handler(delivered);
        times.push(performance.now());
        expect(delivered).toEqual(bad);
        if (times.length < 4 || received.length < good.length) throw new Error('not yet');
        return 'done';
      },
      2,
    );
    const sending = send([bad]);
    await send(good);
    await expect.poll(() => received.length).toBe(20);
    await sending;
    await expect.poll(() => times.length).toBeGreaterThanOrEqual(4);
    const pauses = times.slice(1).map((time, i) => time - (times[i] ?? 0));
    for (const [i, least] of [45, 95, 195].entries()) expect(pauses[i]).toBeGreaterThan(least);
    expect(await opened.deadLetters('work')).not.toContain(bad.id);
  });

  it(`makes a dead letter of a message that failed ${REDELIVERIES} times more`, async () => {
    const poison = message('work');
    let deliveries = 0;
    await consume('work', async () => {
      deliveries++;
      throw new Error('never');
    });
    await send([poison]);
    await expect.poll(() => opened.deadLetters('work'), { timeout: 10_000 }).toContain(poison.id);
    expect(deliveries).toBe(1 + REDELIVERIES);
  });

  it('makes a dead letter at once of what its handler calls dead, and goes on', async () => {
    const [dead, alive] = [message('work'), message('work')];
    const { received, handler } = recorder();
    await consume('work', async (delivered) => {
      await handler(delivered);
      return delivered.id === dead.id ? 'dead' : 'done';
    });
    await send([dead, alive]);
    await expect.poll(() => received.length).toBe(2);
    await expect.poll(() => opened.deadLetters('work')).toContain(dead.id);
    expect(await opened.deadLetters('work')).not.toContain(alive.id);
    expect(received.length).toBe(2);
  });

  it('hands out one at a time and in order when it is asked to', async () => {
    const messages = Array.from({ length: 30 }, () => message('work'));
    const { received, handler, most } = recorder(() => delay(1));
    await consume('work', handler, 1);
    await send(messages);
    await expect.poll(() => received.length).toBe(30);
    expect(received.map(({ id }) => id)).toEqual(messages.map(({ id }) => id));
    expect(most()).toBe(1);
  });

  it('never has more in hand than it was asked to, and uses all of that', async () => {
    const { received, handler, most } = recorder(() => delay(10));
    await consume('work', handler, 4);
    await send(Array.from({ length: 40 }, () => message('work')));
    await expect.poll(() => received.length).toBe(40);
    expect(most()).toBe(4);
  });

  it('shares a queue between its consumers, each message to one of them', async () => {
    const [first, second] = [recorder(() => delay(5)), recorder(() => delay(5))];
    await consume('work', first.handler, 2);
    await consume('work', second.handler, 2);
    const messages = Array.from({ length: 40 }, () => message('work'));
    await send(messages);
    await expect.poll(() => first.received.length + second.received.length).toBe(40);
    expect(first.received.length).toBeGreaterThan(5);
    expect(second.received.length).toBeGreaterThan(5);
    const ids = [...first.received, ...second.received].map(({ id }) => id);
    expect(new Set(ids)).toEqual(new Set(messages.map(({ id }) => id)));
  });

  it('finishes what is in hand when it stops, takes nothing more, and leaves the rest to others', async () => {
    let finish = () => {};
    const gate = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const before = recorder(() => gate);
    await consume('work', before.handler, 1);
    const messages = Array.from({ length: 5 }, () => message('work'));
    const sending = send(messages);
    await expect.poll(() => before.received.length).toBe(1);
    stop.abort();
    await delay(50);
    finish();
    stop = new AbortController();
    const after = recorder();
    await consume('work', after.handler);
    await sending;
    const [first, ...rest] = messages.map(({ id }) => id);
    const others = () => new Set(after.received.map(({ id }) => id).filter((id) => id !== first));
    await expect.poll(others).toEqual(new Set(rest));
    expect(before.received.map(({ id }) => id)).toEqual([first]);
  });

  it('gives nothing to a consumer that had stopped before it began', async () => {
    stop.abort();
    const late = recorder();
    await consume('work', late.handler);
    stop = new AbortController();
    const live = recorder();
    await consume('work', live.handler);
    await send(Array.from({ length: 10 }, () => message('work')));
    await expect.poll(() => live.received.length).toBe(10);
    expect(late.received).toEqual([]);
  });

  it('stops a consumer that ends while it begins', async () => {
    const late = recorder();
    const beginning = consume('work', late.handler);
    stop.abort();
    await beginning;
    stop = new AbortController();
    const live = recorder();
    await consume('work', live.handler);
    await send(Array.from({ length: 10 }, () => message('work')));
    await expect.poll(() => live.received.length).toBe(10);
    expect(late.received).toEqual([]);
  });

  it('does not know a queue that is not in its topology', async () => {
    await expect(consume('nowhere', async () => 'done')).rejects.toThrow('no queue nowhere');
  });

  it('closes when what is in hand is done, and takes nothing afterwards', async () => {
    const own = await open(topology);
    const { received, handler } = recorder(() => delay(100));
    let done = 0;
    await own.bus.subscribe('work', { prefetch: 3, signal: stop.signal }, async (delivered) => {
      const verdict = await handler(delivered);
      done++;
      return verdict;
    });
    expect(own.bus.ready()).toBe(true);
    const sending = own.bus.publish(Array.from({ length: 9 }, () => message('work'))).catch((error) => error);
    await expect.poll(() => received.length).toBeGreaterThanOrEqual(3);
    await own.bus.close();
    expect(done).toBe(received.length);
    expect(own.bus.ready()).toBe(false);
    await sending;
    const late = message('work');
    await expect(own.bus.publish([late])).rejects.toThrow(late.id);
    await delay(150);
    expect(done).toBe(received.length);
    await own.close();
  });
}

function message(kind: string, overrides: Partial<BusMessage> = {}): BusMessage {
  return {
    id: randomUUID(),
    kind,
    tenantId: randomUUID(),
    occurredAt: new Date().toISOString(),
    attempt: 0,
    body: { n: 1 },
    ...overrides,
  };
}

/** A handler that keeps what it gets, and how many it had at once. */
function recorder(work: () => Promise<unknown> = async () => undefined) {
  const received: BusMessage[] = [];
  let running = 0;
  let most = 0;
  const handler = async (delivered: BusMessage): Promise<Verdict> => {
    received.push(delivered);
    most = Math.max(most, ++running);
    await work();
    running--;
    return 'done';
  };
  return { received, handler, most: () => most };
}
