import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { topology } from '../../src/messages.ts';
import type { BusMessage } from '../../src/platform/bus.ts';
import { createRabbitBus } from '../../src/platform/bus-rabbit.ts';
import { addTenant } from '../platform/support/messaging.ts';
import { log, untilReady, withChannel } from '../platform/support/open-bus.ts';
import { deleteTopology } from '../support/delete-topology.ts';
import { type Child, runChild } from '../support/run-child.ts';
import { openTestDatabase, type TestDatabase } from '../support/test-database.ts';

const amqp = inject('amqp');
const KILLS = 14;
const MESSAGES = 900;

describe.skipIf(amqp === null)(
  `a background process that is killed ${KILLS} times${amqp ? '' : ' (left out: needs RabbitMQ)'}`,
  () => {
    let database: TestDatabase;
    let folder: string;
    const namespace = `test-${randomBytes(6).toString('hex')}.`;

    beforeAll(async () => {
      database = await openTestDatabase();
      folder = await mkdtemp(`${tmpdir()}/tessera-crashes-`);
    });
    afterAll(async () => {
      await deleteTopology(amqp ?? '', namespace);
      await rm(folder, { recursive: true });
      await database.drop();
    });

    const query = async (text: string, ...values: unknown[]) =>
      (await database.owner.query(text, values)).rows;

    it('loses nothing, does nothing twice, and gives up on no message', async () => {
      const tenantId = await addTenant(database);
      const eventId = randomUUID();
      await query(
        `insert into events (tenant_id, id, title, venue, starts_at, ends_at, currency, created_at, updated_at)
         values ($1, $2, 'Hamlet', 'The Globe', now() + interval '1 day', now() + interval '2 days', 'EUR', now(), now())`,
        tenantId,
        eventId,
      );
      await query(
        `insert into users (tenant_id, user_id, email) select $1, 'user-' || n, 'user-' || n || '@example.com' from generate_series(1, 50) n`,
        tenantId,
      );
      const messages = Array.from({ length: MESSAGES }, (_, i): BusMessage => {
        const base = { id: `${randomUUID()}.0`, tenantId, occurredAt: new Date().toISOString(), attempt: 0 };
        const ticketId = randomUUID();
        return i % 30 === 0
          ? {
              ...base,
              kind: 'waiting.offered',
              body: {
                entryId: ticketId,
                eventId,
                userId: `user-${i / 30 + 1}`,
                code: `OFF_${i}`,
                quantity: 1,
                expiresAt: base.occurredAt,
              },
            }
          : {
              ...base,
              kind: 'ticket.checked_in',
              body: { ticketId, eventId, scanId: ticketId, at: base.occurredAt },
            };
      });
      const bus = await createRabbitBus({ url: amqp ?? '', namespace, topology, log });
      await untilReady(bus);
      await bus.publish(messages);

      // Whoever is killed has most of them in hand: a slow disk keeps their effects from becoming visible.
      const holder = await database.owner.connect();
      await holder.query('begin');
      await holder.query('lock table event_statistics in access exclusive mode');
      const start = (): Child =>
        runChild('src/main/background.ts', {
          NODE_ENV: 'test',
          LOG_LEVEL: 'warn',
          DATABASE_URL: database.url('tessera_app'),
          DATABASE_RELAY_URL: database.url('tessera_relay'),
          AMQP_URL: amqp ?? '',
          AMQP_NAMESPACE: namespace,
          MAIL_FOLDER: folder,
        });
      const counted = Math.ceil((MESSAGES * 29) / 30);
      const queue = () => withChannel((channel) => channel.checkQueue(`${namespace}analytics`));
      for (let kill = 0; kill < KILLS; kill++) {
        const child = start();
        await expect
          .poll(async () => (await queue()).consumerCount, { timeout: 20_000, interval: 20 })
          .toBe(1);
        await expect
          .poll(async () => (await queue()).messageCount, { timeout: 20_000, interval: 20 })
          .toBeLessThan(counted);
        await delay(Math.random() * 100);
        await child.stop('SIGKILL');
        await expect
          .poll(async () => (await queue()).consumerCount, { timeout: 20_000, interval: 20 })
          .toBe(0);
      }
      await holder.query('commit');
      holder.release();

      const survivor = start();
      await expect
        .poll(() => query('select sum(count)::integer as n from event_statistics'), { timeout: 90_000 })
        .toEqual([{ n: counted }]);
      await delay(500);
      expect(await query('select sum(count)::integer as n from event_statistics')).toEqual([{ n: counted }]);
      expect(await query('select * from failed_messages where parked_at is not null')).toEqual([]);
      expect(await query('select * from stray_messages')).toEqual([]);
      for (const queue of Object.keys(topology)) {
        const { messageCount } = await withChannel((channel) =>
          channel.checkQueue(`${namespace}${queue}.dlq`),
        );
        expect(messageCount).toBe(0);
      }
      const letters = await query('select status, count(*)::integer as n from mails group by status');
      const uncertain = letters.find(({ status }) => status === 'sending')?.n ?? 0;
      expect(letters.reduce((sum, { n }) => sum + n, 0)).toBe(MESSAGES / 30);
      expect((await readdir(folder)).length).toBeGreaterThanOrEqual(MESSAGES / 30 - uncertain);
      expect((await readdir(folder)).length).toBeLessThanOrEqual(MESSAGES / 30);
      expect(await survivor.stop()).toBe(0);
      await bus.close();
    }, 300_000);
  },
);
