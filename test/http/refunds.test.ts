import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApp } from '../../src/api/app.ts';
import type { OrderAnswer } from '../../src/domain/orders/schema.ts';
import type { BookingView } from '../../src/domain/payments/schema.ts';
import { sendDueRefunds } from '../../src/domain/payments/send-refund.ts';
import { toTenantId } from '../../src/platform/ids.ts';
import { enqueue } from '../../src/platform/outbox.ts';
import { withTenant } from '../../src/platform/tenant-tx.ts';
import { booksOf, paymentOf } from '../support/provider-books.ts';
import { buy, changeTicket, openSale, samplePurchase } from '../support/samples.ts';
import { createStripeContext } from '../support/stripe-context.ts';
import { type StripeServer, startStripeServer } from '../support/stripe-server.ts';
import { createTestClock, MINUTE, type TestClock } from '../support/test-clock.ts';
import {
  type Client,
  createTestContext,
  createTestTenant,
  type TestContext,
  type TestTenant,
} from '../support/test-context.ts';
import { startWorkers, type TestWorkers } from '../support/test-workers.ts';

let ctx: TestContext;
let clock: TestClock;
let tenant: TestTenant;
let other: TestTenant;
let workers: TestWorkers;

beforeAll(async () => {
  clock = createTestClock();
  ctx = await createTestContext({ clock });
  const app = createApp(ctx);
  tenant = await createTestTenant(ctx, app);
  other = await createTestTenant(ctx, app, 'Other');
  workers = await startWorkers(ctx);
});
afterAll(async () => {
  await workers.stop();
  await ctx.close();
});

const query = async (text: string, values: unknown[] = []) =>
  (await ctx.database.owner.query(text, values)).rows;
const counters = async (typeId: string) =>
  (await query('select held, sold from inventory where ticket_type_id = $1', [typeId]))[0];
const statuses = async (orderId: string) =>
  (await query('select status from tickets where order_id = $1 order by status', [orderId])).map(
    ({ status }) => status,
  );

const refund = (client: Client, orderId: string, body: Record<string, unknown> = {}, key = randomUUID()) =>
  client.post<BookingView & { code: string }>(
    `/orders/${orderId}/refund`,
    { reason: 'rain', ...body },
    { key },
  );
const cancel = (client: Client, orderId: string, key = randomUUID()) =>
  client.delete<BookingView & { code: string }>(`/bookings/${orderId}`, { key });
const idOf = (order: OrderAnswer, i: number): string => order.tickets[i]?.id ?? '';
const paidBack = async (orderId: string, amount: number) => {
  await workers.until('the money', async () => (await booksOf(ctx, orderId))?.paidBack === amount);
};

describe('POST /orders/{id}/refund', () => {
  it('pays all of an order back, ends its tickets and puts the places on sale again', async () => {
    const { event, type } = await openSale(tenant, { type: { capacity: 3 } });
    const order = await buy(tenant.alice, type, { quantity: 3 });
    const answer = await refund(tenant.support, order.orderId);
    expect(answer).toMatchObject({
      status: 200,
      body: { status: 'refunded', refunds: [{ amountMinor: 7_500, status: 'requested', reason: 'rain' }] },
    });
    expect(await statuses(order.orderId)).toEqual(['refunded', 'refunded', 'refunded']);
    expect(await counters(type.id)).toEqual({ held: 0, sold: 0 });
    const { body } = await tenant.bob.get(`/events/${event.id}/availability`);
    expect(body.ticketTypes).toMatchObject([{ available: 3, sold: 0 }]);
    await buy(tenant.bob, type, { quantity: 3 });
    await paidBack(order.orderId, 7_500);
    expect(await booksOf(ctx, order.orderId)).toEqual({ charged: 7_500, paidBack: 7_500 });
    expect(await tenant.alice.get(`/bookings/${order.orderId}`)).toMatchObject({
      body: { refunds: [{ status: 'succeeded' }] },
    });
  });

  it('tells the chain and the buyer of every ticket that ended', async () => {
    const { type } = await openSale(tenant);
    const customerEmail = `${randomUUID()}@example.com`;
    const order = await buy(tenant.alice, type, { quantity: 2, customerEmail });
    await refund(tenant.organiser, order.orderId);
    const revoked = await workers.until('the work for the chain', async () => {
      const ids = workers
        .chainWork('ticket.revoked')
        .map(({ body }) => (body as { ticketId: string }).ticketId);
      const own = order.tickets.filter(({ id }) => ids.includes(id));
      return own.length === 2 && own;
    });
    expect(revoked).toHaveLength(2);
    await workers.until('the mail', async () =>
      workers.mails(customerEmail).some(({ text }) => text.includes('50.00 EUR are on their way back')),
    );
  });

  it('pays single tickets back, and the rest of the money with the last', async () => {
    const { type } = await openSale(tenant, { type: { priceMinor: 333 } });
    const code = await tenant.organiser.post('/promo-codes', {
      code: `R${Date.now()}`,
      amountMinor: 100,
      currency: 'EUR',
    });
    const order = await buy(tenant.alice, type, { quantity: 3, promoCode: code.body.code });
    expect(order.amountMinor).toBe(899);
    const first = await refund(tenant.support, order.orderId, { ticketIds: [idOf(order, 0)] });
    expect(first.body).toMatchObject({ status: 'paid', refunds: [{ amountMinor: 299 }] });
    expect(await statuses(order.orderId)).toEqual(['refunded', 'sold', 'sold']);
    expect(await counters(type.id)).toEqual({ held: 0, sold: 2 });
    const rest = await refund(tenant.support, order.orderId);
    expect(rest.body).toMatchObject({
      status: 'refunded',
      refunds: [{ amountMinor: 299 }, { amountMinor: 600 }],
    });
    await paidBack(order.orderId, 899);
  });

  it('gives an amount back while the tickets stay valid', async () => {
    const { type } = await openSale(tenant);
    const order = await buy(tenant.alice, type);
    const gesture = await refund(tenant.support, order.orderId, { amountMinor: 500 });
    expect(gesture).toMatchObject({ status: 200, body: { status: 'paid', refunds: [{ amountMinor: 500 }] } });
    expect(await statuses(order.orderId)).toEqual(['sold']);
    expect(await tenant.alice.get(`/tickets/${idOf(order, 0)}/qr`)).toMatchObject({ status: 200 });
    const whole = await refund(tenant.support, order.orderId);
    expect(whole.body.refunds.map(({ amountMinor }) => amountMinor)).toEqual([500, 2_000]);
    await paidBack(order.orderId, 2_500);
  });

  it('takes what is left when a ticket’s share is no longer there', async () => {
    const { type } = await openSale(tenant);
    const order = await buy(tenant.alice, type, { quantity: 2 });
    await refund(tenant.support, order.orderId, { amountMinor: 4_000 });
    const ticket = await refund(tenant.support, order.orderId, { ticketIds: [idOf(order, 0)] });
    expect(ticket).toMatchObject({ status: 200 });
    expect(ticket.body.refunds.map(({ amountMinor }) => amountMinor)).toEqual([4_000, 1_000]);
  });

  it('never promises more than was paid, however many ask at once', async () => {
    const { type } = await openSale(tenant);
    const order = await buy(tenant.alice, type, { quantity: 4 });
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => refund(tenant.support, order.orderId, { amountMinor: 3_000 })),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(3);
    const refused = answers.filter(({ status }) => status !== 200);
    expect(new Set(refused.map(({ status, body }) => `${status} ${body.code}`))).toEqual(
      new Set(['409 refund_too_large']),
    );
    expect(await paymentOf(ctx, order.orderId)).toMatchObject({ amount: 10_000, refunded: 9_000 });
    await paidBack(order.orderId, 9_000);
  });

  it('meets whole and partial refunds, amounts and a cancellation without a cent too much', async () => {
    const { type } = await openSale(tenant);
    const order = await buy(tenant.alice, type, { quantity: 4 });
    const { orderId } = order;
    const answers = await Promise.all([
      refund(tenant.support, orderId),
      refund(tenant.organiser, orderId),
      cancel(tenant.alice, orderId),
      ...order.tickets.map(({ id }) => refund(tenant.support, orderId, { ticketIds: [id] })),
      ...Array.from({ length: 5 }, () => refund(tenant.support, orderId, { amountMinor: 700 })),
    ]);
    expect(answers.every(({ status }) => status === 200 || status === 409)).toBe(true);
    const { refunded } = await paymentOf(ctx, orderId);
    expect(refunded).toBeLessThanOrEqual(10_000);
    expect(new Set(await statuses(orderId))).not.toContain('sold');
    expect(await counters(type.id)).toEqual({ held: 0, sold: 0 });
    const rows = await query('select sum(amount_minor)::integer as sum from refunds where order_id = $1', [
      orderId,
    ]);
    expect(rows[0].sum).toBe(refunded);
    await paidBack(orderId, refunded);
  });

  it('locks the counter before the order, as a settlement does, so that the two never wait for each other', async () => {
    const { type } = await openSale(tenant);
    const order = await buy(tenant.alice, type);
    const settlement = await ctx.database.owner.connect();
    try {
      await settlement.query('begin');
      await settlement.query('select from inventory where ticket_type_id = $1 for update', [type.id]);
      const cancelled = cancel(tenant.alice, order.orderId);
      await workers.until('the cancellation to wait', async () => {
        const [row] = await query(
          `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
        );
        return row !== undefined;
      });
      await settlement.query('select from orders where id = $1 for update nowait', [order.orderId]);
      await settlement.query('rollback');
      expect((await cancelled).status).toBe(200);
    } finally {
      settlement.release();
    }
  });

  it('answers a repetition the same, and refuses the key with another request', async () => {
    const { type } = await openSale(tenant);
    const order = await buy(tenant.alice, type);
    const key = randomUUID();
    const first = await refund(tenant.support, order.orderId, { amountMinor: 100 }, key);
    const again = await refund(tenant.support, order.orderId, { amountMinor: 100 }, key);
    expect(again.body).toEqual(first.body);
    expect(await refund(tenant.support, order.orderId, { amountMinor: 200 }, key)).toMatchObject({
      status: 422,
      body: { code: 'idempotency_key_reused' },
    });
    expect(await paymentOf(ctx, order.orderId)).toMatchObject({ refunded: 100 });
  });

  it.each<[string, Record<string, unknown>]>([
    ['an amount of 0', { amountMinor: 0 }],
    ['a negative amount', { amountMinor: -1 }],
    ['half a cent', { amountMinor: 0.5 }],
    ['an amount in quotes', { amountMinor: '100' }],
    ['an amount together with tickets', { amountMinor: 1, ticketIds: [randomUUID()] }],
    ['no tickets', { ticketIds: [] }],
    ['no reason', { reason: '' }],
    ['a currency of its own', { currency: 'USD' }],
  ])('refuses %s and promises nothing', async (_name, body) => {
    const { type } = await openSale(tenant);
    const order = await buy(tenant.alice, type);
    expect(await refund(tenant.support, order.orderId, body)).toMatchObject({
      status: 400,
      body: { code: 'validation_failed' },
    });
    expect(await paymentOf(ctx, order.orderId)).toMatchObject({ refunded: 0 });
  });

  it('refuses tickets of another order, one and the same twice, and those that were used or given away', async () => {
    const { type } = await openSale(tenant);
    const order = await buy(tenant.alice, type, { quantity: 2 });
    const foreign = await buy(tenant.alice, type);
    const [mine, given] = [idOf(order, 0), idOf(order, 1)];
    const foreignTicket = await refund(tenant.support, order.orderId, {
      ticketIds: [mine, idOf(foreign, 0)],
    });
    expect(foreignTicket).toMatchObject({ status: 404, body: { code: 'not_found' } });
    expect((await refund(tenant.support, order.orderId, { ticketIds: [mine, mine] })).status).toBe(400);
    await changeTicket(ctx, given, { user_id: 'bob' });
    expect(await refund(tenant.support, order.orderId, { ticketIds: [given] })).toMatchObject({
      status: 409,
      body: { code: 'ticket_transferred', ticketId: given },
    });
    expect(await refund(tenant.support, order.orderId)).toMatchObject({
      status: 409,
      body: { code: 'ticket_transferred' },
    });
    await changeTicket(ctx, mine, { status: 'minting' });
    await changeTicket(ctx, mine, { status: 'active' });
    await changeTicket(ctx, mine, { status: 'checked_in' });
    expect(await refund(tenant.support, order.orderId, { ticketIds: [mine] })).toMatchObject({
      status: 409,
      body: { code: 'ticket_not_refundable', ticketStatus: 'checked_in' },
    });
    expect(await paymentOf(ctx, order.orderId)).toMatchObject({ refunded: 0 });
  });

  it('is for staff of the tenant', async () => {
    const { type } = await openSale(tenant);
    const order = await buy(tenant.alice, type);
    expect((await refund(tenant.alice, order.orderId)).status).toBe(403);
    expect((await refund(tenant.scanner, order.orderId)).status).toBe(403);
    expect((await refund(other.support, order.orderId)).status).toBe(404);
    expect((await refund(tenant.support, randomUUID())).status).toBe(404);
    expect(await paymentOf(ctx, order.orderId)).toMatchObject({ refunded: 0 });
  });

  it('has nothing to pay back for what was free, but ends the tickets', async () => {
    const { type } = await openSale(tenant, { type: { priceMinor: 0 } });
    const order = await buy(tenant.alice, type, { payment: undefined });
    expect(await refund(tenant.support, order.orderId, { amountMinor: 1 })).toMatchObject({
      status: 409,
      body: { code: 'refund_too_large' },
    });
    expect(await refund(tenant.support, order.orderId)).toMatchObject({
      status: 200,
      body: { status: 'refunded', refunds: [] },
    });
    expect(await counters(type.id)).toEqual({ held: 0, sold: 0 });
  });
});

describe('DELETE /bookings/{id}', () => {
  it('is the buyer’s right until the event begins, and staff’s afterwards', async () => {
    const { event, type } = await openSale(tenant);
    const [early, late] = [await buy(tenant.alice, type), await buy(tenant.alice, type)];
    expect((await cancel(tenant.bob, early.orderId)).status).toBe(404);
    expect((await cancel(other.alice, early.orderId)).status).toBe(404);
    expect(await cancel(tenant.alice, early.orderId)).toMatchObject({
      status: 200,
      body: { status: 'cancelled', refunds: [{ amountMinor: 2_500 }] },
    });
    await query(`update events set starts_at = $2 where id = $1`, [
      event.id,
      new Date(clock.now().getTime() - MINUTE),
    ]);
    expect(await cancel(tenant.alice, late.orderId)).toMatchObject({
      status: 409,
      body: { code: 'event_started' },
    });
    expect((await cancel(tenant.support, late.orderId)).status).toBe(200);
    await paidBack(late.orderId, 2_500);
  });

  it.each([
    ['still waits for its buyer at the bank', 'tok_requires_action', 'failed', 0],
    ['was paid, and nobody knows it yet', 'tok_timeout', 'cancelled', 2_500],
  ])('calls off also what %s', async (_name, token, status, amount) => {
    const { type } = await openSale(tenant, { type: { capacity: 1 } });
    const pending = await tenant.alice.post<{ orderId: string; nextAction: { url: string } | null }>(
      '/tickets/purchase',
      samplePurchase(type, { payment: { token } }),
      { key: randomUUID() },
    );
    expect(pending.status).toBe(202);
    const { orderId, nextAction } = pending.body;
    expect((await cancel(tenant.bob, orderId)).status).toBe(404);
    expect((await cancel(other.organiser, orderId)).status).toBe(404);
    expect(await paymentOf(ctx, orderId)).toMatchObject({ orderStatus: 'pending' });
    const key = randomUUID();
    const callOff = () => tenant.alice.delete(`/bookings/${orderId}`, { key });
    expect(await callOff()).toMatchObject({ status: 200, body: { status } });
    expect(await callOff()).toMatchObject({ status: 200, body: { status } });
    expect(await counters(type.id)).toEqual({ held: 0, sold: 0 });
    if (nextAction) {
      const late = await tenant.alice.post(new URL(nextAction.url).pathname.replace('/api', ''));
      expect(late.status).toBe(404);
    }
    await paidBack(orderId, amount);
    expect(await booksOf(ctx, orderId)).toEqual({ charged: amount, paidBack: amount });
  });

  it('leaves an order alone whose call comes under the key of another', async () => {
    const { type } = await openSale(tenant);
    const key = randomUUID();
    const first = await buy(tenant.alice, type);
    expect((await tenant.alice.delete(`/bookings/${first.orderId}`, { key })).status).toBe(200);
    const { body } = await tenant.alice.post<{ orderId: string }>(
      '/tickets/purchase',
      samplePurchase(type, { payment: { token: 'tok_requires_action' } }),
      { key: randomUUID() },
    );
    expect(await tenant.alice.delete(`/bookings/${body.orderId}`, { key })).toMatchObject({ status: 422 });
    expect(await paymentOf(ctx, body.orderId)).toMatchObject({ orderStatus: 'pending' });
  });

  it('happens once, however many ask for it at once', async () => {
    const { type } = await openSale(tenant);
    const order = await buy(tenant.alice, type, { quantity: 2 });
    const answers = await Promise.all(Array.from({ length: 10 }, () => cancel(tenant.alice, order.orderId)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.filter(({ body }) => body.code === 'order_not_paid')).toHaveLength(9);
    expect(await counters(type.id)).toEqual({ held: 0, sold: 0 });
    await paidBack(order.orderId, 5_000);
  });

  it('does not pay for a ticket that was revoked for fraud', async () => {
    const { type } = await openSale(tenant);
    const order = await buy(tenant.alice, type, { quantity: 2 });
    const revoke = (id: string) =>
      tenant.support.post(`/tickets/${id}/revoke`, { reason: 'fraud' }, { key: randomUUID() });
    expect((await revoke(idOf(order, 0))).status).toBe(200);
    expect(await cancel(tenant.alice, order.orderId)).toMatchObject({
      status: 200,
      body: { status: 'cancelled', refunds: [{ amountMinor: 2_500 }] },
    });
    const frauds = await buy(tenant.alice, type);
    await revoke(idOf(frauds, 0));
    expect(await cancel(tenant.alice, frauds.orderId)).toMatchObject({
      status: 409,
      body: { code: 'nothing_to_refund' },
    });
    expect(await paymentOf(ctx, frauds.orderId)).toMatchObject({ refunded: 0, orderStatus: 'paid' });
  });

  it('pays the ticket once that was revoked for the buyer’s sake before such were sent to the refund', async () => {
    const { event, type } = await openSale(tenant);
    const order = await buy(tenant.alice, type, { quantity: 2 });
    await refund(tenant.support, order.orderId, { amountMinor: 1_000 });
    const ticketId = idOf(order, 0);
    await changeTicket(ctx, ticketId, { status: 'revoked', status_reason: 'cancelled' });
    const body = { ticketId, eventId: event.id, userId: 'alice', reason: 'cancelled' };
    await withTenant(ctx.db, toTenantId(tenant.tenantId), (tx) =>
      enqueue(tx, clock.now(), [{ kind: 'ticket.revoked', body }]),
    );
    expect((await cancel(tenant.alice, order.orderId)).status).toBe(200);
    await paidBack(order.orderId, 5_000);
    expect(await paymentOf(ctx, order.orderId)).toMatchObject({ amount: 5_000, refunded: 5_000 });
    const parked = await query(
      `select error from failed_messages where consumer = 'payments' and parked_at is not null`,
    );
    expect(parked).toEqual([]);
  });

  it('gives the use of a promotion code back', async () => {
    const { type } = await openSale(tenant);
    const { body: code } = await tenant.organiser.post('/promo-codes', {
      code: `C${Date.now()}`,
      percent: 50,
      maxRedemptions: 1,
    });
    const order = await buy(tenant.alice, type, { promoCode: code.code });
    const again = samplePurchase(type, { promoCode: code.code });
    expect(await tenant.bob.post('/tickets/purchase', again, { key: randomUUID() })).toMatchObject({
      status: 409,
      body: { code: 'promo_exhausted' },
    });
    await cancel(tenant.alice, order.orderId);
    expect(await tenant.bob.post('/tickets/purchase', again, { key: randomUUID() })).toMatchObject({
      status: 201,
      body: { amountMinor: 1_250 },
    });
  });
});

describe('a refund at a gateway that does not play along', () => {
  let server: StripeServer;
  let paid: TestContext;
  let shop: TestTenant;
  let time: TestClock;

  beforeAll(async () => {
    server = await startStripeServer();
    time = createTestClock();
    paid = await createStripeContext(server, { clock: time, timeoutMs: 300 });
    shop = await createTestTenant(paid, createApp(paid));
  });
  afterAll(async () => {
    await paid.close();
    await server.close();
  });

  const refundsOf = async (orderId: string) =>
    (
      await paid.database.owner.query(
        `select id, status, attempts, failure_code as "failureCode", provider_reference as reference,
           next_attempt_at as "nextAttemptAt" from refunds where order_id = $1 order by id`,
        [orderId],
      )
    ).rows;
  const sold = async (token = 'pm_card_visa', quantity = 1) => {
    const { type } = await openSale(shop);
    return buy(shop.alice, type, { payment: { token }, quantity });
  };
  const sendDue = () => sendDueRefunds(paid, paid.database.relay);
  const atStripe = () => [...server.refunds.values()];

  it('is tried again with backoff after errors, and paid once', async () => {
    const order = await sold();
    const before = atStripe().length;
    for (const status of [503, 503, 503] as const) server.fail('POST /v1/refunds', { do: 'answer', status });
    await cancel(shop.alice, order.orderId);
    await sendDue();
    const [first] = await refundsOf(order.orderId);
    expect(first).toMatchObject({ status: 'requested', attempts: 1 });
    expect(first.nextAttemptAt.getTime()).toBeGreaterThan(time.now().getTime());
    expect(await sendDue(), 'not before its time').toBe(0);
    time.advance(MINUTE);
    await sendDue();
    expect(await refundsOf(order.orderId)).toMatchObject([{ status: 'succeeded', attempts: 2 }]);
    expect(atStripe().length - before).toBe(1);
  });

  it('is found again when its answer was lost, even after the gateway forgot the key', async () => {
    const order = await sold('pm_card_visa', 2);
    const before = atStripe().length;
    server.fail('POST /v1/refunds', { do: 'hang', when: 'after', times: 3 });
    await refund(shop.support, order.orderId, { amountMinor: 1_000 });
    await sendDue();
    expect(await refundsOf(order.orderId)).toMatchObject([{ status: 'requested', attempts: 1 }]);
    expect(atStripe().length - before, 'it took effect').toBe(1);
    server.forgetKeys();
    time.advance(11 * MINUTE);
    await sendDue();
    expect(await refundsOf(order.orderId)).toMatchObject([{ status: 'succeeded', attempts: 2 }]);
    expect(atStripe().length - before).toBe(1);
  });

  it('that takes its time is asked for until it is there', async () => {
    const order = await sold('pm_card_pendingRefund');
    await cancel(shop.alice, order.orderId);
    await sendDue();
    const [pending] = await refundsOf(order.orderId);
    expect(pending).toMatchObject({ status: 'requested', reference: expect.stringMatching(/^re_/) });
    time.advance(MINUTE);
    await sendDue();
    expect(await refundsOf(order.orderId)).toMatchObject([{ status: 'requested', attempts: 2 }]);
    const known = server.refunds.get(pending.reference);
    if (known) known.status = 'succeeded';
    time.advance(11 * MINUTE);
    await sendDue();
    expect(await refundsOf(order.orderId)).toMatchObject([{ status: 'succeeded', attempts: 3 }]);
  });

  it('that is refused in the end can be promised and paid again', async () => {
    const order = await sold('pm_card_pendingRefund');
    await cancel(shop.alice, order.orderId);
    await sendDue();
    const [pending] = await refundsOf(order.orderId);
    const known = server.refunds.get(pending.reference);
    if (known) Object.assign(known, { status: 'failed', failure_reason: 'lost_or_stolen_card' });
    time.advance(MINUTE);
    await sendDue();
    expect(await refundsOf(order.orderId)).toMatchObject([
      { status: 'failed', failureCode: 'lost_or_stolen_card', nextAttemptAt: null },
    ]);
    expect(await shop.alice.get(`/bookings/${order.orderId}`)).toMatchObject({
      body: { status: 'cancelled', refunds: [{ status: 'failed' }] },
    });
    const again = await refund(shop.support, order.orderId);
    expect(again).toMatchObject({ status: 200, body: { status: 'cancelled' } });
    expect(again.body.refunds).toMatchObject([{ status: 'failed' }, { amountMinor: 2_500 }]);
    await sendDue();
    expect(atStripe().filter(({ payment_intent }) => payment_intent === known?.payment_intent)).toMatchObject(
      [{ status: 'failed' }, { status: 'pending', amount: 2_500 }],
    );
    expect(await refund(shop.support, order.orderId)).toMatchObject({
      status: 409,
      body: { code: 'order_not_paid' },
    });
  });

  it('does not keep others waiting', async () => {
    const [stuck, fine] = [await sold(), await sold()];
    server.fail('POST /v1/refunds', { do: 'answer', status: 503, times: 3 });
    await cancel(shop.alice, stuck.orderId);
    await sendDue();
    await cancel(shop.alice, fine.orderId);
    await sendDue();
    expect(await refundsOf(stuck.orderId)).toMatchObject([{ status: 'requested' }]);
    expect(await refundsOf(fine.orderId)).toMatchObject([{ status: 'succeeded' }]);
  });
});
