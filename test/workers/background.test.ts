import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createApp } from '../../src/api/app.ts';
import type { BusMessage } from '../../src/platform/bus.ts';
import { buy, openSale, putOnChain } from '../support/samples.ts';
import {
  createTestContext,
  createTestTenant,
  type TestContext,
  type TestTenant,
} from '../support/test-context.ts';
import { startWorkers, type TestWorkers } from '../support/test-workers.ts';

let ctx: TestContext;
let tenant: TestTenant;
let workers: TestWorkers;

beforeAll(async () => {
  ctx = await createTestContext();
  tenant = await createTestTenant(ctx, createApp(ctx));
});
afterAll(() => ctx.close());
beforeEach(async () => {
  workers = await startWorkers(ctx);
});
afterEach(() => workers.stop());

const query = async (text: string, ...values: unknown[]) =>
  (await ctx.database.owner.query(text, values)).rows;

function message(kind: string, body: object): BusMessage {
  const occurredAt = new Date().toISOString();
  return { id: `${randomUUID()}.0`, kind, tenantId: tenant.tenantId, occurredAt, attempt: 0, body };
}
const checkedIn = (eventId: string) =>
  message('ticket.checked_in', {
    ticketId: randomUUID(),
    eventId,
    scanId: randomUUID(),
    at: new Date().toISOString(),
  });

describe('the background service', () => {
  it('pays back and shows that it lives while its statistics stand still', async () => {
    const { event, type } = await openSale(tenant);
    const order = await buy(tenant.alice, type);
    const blocker = await ctx.database.owner.connect();
    try {
      await blocker.query('begin');
      await blocker.query('lock table event_statistics in access exclusive mode');
      const stuck = ctx.bus
        .publish(Array.from({ length: 2_000 }, () => checkedIn(event.id)))
        .catch((error) => error);
      await delay(300);
      const { status } = await tenant.support.post(
        `/orders/${order.orderId}/refund`,
        { reason: 'rain' },
        { key: randomUUID() },
      );
      expect(status).toBeLessThan(300);
      const asked = Date.now();
      await workers.until('the refund', async () => {
        const [row] = await query('select status from refunds where order_id = $1', order.orderId);
        return row?.status === 'succeeded';
      });
      await workers.until('the mail of it', async () =>
        workers.mails().some(({ text }) => text.includes('on their way back')),
      );
      expect(Date.now() - asked).toBeLessThan(4_000);
      const [beat] = await query(
        "select extract(epoch from now() - max(beat_at))::float8 as age from worker_heartbeats where worker = 'background'",
      );
      expect(beat.age).toBeLessThan(4);
      await blocker.query('commit');
      await stuck;
    } finally {
      await blocker.query('rollback');
      blocker.release();
    }
    await expect
      .poll(
        () =>
          query(
            "select sum(count)::integer as n from event_statistics where event_id = $1 and kind = 'ticket.checked_in'",
            event.id,
          ),
        { timeout: 30_000, interval: 200 },
      )
      .toEqual([{ n: 2_000 }]);
  });

  it('counts, records and writes once of what it is told twice and in no order', async () => {
    const { event, type } = await openSale(tenant, { event: { title: 'Macbeth' } });
    const order = await buy(tenant.bob, type, { quantity: 8, customerEmail: 'bob@example.com' });
    await workers.until('the record', async () => {
      const { body } = await tenant.bob.get(`/transactions/${order.transactionId}`);
      return body.status === 'completed';
    });
    const minted: BusMessage[] = [];
    for (const { id } of order.tickets) {
      await putOnChain(ctx, id);
      const wallet = '1'.repeat(40);
      const body = {
        ticketId: id,
        eventId: event.id,
        userId: 'bob',
        mint: wallet,
        owner: wallet,
        signature: 's',
      };
      minted.push(message('ticket.minted', body));
    }
    await ctx.bus.publish([...minted.toReversed(), ...minted.slice(0, 3)]);
    await Promise.all([ctx.bus.publish(minted), ctx.bus.publish(minted.slice(4))]);
    const aboutMint = () =>
      workers.mails('bob@example.com').filter(({ subject }) => subject.includes('on the chain'));
    await workers.until('the mail', async () => aboutMint().length > 0);
    await delay(200);
    expect(aboutMint().map(({ subject }) => subject)).toEqual([
      'Your 8 tickets for Macbeth are on the chain',
    ]);
    expect(
      await query(
        "select sum(count)::integer as n from event_statistics where event_id = $1 and kind = 'ticket.minted'",
        event.id,
      ),
    ).toEqual([{ n: 8 }]);
    expect(
      await query("select from audit_log where subject = $1 and action = 'order.completed'", order.orderId),
    ).toHaveLength(1);
    expect(await query('select * from failed_messages')).toEqual([]);
  });
});
