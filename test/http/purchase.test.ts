import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApp } from '../../src/api/app.ts';
import type { OrderAnswer } from '../../src/domain/orders/schema.ts';
import { buy, openSale, samplePurchase, sampleTicketType } from '../support/samples.ts';
import {
  createTestContext,
  createTestTenant,
  type TestContext,
  type TestTenant,
} from '../support/test-context.ts';

let ctx: TestContext;
let tenant: TestTenant;
let other: TestTenant;

beforeAll(async () => {
  ctx = await createTestContext();
  const app = createApp(ctx);
  tenant = await createTestTenant(ctx, app);
  other = await createTestTenant(ctx, app, 'Other');
});
afterAll(() => ctx.close());

const counters = async (eventId: string) =>
  (
    await ctx.database.owner.query('select capacity, held, sold, issued from inventory where event_id = $1', [
      eventId,
    ])
  ).rows[0];

describe('POST /tickets/purchase', () => {
  it('sells tickets, numbers them per type and counts them', async () => {
    const { event, type } = await openSale(tenant);
    const order = await buy(tenant.alice, type, { quantity: 3 });
    expect(order).toMatchObject({
      status: 'paid',
      quantity: 3,
      amountMinor: 7_500,
      currency: 'EUR',
      eventId: event.id,
    });
    expect(order.transactionId).toMatch(/^TXN_\d{14}_[0-9A-Z]{8}$/);
    expect(order.tickets.map((ticket) => ticket.ticketNumber)).toEqual([
      '001-0000001',
      '001-0000002',
      '001-0000003',
    ]);
    expect(await counters(event.id)).toEqual({ capacity: 100, held: 0, sold: 3, issued: 3 });
    const { body } = await tenant.alice.get<{ ticketTypes: unknown[] }>(`/events/${event.id}/availability`);
    expect(body.ticketTypes).toMatchObject([{ available: 97, sold: 3, held: 0 }]);
  });

  it('sells several types of two tenants at the same time, each with its own counter and numbers', async () => {
    const types = Array.from({ length: 6 }, (_, i) => sampleTicketType({ name: `Type ${i}`, capacity: 8 }));
    const deadlocks = async () =>
      (
        await ctx.database.owner.query(
          'select deadlocks from pg_stat_database where datname = current_database()',
        )
      ).rows[0].deadlocks;
    const before = await deadlocks();
    const sellOut = async (owner: TestTenant) => {
      const { event } = await openSale(owner, { event: { ticketTypes: types } });
      const asked = Array.from(
        { length: 60 },
        (_, i) => event.ticketTypes[i % 6] as (typeof event.ticketTypes)[0],
      );
      const answers = await Promise.all(
        asked.map((type) =>
          owner.alice.post<OrderAnswer>('/tickets/purchase', samplePurchase(type), { key: randomUUID() }),
        ),
      );
      expect(answers.filter(({ status }) => status === 201)).toHaveLength(48);
      expect(answers.filter(({ status }) => status === 409)).toHaveLength(12);
      const numbers = answers.flatMap(({ body }) => body.tickets?.map((ticket) => ticket.ticketNumber) ?? []);
      expect(numbers.sort()).toEqual(
        event.ticketTypes.flatMap((_, i) => Array.from({ length: 8 }, (_, n) => `00${i + 1}-000000${n + 1}`)),
      );
    };
    await Promise.all([sellOut(tenant), sellOut(other)]);
    expect(await deadlocks()).toEqual(before);
  });

  it('commits order, tickets, history, record and messages together', async () => {
    const { type } = await openSale(tenant);
    const order = await buy(tenant.alice, type, { quantity: 2 });
    const count = async (text: string) =>
      Number((await ctx.database.owner.query(text, [order.orderId])).rows[0].count);
    expect(await count('select count(*) from tickets where order_id = $1')).toBe(2);
    expect(
      await count(`select count(*) from ticket_state_transitions h join tickets t on t.id = h.ticket_id
      where t.order_id = $1 and h.from_status = 'reserved' and h.to_status = 'sold'`),
    ).toBe(2);
    expect(await count('select count(*) from event_ticket_transactions where order_id = $1')).toBe(1);
    const { rows } = await ctx.database.owner.query('select messages from outbox where id = $1', [
      order.orderId,
    ]);
    expect(rows[0].messages.map((message: { kind: string }) => message.kind)).toEqual([
      'ticket.purchased',
      'ticket.mint',
      'ticket.transactions',
      'ticket.capacity.updates',
    ]);
  });

  it('gives free tickets away without asking the payment provider', async () => {
    const { event, type } = await openSale(tenant, { type: { priceMinor: 0 } });
    const order = await buy(tenant.alice, type, { payment: undefined });
    expect(order).toMatchObject({ status: 'paid', amountMinor: 0 });
    expect(await counters(event.id)).toMatchObject({ sold: 1, held: 0 });
  });

  it('answers a repetition with the same key the same, and sells once', async () => {
    const { event, type } = await openSale(tenant);
    const key = randomUUID();
    const first = await tenant.alice.post('/tickets/purchase', samplePurchase(type), { key });
    const again = await tenant.alice.post('/tickets/purchase', samplePurchase(type), { key });
    expect([first.status, again.status]).toEqual([201, 201]);
    expect(again.body).toEqual(first.body);
    expect(await counters(event.id)).toMatchObject({ sold: 1 });
  });

  it('refuses a key that comes with another request', async () => {
    const { type } = await openSale(tenant);
    const key = randomUUID();
    await tenant.alice.post('/tickets/purchase', samplePurchase(type), { key });
    const changed = await tenant.alice.post('/tickets/purchase', samplePurchase(type, { quantity: 2 }), {
      key,
    });
    expect(changed).toMatchObject({ status: 422, body: { code: 'idempotency_key_reused' } });
  });

  it('keeps the keys of two buyers and of two tenants apart', async () => {
    const { type } = await openSale(tenant);
    const { type: foreign } = await openSale(other);
    const key = randomUUID();
    const answers = await Promise.all([
      tenant.alice.post<OrderAnswer>('/tickets/purchase', samplePurchase(type), { key }),
      tenant.bob.post<OrderAnswer>('/tickets/purchase', samplePurchase(type), { key }),
      other.alice.post<OrderAnswer>('/tickets/purchase', samplePurchase(foreign), { key }),
    ]);
    expect(answers.map((answer) => answer.status)).toEqual([201, 201, 201]);
    expect(new Set(answers.map((answer) => answer.body.orderId)).size).toBe(3);
  });

  it('frees the places of a refused payment and says so again on repetition', async () => {
    const { event, type } = await openSale(tenant, { type: { capacity: 1 } });
    const key = randomUUID();
    const declined = samplePurchase(type, { payment: { token: 'tok_declined' } });
    const first = await tenant.alice.post('/tickets/purchase', declined, { key });
    expect(first).toMatchObject({
      status: 402,
      body: { code: 'payment_failed', failureCode: 'card_declined' },
    });
    const again = await tenant.alice.post('/tickets/purchase', declined, { key });
    expect(again).toMatchObject({
      status: 402,
      body: { code: 'payment_failed', failureCode: 'card_declined' },
    });
    expect(await counters(event.id)).toMatchObject({ held: 0, sold: 0 });
    await buy(tenant.bob, type);
  });

  it('holds the places while the buyer confirms at the bank, and sells when they come back', async () => {
    const { event, type } = await openSale(tenant);
    const key = randomUUID();
    const input = samplePurchase(type, { payment: { token: 'tok_requires_action' } });
    const first = await tenant.alice.post<{ nextAction: { url: string }; orderId: string }>(
      '/tickets/purchase',
      input,
      { key },
    );
    expect(first).toMatchObject({
      status: 202,
      body: { status: 'pending', nextAction: { type: 'redirect' } },
    });
    expect(await counters(event.id)).toMatchObject({ held: 1, sold: 0 });
    const still = await tenant.alice.post('/tickets/purchase', input, { key });
    expect(still.status).toBe(202);
    const confirm = new URL(first.body.nextAction.url).pathname.replace('/api', '');
    expect(await tenant.alice.post(confirm)).toMatchObject({ status: 204 });
    const done = await tenant.alice.post<OrderAnswer>('/tickets/purchase', input, { key });
    expect(done).toMatchObject({ status: 201, body: { orderId: first.body.orderId, status: 'paid' } });
    expect(await counters(event.id)).toMatchObject({ held: 0, sold: 1 });
  });

  it('does not charge twice when the answer of the provider was lost', async () => {
    const { event, type } = await openSale(tenant);
    const key = randomUUID();
    const input = samplePurchase(type, { payment: { token: 'tok_timeout' } });
    const first = await tenant.alice.post('/tickets/purchase', input, { key });
    expect(first).toMatchObject({ status: 202, body: { status: 'pending', nextAction: null } });
    const again = await tenant.alice.post<OrderAnswer>('/tickets/purchase', input, { key });
    expect(again.status).toBe(201);
    const charges = await ctx.database.owner.query(
      'select count(*) from test_provider_charges c join payments p on p.id = c.reference where p.order_id = $1',
      [again.body.orderId],
    );
    expect(charges.rows[0].count).toBe('1');
    expect(await counters(event.id)).toMatchObject({ held: 0, sold: 1 });
  });

  it('sells the last ticket of 200 that want it exactly once', async () => {
    const { event, type } = await openSale(tenant, { type: { capacity: 1 } });
    const answers = await Promise.all(
      Array.from({ length: 200 }, () =>
        tenant.alice.post('/tickets/purchase', samplePurchase(type), { key: randomUUID() }),
      ),
    );
    const statuses = answers.map((answer) => answer.status);
    expect(statuses.filter((status) => status === 201)).toHaveLength(1);
    expect(statuses.filter((status) => status === 409)).toHaveLength(199);
    expect(answers.find((answer) => answer.status === 409)?.body).toMatchObject({
      code: 'sold_out',
      available: 0,
    });
    expect(await counters(event.id)).toMatchObject({ held: 0, sold: 1 });
  });

  it('fills the house exactly with orders of mixed size', async () => {
    const { event, type } = await openSale(tenant, { type: { capacity: 50, priceMinor: 0 } });
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, i) =>
        tenant.alice.post<OrderAnswer>(
          '/tickets/purchase',
          samplePurchase(type, { quantity: (i % 3) + 1, payment: undefined }),
          {
            key: randomUUID(),
          },
        ),
      ),
    );
    const sold = answers
      .filter(({ status }) => status === 201)
      .reduce((sum, { body }) => sum + body.tickets.length, 0);
    expect(sold).toBe(50);
    expect(await counters(event.id)).toMatchObject({ sold: 50, issued: 50 });
    const numbers = await ctx.database.owner.query(
      'select count(distinct ticket_number) from tickets where event_id = $1',
      [event.id],
    );
    expect(numbers.rows[0].count).toBe('50');
  });

  it.each([
    ['a quantity of 0', { quantity: 0 }],
    ['a quantity of 11', { quantity: 11 }],
    ['half a ticket', { quantity: 1.5 }],
    ['a quantity in quotes', { quantity: '2' }],
    ['a price of its own', { priceMinor: 1 }],
    ['an unknown key', { vip: true }],
    ['no e-mail address', { customerEmail: 'alice' }],
    ['a NUL', { customerName: 'a\0b' }],
    ['half a surrogate pair', { customerName: '\ud800' }],
    ['an endless name', { customerName: 'x'.repeat(101) }],
    ['an id that is none', { eventId: 'x' }],
  ])('refuses %s and writes nothing', async (_name, overrides) => {
    const { event, type } = await openSale(tenant);
    const answer = await tenant.alice.post('/tickets/purchase', samplePurchase(type, overrides), {
      key: randomUUID(),
    });
    expect(answer.status).toBe(400);
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
    expect(await counters(event.id)).toMatchObject({ held: 0, sold: 0, issued: 0 });
  });

  it('refuses a request without an idempotency key', async () => {
    const { type } = await openSale(tenant);
    const answer = await tenant.alice.post('/tickets/purchase', samplePurchase(type));
    expect(answer).toMatchObject({ status: 400, body: { code: 'validation_failed' } });
  });

  it.each([
    ['an inactive ticket type', { type: { isActive: false } }, 'not_on_sale'],
    ['a sale that has not begun', { type: { salesStartAt: '2199-01-01T00:00:00Z' } }, 'sales_not_open'],
    ['a sale that is over', { type: { salesEndAt: '2001-01-01T00:00:00Z' } }, 'sales_closed'],
    ['more than one order may hold', { type: { perOrderLimit: 2 }, quantity: 3 }, 'order_limit_exceeded'],
    ['more than there is', { type: { capacity: 2 }, quantity: 3 }, 'sold_out'],
  ])(
    'refuses %s',
    async (_name, { quantity = 1, ...sale }: { quantity?: number; event?: object; type?: object }, code) => {
      const { type } = await openSale(tenant, sale as Parameters<typeof openSale>[1]);
      const answer = await tenant.alice.post('/tickets/purchase', samplePurchase(type, { quantity }), {
        key: randomUUID(),
      });
      expect(answer).toMatchObject({ status: 409, body: { code } });
    },
  );

  it('does not know the ticket types of another tenant', async () => {
    const { type } = await openSale(other);
    const answer = await tenant.alice.post('/tickets/purchase', samplePurchase(type), { key: randomUUID() });
    expect(answer).toMatchObject({ status: 404, body: { code: 'not_found' } });
  });

  it('refuses scanners', async () => {
    const { type } = await openSale(tenant);
    const answer = await tenant.scanner.post('/tickets/purchase', samplePurchase(type), {
      key: randomUUID(),
    });
    expect(answer).toMatchObject({ status: 403, body: { code: 'forbidden' } });
  });
});
