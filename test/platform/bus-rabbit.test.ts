import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { type Bus, type BusMessage, PublishError } from '../../src/platform/bus.ts';
import { createRabbitBus } from '../../src/platform/bus-rabbit.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { log, rabbitSpace, rabbitUrl, untilReady, withChannel } from './support/open-bus.ts';

const topology = { work: ['work'], other: ['other'] } as const;
const withoutBroker = inject('amqp') === null;

describe.skipIf(withoutBroker)(
  `the bus when RabbitMQ misbehaves${withoutBroker ? ' (left out: needs RabbitMQ)' : ''}`,
  () => {
    let proxy: TcpProxy;
    let space: ReturnType<typeof rabbitSpace>;
    let stop: AbortController;
    let bus: Bus;
    let received: string[];

    beforeEach(async () => {
      proxy = await startTcpProxy(rabbitUrl());
      space = rabbitSpace(topology);
      stop = new AbortController();
      received = [];
    });
    afterEach(async () => {
      stop.abort();
      await bus.close();
      await proxy.close();
      await space.clear();
    });

    async function open(): Promise<void> {
      bus = await createRabbitBus({
        url: proxy.url(rabbitUrl()),
        topology,
        log,
        namespace: space.namespace,
        confirmTimeoutMs: 500,
      });
    }
    const consume = () =>
      bus.subscribe('work', { prefetch: 8, signal: stop.signal }, async ({ id }) => {
        received.push(id);
        return 'done';
      });

    /** As the outbox does: again, until it is safe. */
    async function send(message: BusMessage): Promise<number> {
      for (let refused = 0; ; refused++) {
        try {
          await bus.publish([message]);
          return refused;
        } catch (error) {
          if (!(error instanceof PublishError)) throw error;
          await delay(20);
        }
      }
    }

    it('connects by itself when the broker comes after us, with the consumers that were there before', async () => {
      proxy.refuse(true);
      await open();
      await consume();
      expect(bus.ready()).toBe(false);
      const early = message();
      await expect(bus.publish([early])).rejects.toThrow(`the broker is away: ${early.id}`);
      await delay(100);
      expect(bus.ready()).toBe(false);
      proxy.refuse(false);
      await send(early);
      await expect.poll(() => received).toEqual([early.id]);
    });

    it('goes on after the connection was cut, and loses nothing that it confirmed', async () => {
      await open();
      await untilReady(bus);
      await consume();
      const sent: string[] = [];
      let refusals = 0;
      for (let round = 0; round < 5; round++) {
        for (let i = 0; i < 20; i++) {
          const next = message();
          if (i === 10) proxy.cut();
          refusals += await send(next);
          sent.push(next.id);
        }
      }
      expect(refusals).toBeGreaterThan(0);
      await expect.poll(() => new Set(received), { timeout: 5_000 }).toEqual(new Set(sent));
    });

    it('delivers again what was in hand when the connection broke', async () => {
      await open();
      await untilReady(bus);
      let cut = false;
      const finished: string[] = [];
      await bus.subscribe('work', { prefetch: 1, signal: stop.signal }, async ({ id }) => {
        received.push(id);
        if (!cut) {
          cut = true;
          proxy.cut();
          await expect.poll(() => bus.ready()).toBe(false);
        }
        finished.push(id);
        return 'done';
      });
      const only = message();
      // Where the cut took its confirmation too, it was sent once more.
      const refusals = await send(only);
      await expect.poll(() => received.length, { timeout: 5_000 }).toBeGreaterThanOrEqual(2);
      await expectEmpty('work');
      expect(received.length).toBeLessThanOrEqual(2 + refusals);
      expect(new Set(received)).toEqual(new Set([only.id]));
      await expect.poll(() => finished).toEqual(received);
    });

    it('survives a connection that breaks at any step of being set up', async () => {
      let pieces = 0;
      let breakAt = 0;
      proxy.watch(() => ++pieces === breakAt);
      await open();
      await consume();
      // Cut before it is set up completely, it would wait longer each time.
      const untilSetUp = async () => {
        const probe = message();
        await send(probe);
        await expect.poll(() => received).toContain(probe.id);
      };
      await untilSetUp();
      for (breakAt of [1, 2, 3, 4, 6, 8, 11, 14, 17, 20]) {
        proxy.cut();
        await expect.poll(() => bus.ready(), { interval: 1 }).toBe(false);
        pieces = 0;
        await untilSetUp();
      }
      proxy.watch(undefined);
      // Whatever the broken set-ups left behind, one message is still one delivery.
      await delay(300);
      received = [];
      const only = message();
      await send(only);
      await expect.poll(() => received).toEqual([only.id]);
      await delay(100);
      expect(received).toEqual([only.id]);
    });

    it('does not wait for a confirmation for ever', async () => {
      await open();
      await untilReady(bus);
      proxy.swallow(true);
      const started = performance.now();
      await expect(bus.publish([message()])).rejects.toThrow('not confirmed in time');
      expect(performance.now() - started).toBeLessThan(1_500);
    });

    it('closes although the broker says nothing', async () => {
      await open();
      await untilReady(bus);
      proxy.swallow(true);
      const started = performance.now();
      await bus.close();
      expect(performance.now() - started).toBeLessThan(4_000);
    });

    it('makes a queue again that somebody deleted, and goes on consuming', async () => {
      await open();
      await untilReady(bus);
      await consume();
      await withChannel((channel) => channel.deleteQueue(`${space.namespace}work`));
      const after = message();
      await send(after);
      await expect.poll(() => received, { timeout: 5_000 }).toContain(after.id);
    });

    it('puts what is no message of ours to the dead letters, and the others flow', async () => {
      await open();
      await untilReady(bus);
      await consume();
      const good = message();
      const malformed = [
        'not JSON',
        '',
        'null',
        '[]',
        '"text"',
        '{}',
        JSON.stringify({ ...good, id: 7 }),
        JSON.stringify({ ...good, tenantId: undefined }),
        JSON.stringify({ ...good, occurredAt: 0 }),
        JSON.stringify({ ...good, attempt: 'often' }),
        '\u0000\u0001',
      ];
      await withChannel(async (channel) => {
        for (const text of malformed) {
          channel.publish(`${space.namespace}tessera`, 'work', Buffer.from(text), { persistent: true });
        }
        channel.publish(`${space.namespace}tessera`, 'work', Buffer.from([0xff, 0xfe]), {});
        await channel.waitForConfirms();
      });
      await send(good);
      await expect.poll(() => received).toEqual([good.id]);
      await expect.poll(() => count('work.dlq')).toBe(malformed.length + 1);
      expect(received).toEqual([good.id]);
    });

    it('asks the broker to keep messages, and marks them for who looks into a queue', async () => {
      await open();
      await untilReady(bus);
      const sent = message('other');
      await bus.publish([sent]);
      await withChannel(async (channel) => {
        const raw = await channel.get(`${space.namespace}other`, { noAck: true });
        if (!raw) throw new Error('the queue is empty');
        expect(raw.properties).toMatchObject({
          deliveryMode: 2,
          messageId: sent.id,
          contentType: 'application/json',
        });
        expect(JSON.parse(raw.content.toString())).toEqual(sent);
      });
    });

    it('never makes a dead letter of a message whose consumers die, and tells how often they did', async () => {
      await open();
      await untilReady(bus);
      let alive = false;
      const told: number[] = [];
      await bus.subscribe('work', { prefetch: 8, signal: stop.signal }, async ({ id }, { deliveries }) => {
        told.push(deliveries);
        // A process that dies answers no more.
        if (!alive) return new Promise(() => undefined);
        received.push(id);
        return 'done';
      });
      const healthy = message();
      await send(healthy);
      for (let deaths = 0; deaths < 12; deaths++) {
        await expect.poll(() => told.length, { timeout: 5_000 }).toBe(deaths + 1);
        if (deaths === 11) alive = true;
        proxy.cut();
        await expect.poll(() => bus.ready(), { timeout: 5_000, interval: 5 }).toBe(false);
      }
      await expect.poll(() => received, { timeout: 5_000 }).toEqual([healthy.id]);
      expect(told).toEqual(Array.from({ length: 13 }, (_, i) => i));
      expect(await count('work.dlq')).toBe(0);
      bus = silent(bus);
    });

    it('uses a queue that an earlier version made, and tells what its limit on deliveries made dead', async () => {
      const earlier = {
        'x-queue-type': 'quorum',
        'x-delivery-limit': 2,
        'x-dead-letter-exchange': `${space.namespace}tessera.dead`,
        'x-dead-letter-routing-key': `${space.namespace}work`,
        'x-dead-letter-strategy': 'at-least-once',
        'x-overflow': 'reject-publish',
      };
      await withChannel((channel) =>
        channel.assertQueue(`${space.namespace}work`, { durable: true, arguments: earlier }),
      );
      await open();
      await untilReady(bus);
      const handed: string[] = [];
      await bus.subscribe('work', { prefetch: 8, signal: stop.signal }, async ({ id }) => {
        handed.push(id);
        return new Promise(() => undefined);
      });
      const dead: string[] = [];
      await bus.takeDead('work', { signal: stop.signal }, async ({ id, reason, message: known }) => {
        dead.push(`${id} ${reason} ${known?.kind}`);
      });
      const unlucky = message();
      await send(unlucky);
      for (let deaths = 0; deaths < 3; deaths++) {
        await expect.poll(() => handed.length, { timeout: 5_000 }).toBe(deaths + 1);
        proxy.cut();
        await expect.poll(() => bus.ready(), { timeout: 5_000, interval: 5 }).toBe(false);
      }
      await expect.poll(() => dead, { timeout: 5_000 }).toEqual([`${unlucky.id} undelivered work`]);
      bus = silent(bus);
    });

    it('declares queues that survive a node, bound their size by refusal and keep their dead', async () => {
      await open();
      await untilReady(bus);
      const declared = {
        'x-queue-type': 'quorum',
        'x-delivery-limit': 1_000,
        'x-dead-letter-exchange': `${space.namespace}tessera.dead`,
        'x-dead-letter-routing-key': `${space.namespace}work`,
        'x-dead-letter-strategy': 'at-least-once',
        'x-overflow': 'reject-publish',
      };
      // Declaring a queue again with anything else is an error of the channel.
      await withChannel((channel) =>
        channel.assertQueue(`${space.namespace}work`, { durable: true, arguments: declared }),
      );
      const other = { ...declared, 'x-delivery-limit': 6 };
      await expect(
        withChannel(async (channel) => {
          channel.on('error', () => undefined);
          await channel.assertQueue(`${space.namespace}work`, { durable: true, arguments: other });
        }),
      ).rejects.toThrow('PRECONDITION_FAILED');
    });

    /** One whose handlers never end does not close by itself. */
    function silent(open: Bus): Bus {
      return { ...open, close: async () => proxy.cut() };
    }

    function message(kind = 'work'): BusMessage {
      const [id, tenantId] = [randomUUID(), randomUUID()];
      return { id, kind, tenantId, occurredAt: new Date().toISOString(), attempt: 0, body: {} };
    }

    const count = (queue: string) =>
      withChannel(async (channel) => (await channel.checkQueue(`${space.namespace}${queue}`)).messageCount);

    /** Nothing waits, and nothing is held by a consumer that could let it go. */
    async function expectEmpty(queue: string): Promise<void> {
      stop.abort();
      await bus.close();
      expect(await count(queue)).toBe(0);
    }
  },
);
