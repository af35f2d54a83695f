import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApp } from '../../src/api/app.ts';
import { expireHolds } from '../../src/domain/inventory/expire-holds.ts';
import { createSaleLanes } from '../../src/domain/orders/sale-lanes.ts';
import { createSettleOrder } from '../../src/domain/orders/settle-order.ts';
import { reconcilePayments } from '../../src/domain/payments/reconcile-payments.ts';
import { bankPage } from '../../src/domain/payments/test-bank.ts';
import { createTestProvider } from '../../src/domain/payments/test-provider.ts';
import { toTenantId } from '../../src/platform/ids.ts';
import {
  booksOf,
  changeCharge,
  type Notice,
  paymentOf,
  sampleNotice,
  signature,
} from '../support/provider-books.ts';
import { buy, openSale, samplePurchase } from '../support/samples.ts';
import { createTestClock, MINUTE, type TestClock } from '../support/test-clock.ts';
import {
  type Client,
  clientOf,
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
let provider: Client;
let workers: TestWorkers;

beforeAll(async () => {
  clock = createTestClock();
  ctx = await createTestContext({ clock });
  const app = createApp(ctx);
  tenant = await createTestTenant(ctx, app);
  other = await createTestTenant(ctx, app, 'Other');
  provider = clientOf(app);
  workers = await startWorkers(ctx);
});
afterAll(async () => {
  await workers.stop();
  await ctx.close();
});

/** Far enough away for a clock that jumps. */
const sale = (capacity = 100) =>
  openSale(tenant, {
    event: { startsAt: '2199-01-01T20:00:00Z', endsAt: '2199-01-01T23:00:00Z' },
    type: { capacity },
  });

type Type = { id: string; eventId: string };

const query = async (text: string, values: unknown[] = []) =>
  (await ctx.database.owner.query(text, values)).rows;
const counters = async (typeId: string) =>
  (await query('select held, sold from inventory where ticket_type_id = $1', [typeId]))[0];
const ticketsOf = (orderId: string) => query('select id, status from tickets where order_id = $1', [orderId]);
const refundsOf = (orderId: string) =>
  query('select amount_minor::integer as amount, status, reason from refunds where order_id = $1', [orderId]);

const notify = (notice: Notice | string, headers?: Record<string, string>, client = provider) => {
  const body = typeof notice === 'string' ? notice : JSON.stringify(notice);
  return client.post('/payments/webhook/test', body, { headers: headers ?? signature(ctx, body) });
};

/** An order that waits for its payment: at the bank, or because the provider's answer was lost. */
async function pend(buyer: Client, type: Type, token = 'tok_requires_action') {
  const input = samplePurchase(type, { payment: { token }, customerEmail: `${randomUUID()}@example.com` });
  const { status, body } = await buyer.post<{ orderId: string }>('/tickets/purchase', input, {
    key: randomUUID(),
  });
  expect(status).toBe(202);
  return { ...body, payment: await paymentOf(ctx, body.orderId), email: input.customerEmail };
}

const reconcile = () =>
  reconcilePayments(ctx, ctx.database.relay, createSettleOrder(ctx, createSaleLanes(ctx)));

describe('POST /payments/webhook/{provider}', () => {
  it('sells what was paid at the bank', async () => {
    const { type } = await sale();
    const { orderId, payment } = await pend(tenant.alice, type);
    await changeCharge(ctx, payment.id, 'succeeded');
    expect(await notify(sampleNotice(tenant, payment.id))).toMatchObject({
      status: 200,
      body: { outcome: 'handled' },
    });
    expect(await paymentOf(ctx, orderId)).toMatchObject({ status: 'succeeded', orderStatus: 'paid' });
    expect(await ticketsOf(orderId)).toMatchObject([{ status: 'sold' }]);
    expect(await counters(type.id)).toEqual({ held: 0, sold: 1 });
  });

  it('frees the places at once, in the cached availability too, when the bank refused', async () => {
    const { event, type } = await sale(1);
    const { orderId, payment, email } = await pend(tenant.alice, type);
    await changeCharge(ctx, payment.id, 'declined');
    expect(await notify(sampleNotice(tenant, payment.id, { type: 'charge.failed' }))).toMatchObject({
      body: { outcome: 'handled' },
    });
    const availability = await tenant.bob.get(`/events/${event.id}/availability`);
    expect(availability.body.ticketTypes).toMatchObject([{ held: 0, available: 1 }]);
    expect(await paymentOf(ctx, orderId)).toMatchObject({
      orderStatus: 'failed',
      orderFailure: 'card_declined',
    });
    await buy(tenant.bob, type);
    await workers.until('the mail', async () => workers.mails(email).length > 0);
    expect(workers.mails(email)[0]?.text).toContain('payment was refused');
  });

  it('believes the provider, not the notice: a notice of success before the money changes nothing', async () => {
    const { type } = await sale();
    const { orderId, payment } = await pend(tenant.alice, type);
    await notify(sampleNotice(tenant, payment.id));
    expect(await paymentOf(ctx, orderId)).toMatchObject({
      status: 'requires_action',
      orderStatus: 'pending',
    });
    expect(await counters(type.id)).toEqual({ held: 1, sold: 0 });
  });

  it('handles a notice once, however often it comes', async () => {
    const { type } = await sale();
    const { orderId, payment } = await pend(tenant.alice, type);
    await changeCharge(ctx, payment.id, 'succeeded');
    const notice = sampleNotice(tenant, payment.id);
    expect(await notify(notice)).toMatchObject({ body: { outcome: 'handled' } });
    expect(await notify(notice)).toMatchObject({ status: 200, body: { outcome: 'known' } });
    expect(await notify(sampleNotice(tenant, payment.id))).toMatchObject({ body: { outcome: 'handled' } });
    expect(await ticketsOf(orderId)).toHaveLength(1);
    expect(await counters(type.id)).toEqual({ held: 0, sold: 1 });
    const history = await query(
      'select to_status from order_state_transitions where order_id = $1 order by version',
      [orderId],
    );
    expect(history).toEqual([{ to_status: 'pending' }, { to_status: 'paid' }]);
  });

  it('does not mind the order in which notices come', async () => {
    const { type } = await sale();
    const { orderId, payment } = await pend(tenant.alice, type);
    await changeCharge(ctx, payment.id, 'succeeded');
    for (const kind of ['charge.succeeded', 'charge.pending', 'charge.failed', 'charge.requires_action']) {
      expect((await notify(sampleNotice(tenant, payment.id, { type: kind }))).status).toBe(200);
    }
    expect(await paymentOf(ctx, orderId)).toMatchObject({ status: 'succeeded', orderStatus: 'paid' });
    expect(await refundsOf(orderId)).toEqual([]);
    expect(await ticketsOf(orderId)).toHaveLength(1);
  });

  it('sells once when two API instances hear of it at once, over and over', async () => {
    const second = createApp({
      ...ctx,
      db: ctx.database.open('tessera_app', 4),
      payments: createTestProvider({ ...ctx, db: ctx.database.open('tessera_app', 4) }),
    });
    const { type } = await sale();
    const { orderId, payment } = await pend(tenant.alice, type);
    await changeCharge(ctx, payment.id, 'succeeded');
    const one = sampleNotice(tenant, payment.id);
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) => {
        const notice = i % 3 === 0 ? sampleNotice(tenant, payment.id) : one;
        return notify(notice, undefined, i % 2 === 0 ? provider : clientOf(second));
      }),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(await ticketsOf(orderId)).toHaveLength(1);
    expect(await counters(type.id)).toEqual({ held: 0, sold: 1 });
    const seen = await query('select event_id from payment_events where event_id = $1', [one.id]);
    expect(seen).toHaveLength(1);
  });

  it('sells once when notice, reconciler and the buyer’s repetition meet', async () => {
    const { type } = await sale();
    const key = randomUUID();
    const input = samplePurchase(type, { payment: { token: 'tok_timeout' } });
    const first = await tenant.alice.post<{ orderId: string }>('/tickets/purchase', input, { key });
    expect(first.status).toBe(202);
    const { orderId } = first.body;
    const payment = await paymentOf(ctx, orderId);
    clock.advance(2 * MINUTE);
    const [answer] = await Promise.all([
      tenant.alice.post('/tickets/purchase', input, { key }),
      notify(sampleNotice(tenant, payment.id)),
      reconcile(),
      notify(sampleNotice(tenant, payment.id)),
    ]);
    expect([201, 409]).toContain(answer.status);
    expect(await tenant.alice.post('/tickets/purchase', input, { key })).toMatchObject({
      status: 201,
      body: { orderId },
    });
    expect(await ticketsOf(orderId)).toHaveLength(1);
    expect(await booksOf(ctx, orderId)).toEqual({ charged: 2_500, paidBack: 0 });
  });
});

describe('a notice that is not what it seems', () => {
  const forged = { 'test-signature': `${Date.now()}.${'0'.repeat(64)}` };
  const untouched = async (orderId: string) => {
    expect(await paymentOf(ctx, orderId)).toMatchObject({
      status: 'requires_action',
      orderStatus: 'pending',
    });
  };

  it.each<[string, (body: string) => Record<string, string>]>([
    ['without a signature', () => ({})],
    ['with a forged one', () => forged],
    [
      'with one that is cut short',
      (body) => ({ 'test-signature': signature(ctx, body)['test-signature'].slice(0, -2) }),
    ],
    ['with that of another body', (body) => signature(ctx, `${body} `)],
    [
      'with one of six minutes ago',
      (body) => signature(ctx, body, new Date(clock.now().getTime() - 6 * MINUTE)),
    ],
    ['with one of the future', (body) => signature(ctx, body, new Date(clock.now().getTime() + 6 * MINUTE))],
    [
      'with a time that is none',
      (body) => ({ 'test-signature': `x.${signature(ctx, body)['test-signature']}` }),
    ],
  ])('is refused %s', async (_name, sign) => {
    const { type } = await sale();
    const { orderId, payment } = await pend(tenant.alice, type);
    await changeCharge(ctx, payment.id, 'succeeded');
    const body = JSON.stringify(sampleNotice(tenant, payment.id));
    const answer = await notify(body, sign(body));
    expect(answer).toMatchObject({ status: 401, body: { code: 'unauthenticated' } });
    await untouched(orderId);
    expect(await query('select from payment_events where payment_id = $1', [payment.id])).toEqual([]);
  });

  it('is ignored for a payment that nobody has', async () => {
    expect(await notify(sampleNotice(tenant, randomUUID()))).toMatchObject({
      status: 200,
      body: { outcome: 'ignored' },
    });
  });

  it('is ignored for the payment of another tenant', async () => {
    const { type } = await sale();
    const { orderId, payment } = await pend(tenant.alice, type);
    await changeCharge(ctx, payment.id, 'succeeded');
    for (const tenantId of [other.tenantId, randomUUID()]) {
      const answer = await notify(sampleNotice({ tenantId: tenantId as never }, payment.id));
      expect(answer).toMatchObject({ status: 200, body: { outcome: 'ignored' } });
    }
    await untouched(orderId);
  });

  it.each([
    ['a tenant that is none', { tenant: 'everybody' }],
    ['a payment that is none', { reference: 'x' }],
    ['a payment with a quote in it', { reference: "' or 1=1 --" }],
    ['no tenant', { tenant: '' }],
  ])('is ignored with %s', async (_name, overrides) => {
    const answer = await notify(sampleNotice(tenant, randomUUID(), overrides));
    expect(answer).toMatchObject({ status: 200, body: { outcome: 'ignored' } });
  });

  it.each([
    ['not JSON', 'success!'],
    ['a list', '[]'],
    ['a number', '7'],
    ['null', 'null'],
    ['an empty text', ''],
    ['half a document', '{"id":"evt_1","type":"charge.succeeded"'],
    ['members of other kinds', '{"id":1,"type":{},"tenant":[],"reference":true}'],
  ])('is refused, signed, when its body is %s', async (_name, body) => {
    expect(await notify(body)).toMatchObject({ status: 400, body: { code: 'malformed_body' } });
  });

  it.each([
    ['an id with a NUL', { id: 'evt_\0' }],
    ['an id with half a pair', { id: 'evt_\ud800' }],
    ['an id of 100,000 characters', { id: 'e'.repeat(100_000) }],
    ['a kind with a NUL', { type: '\0' }],
    ['a kind of 100,000 characters', { type: 't'.repeat(100_000) }],
    ['no id', { id: undefined }],
    ['an empty kind', { type: '' }],
  ])('is refused, signed, with %s, also about a payment that there is', async (_name, overrides) => {
    const { type } = await sale();
    const { orderId, payment } = await pend(tenant.alice, type);
    await changeCharge(ctx, payment.id, 'succeeded');
    const answer = await notify(sampleNotice(tenant, payment.id, overrides as object));
    expect(answer).toMatchObject({ status: 400, body: { code: 'malformed_body' } });
    await untouched(orderId);
  });

  it('is refused, signed, when its bytes are no text', async () => {
    const text = JSON.stringify(sampleNotice(tenant, randomUUID()));
    const response = await createApp(ctx).request('/api/payments/webhook/test', {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...signature(ctx, text) },
      body: Buffer.concat([Buffer.from(text.slice(0, -1)), Buffer.of(0xff, 0x7d)]),
    });
    expect([response.status, await response.json()]).toEqual([
      400,
      expect.objectContaining({ code: 'malformed_body' }),
    ]);
  });

  it('is refused when it is larger than a notice can be, said or not', async () => {
    const body = JSON.stringify({ ...sampleNotice(tenant, randomUUID()), padding: 'x'.repeat(300 * 1024) });
    expect(await notify(body)).toMatchObject({ status: 413, body: { code: 'body_too_large' } });
    const declared = { ...signature(ctx, '{}'), 'content-length': '999999999' };
    expect(await notify('{}', declared)).toMatchObject({ status: 413, body: { code: 'body_too_large' } });
  });

  it('is not found for a provider that is not ours', async () => {
    const body = JSON.stringify(sampleNotice(tenant, randomUUID()));
    const answer = await provider.post('/payments/webhook/stripe', body, { headers: signature(ctx, body) });
    expect(answer).toMatchObject({ status: 404, body: { code: 'not_found' } });
    expect((await provider.post('/payments/webhook/paypal', body)).status).toBe(400);
  });
});

describe('money that comes late', () => {
  const payAt = async (payment: { id: string }) => {
    await changeCharge(ctx, payment.id, 'succeeded');
    return notify(sampleNotice(tenant, payment.id));
  };

  it('gets its places after the hold ran out when they are still there', async () => {
    const { type } = await sale(1);
    const { orderId, payment, email } = await pend(tenant.alice, type);
    clock.advance(16 * MINUTE);
    await expireHolds(ctx, ctx.database.relay);
    expect(await counters(type.id)).toEqual({ held: 0, sold: 0 });
    expect(await payAt(payment)).toMatchObject({ body: { outcome: 'handled' } });
    expect(await paymentOf(ctx, orderId)).toMatchObject({ status: 'succeeded', orderStatus: 'paid' });
    expect(await ticketsOf(orderId)).toMatchObject([{ status: 'sold' }]);
    expect(await counters(type.id)).toEqual({ held: 0, sold: 1 });
    await workers.until('the mail', async () => workers.mails(email).length > 0);
    expect(workers.mails(email)[0]?.text).toContain('is yours');
  });

  it('goes back when somebody has the places, and the buyer is told', async () => {
    const { type } = await sale(1);
    const { orderId, payment, email } = await pend(tenant.alice, type);
    clock.advance(16 * MINUTE);
    await buy(tenant.bob, type);
    await payAt(payment);
    expect(await paymentOf(ctx, orderId)).toMatchObject({
      status: 'succeeded',
      refunded: 2_500,
      orderStatus: 'failed',
      orderFailure: 'paid_too_late',
    });
    expect(await ticketsOf(orderId)).toEqual([]);
    expect(await counters(type.id)).toEqual({ held: 0, sold: 1 });
    await workers.until('the refund', async () => (await refundsOf(orderId))[0]?.status === 'succeeded');
    expect(await refundsOf(orderId)).toEqual([
      { amount: 2_500, status: 'succeeded', reason: 'paid_too_late' },
    ]);
    expect(await booksOf(ctx, orderId)).toEqual({ charged: 2_500, paidBack: 2_500 });
    await workers.until('both mails', async () => workers.mails(email).length === 2);
    const texts = workers.mails(email).map(({ text }) => text);
    expect(texts.some((text) => text.includes('came too late'))).toBe(true);
    expect(texts.some((text) => text.includes('25.00 EUR are on their way back'))).toBe(true);
  });

  it('goes back when the event is over, though the places are held still', async () => {
    const endsAt = new Date(clock.now().getTime() + 10 * MINUTE).toISOString();
    const startsAt = new Date(clock.now().getTime() + 9 * MINUTE).toISOString();
    const { type } = await openSale(tenant, { event: { startsAt, endsAt }, type: { capacity: 1 } });
    const { orderId, payment } = await pend(tenant.alice, type);
    expect(await counters(type.id)).toEqual({ held: 1, sold: 0 });
    clock.advance(10 * MINUTE);
    await payAt(payment);
    expect(await paymentOf(ctx, orderId)).toMatchObject({
      refunded: 2_500,
      orderStatus: 'failed',
      orderFailure: 'paid_too_late',
    });
    expect(await ticketsOf(orderId)).toEqual([]);
    expect(await counters(type.id)).toEqual({ held: 0, sold: 0 });
    await workers.until('the refund', async () => (await refundsOf(orderId))[0]?.status === 'succeeded');
    expect(await booksOf(ctx, orderId)).toEqual({ charged: 2_500, paidBack: 2_500 });
  });

  it('goes back once, however many tell of it', async () => {
    const { type } = await sale(1);
    const { orderId, payment } = await pend(tenant.alice, type);
    clock.advance(16 * MINUTE);
    await buy(tenant.bob, type);
    await changeCharge(ctx, payment.id, 'succeeded');
    await Promise.all(Array.from({ length: 8 }, () => notify(sampleNotice(tenant, payment.id))));
    expect(await refundsOf(orderId)).toHaveLength(1);
    await workers.until('the refund', async () => (await refundsOf(orderId))[0]?.status === 'succeeded');
    expect(await booksOf(ctx, orderId)).toEqual({ charged: 2_500, paidBack: 2_500 });
  });

  it('goes back after a failure that was final, and the buyer is told', async () => {
    const { type } = await sale();
    const email = `${randomUUID()}@example.com`;
    const answer = await tenant.alice.post<{ orderId: string }>(
      '/tickets/purchase',
      samplePurchase(type, { payment: { token: 'tok_declined' }, customerEmail: email }),
      { key: randomUUID() },
    );
    expect(answer.status).toBe(402);
    const { orderId } = answer.body;
    const payment = await paymentOf(ctx, orderId);
    await payAt(payment);
    expect(await paymentOf(ctx, orderId)).toMatchObject({
      status: 'succeeded',
      refunded: 2_500,
      orderStatus: 'failed',
    });
    expect(await ticketsOf(orderId)).toEqual([]);
    await workers.until('the refund', async () => (await refundsOf(orderId))[0]?.status === 'succeeded');
    await workers.until('the mail about the money', async () =>
      workers.mails(email).some(({ text }) => text.includes('25.00 EUR are on their way back')),
    );
    await payAt(payment);
    expect(await refundsOf(orderId)).toHaveLength(1);
  });

  it('does not come at all when the buyer never came back: the payment is called off', async () => {
    const { type } = await sale();
    const { orderId, payment } = await pend(tenant.alice, type);
    clock.advance(21 * MINUTE);
    await workers.until('the end of the payment', async () => {
      await reconcile();
      return (await paymentOf(ctx, orderId)).orderStatus === 'failed';
    });
    const late = await provider.post(
      new URL(bankPage(ctx, toTenantId(tenant.tenantId), payment.id)).pathname.replace('/api', ''),
    );
    expect(late).toMatchObject({ status: 404 });
    expect(await booksOf(ctx, orderId)).toEqual({ charged: 0, paidBack: 0 });
  });

  it('meets the sale of its places: one of the two has them, and no money stays without a ticket', async () => {
    for (let round = 0; round < 6; round++) {
      const { type } = await sale(1);
      const { orderId, payment } = await pend(tenant.alice, type);
      clock.advance(16 * MINUTE);
      await changeCharge(ctx, payment.id, 'succeeded');
      const [rival] = await Promise.all([
        tenant.bob.post('/tickets/purchase', samplePurchase(type), { key: randomUUID() }),
        notify(sampleNotice(tenant, payment.id)),
      ]);
      const { orderStatus, refunded } = await paymentOf(ctx, orderId);
      expect([rival.status, orderStatus, refunded]).toSatisfy(
        ([status, order, back]) =>
          (status === 201 && order === 'failed' && back === 2_500) ||
          (status === 409 && order === 'paid' && back === 0),
      );
      expect(await counters(type.id)).toEqual({ held: 0, sold: 1 });
    }
  });
});
