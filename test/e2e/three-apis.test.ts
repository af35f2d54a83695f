import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { connect } from 'amqplib';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { EventView } from '../../src/domain/events/schema.ts';
import type { OrderAnswer } from '../../src/domain/orders/schema.ts';
import { findPort } from '../../src/main/embedded/find-port.ts';
import { waitFor } from '../../src/platform/retry.ts';
import { deleteTopology } from '../support/delete-topology.ts';
import { type Child, runChild } from '../support/run-child.ts';
import { sampleEvent, samplePurchase, sampleTicketType } from '../support/samples.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { DEAD_RPC, identity, issueToken, LOCAL_PROGRAM_ID } from '../support/test-context.ts';
import { openTestDatabase, type TestDatabase } from '../support/test-database.ts';

const amqp = inject('amqp');
const redis = inject('redis');

const CAPACITY = 20_000;
const APIS = 3;
const BUYERS_AT_EACH = 40;
/** A buyer who was told so often that all is sold goes home. */
const PATIENCE = 3;

type Sold = { key: string; orderId: string; numbers: string[] };

describe.skipIf(amqp === null || redis === null)(
  `${APIS} APIs that sell one event${amqp && redis ? '' : ' (left out: needs RabbitMQ and Redis)'}`,
  () => {
    let database: TestDatabase;
    let broker: TcpProxy;
    let folder: string;
    let env: Record<string, string>;
    let tenantId: string;
    let adminKey: string;
    let urls: string[];
    let cache: Redis;
    const children: Child[] = [];

    beforeAll(async () => {
      [database, broker, folder] = await Promise.all([
        openTestDatabase(),
        startTcpProxy(amqp ?? ''),
        mkdtemp(`${tmpdir()}/tessera-e2e-`),
      ]);
      const space = `test-${randomBytes(4).toString('hex')}`;
      env = {
        NODE_ENV: 'test',
        LOG_LEVEL: 'warn',
        RATE_LIMIT_PER_MINUTE: '1000000',
        DATABASE_URL: database.url('tessera_app'),
        DATABASE_RELAY_URL: database.url('tessera_relay'),
        DATABASE_LISTENER_URL: database.url('tessera_listener'),
        AMQP_URL: broker.url(amqp ?? ''),
        AMQP_NAMESPACE: `${space}.`,
        REDIS_URL: redis ?? '',
        REDIS_PREFIX: `${space}:`,
        CHAIN_RPC_URL: DEAD_RPC,
        CHAIN_PROGRAM_ID: LOCAL_PROGRAM_ID,
        MAIL_FOLDER: `${folder}/mail`,
        QR_MASTER_KEYS: `1:${randomBytes(32).toString('base64')}`,
        ...identity,
      };
      cache = new Redis(redis ?? '', { keyPrefix: '' });
      const opened = runChild('src/main/create-tenant.ts', env, ['Three APIs']);
      if ((await opened.ended) !== 0) throw new Error(opened.output());
      [, tenantId = '', adminKey = ''] = /tenant (\S+)\s+key\s+(\S+)/.exec(opened.output()) ?? [];
      urls = [];
      for (let api = 0; api < APIS; api++) {
        const port = await findPort(18_400 + api * 20);
        urls.push(`http://127.0.0.1:${port}`);
        children.push(runChild('src/main/api.ts', { ...env, HTTP_PORT: String(port) }));
      }
      children.push(runChild('src/main/background.ts', env));
      for (const url of urls) {
        const up = await waitFor(async () => (await fetch(`${url}/health/live`).catch(() => undefined))?.ok, {
          timeoutMs: 20_000,
          everyMs: 100,
        });
        if (!up) throw new Error(children.map((child) => child.output()).join('\n'));
      }
    }, 60_000);

    afterAll(async () => {
      const codes = await Promise.all(children.map((child) => child.stop()));
      await flushCache();
      cache.disconnect();
      await broker.close();
      await Promise.all([
        database.drop(),
        rm(folder, { recursive: true }),
        amqp && deleteTopology(amqp, env.AMQP_NAMESPACE ?? ''),
      ]);
      expect(codes, 'every process drains and exits 0').toEqual(codes.map(() => 0));
    }, 60_000);

    /** As FLUSHALL would do it to a server of our own. */
    async function flushCache(): Promise<number> {
      let flushed = 0;
      for await (const keys of cache.scanStream({ match: `${env.REDIS_PREFIX}*`, count: 1_000 }))
        if (keys.length > 0) flushed += await cache.unlink(...keys);
      return flushed;
    }

    const ask = async (text: string, values: unknown[] = []) =>
      (await database.owner.query(text, values)).rows;

    it(`sell its ${CAPACITY} tickets, each once, while Redis is flushed and RabbitMQ stands still`, async () => {
      const created = await fetch(`${urls[0]}/api/events`, {
        method: 'POST',
        headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
        body: JSON.stringify(sampleEvent({ ticketTypes: [sampleTicketType({ capacity: CAPACITY })] })),
      });
      const event = (await created.json()) as EventView;
      const [type] = event.ticketTypes as [EventView['ticketTypes'][0]];

      const sold: Sold[] = [];
      const refusals = new Map<string, number>();
      let places = 0;
      /** Buys until all is sold. An answer that is lost or says "later" is asked for again under its key. */
      const buyer = async (url: string, token: string, quantity: number): Promise<void> => {
        let soldOut = 0;
        let key = randomUUID();
        while (soldOut < PATIENCE) {
          const response = await fetch(`${url}/api/tickets/purchase`, {
            method: 'POST',
            headers: {
              authorization: `Bearer ${token}`,
              'content-type': 'application/json',
              'idempotency-key': key,
            },
            body: JSON.stringify(samplePurchase({ id: type.id, eventId: event.id }, { quantity })),
          });
          const body = (await response.json()) as OrderAnswer & { code?: string };
          if (response.status === 201) {
            sold.push({
              key,
              orderId: body.orderId,
              numbers: body.tickets.map((ticket) => ticket.ticketNumber),
            });
            places += body.quantity;
            key = randomUUID();
            continue;
          }
          refusals.set(String(body.code), (refusals.get(String(body.code)) ?? 0) + 1);
          if (body.code === 'sold_out') {
            soldOut++;
            key = randomUUID();
          }
        }
      };
      const faults = (async () => {
        const reached = (share: number) =>
          waitFor(async () => places > CAPACITY * share, { timeoutMs: 200_000, everyMs: 5 });
        await reached(0.2);
        await flushCache();
        await reached(0.3);
        broker.refuse(true);
        broker.cut();
        await reached(0.5);
        await flushCache();
        await reached(0.8);
        broker.refuse(false);
        return places;
      })();
      const begin = performance.now();
      const buyers = urls.flatMap((url, api) =>
        Array.from({ length: BUYERS_AT_EACH }, async (_, i) => {
          const token = await issueToken({ tenantId, subject: `buyer-${api}-${i}`, role: 'buyer' });
          // Every buyer buys ones in the end, so that nobody goes home while a ticket is left.
          if (i % 4 === 0) await buyer(url, token, 3);
          await buyer(url, token, 1);
        }),
      );
      await Promise.all(buyers);
      const seconds = (performance.now() - begin) / 1_000;
      expect(await faults).toBeLessThan(CAPACITY);
      console.info(
        `${CAPACITY} tickets in ${sold.length} orders at ${APIS} APIs in ${seconds.toFixed(1)} s`,
        refusals,
      );

      expect([...refusals.keys()]).toEqual(['sold_out']);
      expect(sold.flatMap(({ numbers }) => numbers)).toHaveLength(CAPACITY);
      expect(new Set(sold.flatMap(({ numbers }) => numbers)).size).toBe(CAPACITY);
      expect(new Set(sold.map(({ orderId }) => orderId)).size).toBe(sold.length);
      const [books] = await ask(
        `select i.capacity, i.sold, i.held,
             (select count(*)::integer from tickets) as tickets,
             (select count(*)::integer from orders where status = 'paid') as paid,
             (select count(*)::integer from orders where status <> 'paid') as other,
             (select count(*)::integer from test_provider_charges) as charges,
             (select count(*)::integer from event_ticket_transactions) as transactions
           from inventory i where i.ticket_type_id = $1`,
        [type.id],
      );
      const orders = sold.length;
      expect(books).toEqual({
        capacity: CAPACITY,
        sold: CAPACITY,
        held: 0,
        tickets: CAPACITY,
        paid: orders,
        other: 0,
        charges: orders,
        transactions: orders,
      });

      const told = await waitFor(
        async () => Number((await ask('select count(*) from outbox'))[0].count) === 0,
        { timeoutMs: 120_000, everyMs: 200 },
      );
      expect(told, children.at(-1)?.output().slice(-2_000)).toBe(true);
      expect(await readMints(orders)).toBe(CAPACITY);
    }, 300_000);

    /** How many tickets the messages in the mint queue name, each counted once; repeated messages are allowed. */
    async function readMints(orders: number): Promise<number> {
      const connection = await connect(amqp ?? '');
      const channel = await connection.createChannel();
      const queue = `${env.AMQP_NAMESPACE}ticket.mint`;
      const { messageCount } = await channel.checkQueue(queue);
      expect(messageCount).toBeGreaterThanOrEqual(orders);
      const tickets = new Set<string>();
      for (let left = messageCount; left > 0; left--) {
        const message = await channel.get(queue, { noAck: true });
        if (!message) break;
        for (const id of JSON.parse(message.content.toString()).body.ticketIds) tickets.add(id);
      }
      await connection.close();
      return tickets.size;
    }
  },
);
