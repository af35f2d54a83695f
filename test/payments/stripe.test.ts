import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createApp } from '../../src/api/app.ts';
import { createSaleLanes } from '../../src/domain/orders/sale-lanes.ts';
import { createSettleOrder } from '../../src/domain/orders/settle-order.ts';
import { reconcilePayments } from '../../src/domain/payments/reconcile-payments.ts';
import type { BookingView } from '../../src/domain/payments/schema.ts';
import { sendDueRefunds } from '../../src/domain/payments/send-refund.ts';
import { createFailpoints } from '../../src/platform/failpoints.ts';
import { toTenantId } from '../../src/platform/ids.ts';
import { paymentOf } from '../support/provider-books.ts';
import { buy, openSale, samplePurchase } from '../support/samples.ts';
import { createStripeContext } from '../support/stripe-context.ts';
import {
  type Fault,
  type Intent,
  type StripeRefund,
  type StripeServer,
  startStripeServer,
} from '../support/stripe-server.ts';
import { createTestClock, MINUTE, type TestClock } from '../support/test-clock.ts';
import {
  type Client,
  clientOf,
  createTestTenant,
  issueToken,
  type TestContext,
  type TestTenant,
} from '../support/test-context.ts';

const CREATE = 'POST /v1/payment_intents';
const CONFIRM = 'POST /v1/payment_intents/{id}/confirm';
const RETRIEVE = 'GET /v1/payment_intents/{id}';
const TIMEOUT_MS = 250;
const FAR = { startsAt: '2199-01-01T20:00:00Z', endsAt: '2199-01-01T23:00:00Z' };

let server: StripeServer;
let ctx: TestContext;
let clock: TestClock;
let tenant: TestTenant;
let stripe: Client;
let type: { id: string; eventId: string };

beforeAll(async () => {
  server = await startStripeServer();
  clock = createTestClock();
  ctx = await createStripeContext(server, { clock, timeoutMs: TIMEOUT_MS });
  const app = createApp(ctx);
  tenant = await createTestTenant(ctx, app);
  stripe = clientOf(app);
});
afterAll(async () => {
  await ctx.close();
  await server.close();
});
beforeEach(async () => {
  type = (await openSale(tenant, { event: FAR })).type;
  server.requests.length = 0;
});

type Outcome = {
  orderId: string;
  status: string;
  code: string;
  failureCode: string;
  nextAction: { type: string; url: string } | null;
};

const pay = (token: string, key = randomUUID(), quantity = 1) =>
  tenant.alice.post<Outcome>('/tickets/purchase', samplePurchase(type, { payment: { token }, quantity }), {
    key,
  });
const reconcile = () =>
  reconcilePayments(ctx, ctx.database.relay, createSettleOrder(ctx, createSaleLanes(ctx)));
const counters = async () =>
  (await ctx.database.owner.query('select held, sold from inventory where ticket_type_id = $1', [type.id]))
    .rows[0];
const named = (name: string) => server.requests.filter((request) => request.name === name);

/** The one intent that Stripe has for an order. */
function intentOf(orderId: string): Intent {
  const own = [...server.intents.values()].filter(({ metadata }) => metadata.order === orderId);
  expect(own, 'an order has one intent').toHaveLength(1);
  return own[0] as Intent;
}

/** What Stripe took from anybody for the sale of this test. */
async function money(): Promise<number> {
  const { rows } = await ctx.database.owner.query('select id from orders where event_id = $1', [
    type.eventId,
  ]);
  const orders = new Set(rows.map(({ id }) => id));
  return [...server.intents.values()]
    .filter(({ metadata }) => orders.has(metadata.order))
    .reduce((sum, { amount_received }) => sum + amount_received, 0);
}

describe('a payment through Stripe', () => {
  it('is made, kept, confirmed, and known to Stripe under our names', async () => {
    const { status, body } = await pay('pm_card_visa', randomUUID(), 2);
    expect(status).toBe(201);
    const payment = await paymentOf(ctx, body.orderId);
    const intent = intentOf(body.orderId);
    expect(intent).toMatchObject({
      status: 'succeeded',
      amount: 5_000,
      amount_received: 5_000,
      currency: 'eur',
    });
    expect(intent.metadata).toEqual({
      tenant: tenant.tenantId,
      order: body.orderId,
      payment: payment.id,
    });
    expect(server.requests.map(({ name, key }) => [name, key])).toEqual([
      [CREATE, `${payment.id}:create`],
      [CONFIRM, `${payment.id}:confirm`],
    ]);
    expect(server.requests[0]?.contentType).toContain('application/x-www-form-urlencoded');
    expect(payment).toMatchObject({ status: 'succeeded', orderStatus: 'paid' });
    const { rows } = await ctx.database.owner.query(
      'select provider_reference as id from payments where id = $1',
      [payment.id],
    );
    expect(rows[0].id).toBe(intent.id);
  });

  it.each([
    ['pm_card_visa_chargeDeclined', 'generic_decline'],
    ['pm_card_visa_chargeDeclinedInsufficientFunds', 'insufficient_funds'],
    ['pm_card_of_nobody', 'resource_missing'],
  ])('with %s is refused as %s, and the places are free', async (token, failureCode) => {
    const answer = await pay(token);
    expect(answer).toMatchObject({ status: 402, body: { code: 'payment_failed', failureCode } });
    expect(await counters()).toEqual({ held: 0, sold: 0 });
    expect(await money()).toBe(0);
    expect((await pay('pm_card_visa')).status).toBe(201);
  });

  it('waits for the buyer at the bank, and is done when they come back', async () => {
    const key = randomUUID();
    const first = await pay('pm_card_authenticationRequired', key);
    const intent = intentOf(first.body.orderId);
    expect(first).toMatchObject({
      status: 202,
      body: { nextAction: { type: 'redirect', url: `https://hooks.stripe.com/3d/${intent.id}` } },
    });
    expect(await counters()).toEqual({ held: 1, sold: 0 });
    expect((await pay('pm_card_authenticationRequired', key)).body.nextAction?.url).toContain(intent.id);
    server.authenticate(intent.id, 'succeeds');
    expect((await pay('pm_card_authenticationRequired', key)).status).toBe(201);
    expect(await counters()).toEqual({ held: 0, sold: 1 });
    expect(named(CONFIRM)).toHaveLength(1);
  });

  it('fails when the bank does not know the buyer', async () => {
    const key = randomUUID();
    const { body } = await pay('pm_card_authenticationRequired', key);
    server.authenticate(intentOf(body.orderId).id, 'fails');
    expect(await pay('pm_card_authenticationRequired', key)).toMatchObject({
      status: 402,
      body: { failureCode: 'payment_intent_authentication_failure' },
    });
    expect(await counters()).toEqual({ held: 0, sold: 0 });
  });

  it('is called off at Stripe when the buyer never comes back', async () => {
    const { body } = await pay('pm_card_authenticationRequired');
    const { id } = intentOf(body.orderId);
    clock.advance(21 * MINUTE);
    await reconcile();
    expect(intentOf(body.orderId).status).toBe('canceled');
    expect(await paymentOf(ctx, body.orderId)).toMatchObject({
      orderStatus: 'failed',
      orderFailure: 'abandoned',
    });
    expect(() => server.authenticate(id, 'succeeds')).toThrow('status of canceled');
  });
});

describe('a gateway that fails', () => {
  it.each<[string, string, Fault]>([
    ['creating, unavailable', CREATE, { do: 'answer', status: 503, times: 2 }],
    ['confirming, unavailable', CONFIRM, { do: 'answer', status: 503, times: 2 }],
    ['creating, too busy', CREATE, { do: 'answer', status: 429, times: 2 }],
    ['confirming, too busy', CONFIRM, { do: 'answer', status: 429, times: 2 }],
    ['creating, the connection cut before', CREATE, { do: 'drop', when: 'before', times: 2 }],
    ['creating, the connection cut after', CREATE, { do: 'drop', when: 'after' }],
    ['confirming, the connection cut after', CONFIRM, { do: 'drop', when: 'after', times: 2 }],
    ['confirming, no answer in time', CONFIRM, { do: 'hang', when: 'after', times: 2 }],
  ])('is asked again, later and under the same key: %s', async (_name, name, fault) => {
    server.fail(name, fault);
    const { status, body } = await pay('pm_card_visa');
    expect(status).toBe(201);
    const asked = named(name);
    expect(asked).toHaveLength((fault.times ?? 1) + 1);
    expect(new Set(asked.map(({ key }) => key)).size).toBe(1);
    for (const [i, { at }] of asked.slice(1).entries()) expect(at - (asked[i]?.at ?? 0)).toBeGreaterThan(200);
    expect(intentOf(body.orderId)).toMatchObject({ status: 'succeeded', amount_received: 2_500 });
    expect(await money()).toBe(2_500);
  });

  it.each<[string, Fault]>([
    ['that is away', { do: 'answer', status: 503, times: 3 }],
    ['that is too busy', { do: 'answer', status: 429, times: 3 }],
    ['that is broken', { do: 'answer', status: 500 }],
    ['that does not answer', { do: 'hang', when: 'before', times: 3 }],
    ['whose answer is lost', { do: 'hang', when: 'after', times: 3 }],
  ])(
    '%s before any money can move: the places are free and the buyer may try again',
    async (_name, fault) => {
      server.fail(CREATE, fault);
      expect(await pay('pm_card_visa')).toMatchObject({
        status: 402,
        body: { code: 'payment_failed', failureCode: 'provider_unavailable' },
      });
      expect(await counters()).toEqual({ held: 0, sold: 0 });
      expect(await money()).toBe(0);
      expect((await pay('pm_card_visa')).status).toBe(201);
      expect(await money()).toBe(2_500);
    },
  );

  it.each<[string, Fault]>([
    ['does not answer', { do: 'hang', when: 'after', times: 3 }],
    ['cuts the connection', { do: 'drop', when: 'after', times: 3 }],
  ])(
    'and %s after it took the money: the reconciler finds out, and nobody pays twice',
    async (_name, fault) => {
      server.fail(CONFIRM, fault);
      const { status, body } = await pay('pm_card_visa');
      expect(status).toBe(202);
      expect(body).toMatchObject({ status: 'pending', nextAction: null });
      expect(await paymentOf(ctx, body.orderId)).toMatchObject({ status: 'unknown', orderStatus: 'pending' });
      expect(await counters()).toEqual({ held: 1, sold: 0 });
      const asked = named(CONFIRM).length;
      clock.advance(MINUTE);
      await reconcile();
      expect(await paymentOf(ctx, body.orderId)).toMatchObject({ status: 'succeeded', orderStatus: 'paid' });
      expect(await counters()).toEqual({ held: 0, sold: 1 });
      expect(named(CONFIRM), 'only looked at').toHaveLength(asked);
      expect(await money()).toBe(2_500);
    },
  );

  it.each<[string, Fault]>([
    ['does not answer', { do: 'hang', when: 'before', times: 3 }],
    ['is broken, and stays so under that key', { do: 'answer', status: 500 }],
    ['is too busy', { do: 'answer', status: 429, times: 3 }],
  ])(
    'and %s before it took the money: the payment is called off and the places are free',
    async (_name, fault) => {
      server.fail(CONFIRM, fault);
      const { status, body } = await pay('pm_card_visa');
      expect(status).toBe(202);
      clock.advance(MINUTE);
      await reconcile();
      expect(intentOf(body.orderId).status).toBe('canceled');
      expect(await paymentOf(ctx, body.orderId)).toMatchObject({ status: 'failed', orderStatus: 'failed' });
      expect(await counters()).toEqual({ held: 0, sold: 0 });
      expect(await money()).toBe(0);
    },
  );

  it('keeps the outcome open as long as it cannot be asked for, and asks again', async () => {
    server.fail(CONFIRM, { do: 'hang', when: 'after', times: 3 });
    const key = randomUUID();
    const { body } = await pay('pm_card_visa', key);
    server.fail(RETRIEVE, { do: 'answer', status: 500, times: 2 });
    clock.advance(MINUTE);
    await reconcile();
    expect(await paymentOf(ctx, body.orderId)).toMatchObject({ status: 'unknown', orderStatus: 'pending' });
    expect((await pay('pm_card_visa', key)).status).toBe(202);
    expect(await reconcile(), 'not at once').toBe(0);
    clock.advance(MINUTE);
    await reconcile();
    expect(await paymentOf(ctx, body.orderId)).toMatchObject({ status: 'succeeded', orderStatus: 'paid' });
    expect(await money()).toBe(2_500);
  });

  it('is not charged again by the buyer’s repetition of an order whose outcome is unknown', async () => {
    server.fail(CONFIRM, { do: 'hang', when: 'after', times: 3 });
    const key = randomUUID();
    expect((await pay('pm_card_visa', key)).status).toBe(202);
    expect((await pay('pm_card_visa', key)).status).toBe(201);
    expect(named(CREATE)).toHaveLength(1);
    expect(await money()).toBe(2_500);
  });

  it('that wakes up after the order was given up moves no money', async () => {
    server.fail(CREATE, { do: 'hang', when: 'before' });
    const key = randomUUID();
    const slow = pay('pm_card_visa', key);
    await expect.poll(() => named(CREATE).length).toBe(1);
    clock.advance(2 * MINUTE);
    await reconcile();
    expect(await counters()).toEqual({ held: 0, sold: 0 });
    expect(await slow).toMatchObject({ status: 402, body: { failureCode: 'never_received' } });
    expect(named(CREATE)).toHaveLength(2);
    expect(named(CONFIRM)).toHaveLength(0);
    expect(await pay('pm_card_visa', key)).toMatchObject({
      status: 402,
      body: { failureCode: 'never_received' },
    });
    expect(await money()).toBe(0);
  });
});

describe('work that cannot be done', () => {
  /** The database refuses to write the outcome of this one. */
  const poison = (table: 'payments' | 'refunds', id: string) =>
    ctx.database.owner.query(`
      create or replace function refuse_outcome() returns trigger language plpgsql as $$ begin raise 'poisoned'; end $$;
      create or replace trigger poisoned before update on ${table} for each row
        when (new.id = '${id}' and (new.status <> old.status)) execute function refuse_outcome()`);

  it('stands back for the payments behind it, and is tried again', async () => {
    server.fail(CONFIRM, { do: 'hang', when: 'after', times: 3 });
    const stuck = await pay('pm_card_visa');
    server.fail(CONFIRM, { do: 'hang', when: 'after', times: 3 });
    const fine = await pay('pm_card_visa');
    const { id } = await paymentOf(ctx, stuck.body.orderId);
    await poison('payments', id);
    clock.advance(MINUTE);
    expect(await reconcile()).toBe(2);
    expect(await paymentOf(ctx, fine.body.orderId)).toMatchObject({ orderStatus: 'paid' });
    expect(await reconcile(), 'it stands back').toBe(0);
    await ctx.database.owner.query('drop trigger poisoned on payments');
    clock.advance(5 * MINUTE);
    await reconcile();
    expect(await paymentOf(ctx, stuck.body.orderId)).toMatchObject({ orderStatus: 'paid' });
  });

  it('stands back for the refunds behind it, and pays once', async () => {
    const order = await buy(tenant.alice, type, { payment: { token: 'pm_card_visa' } });
    const { body } = await tenant.alice.delete<BookingView>(`/bookings/${order.orderId}`, {
      key: randomUUID(),
    });
    await poison('refunds', body.refunds[0]?.id ?? '');
    expect(await sendDueRefunds(ctx, ctx.database.relay)).toBe(1);
    expect(await sendDueRefunds(ctx, ctx.database.relay), 'it stands back').toBe(0);
    await ctx.database.owner.query('drop trigger poisoned on refunds');
    server.forgetKeys();
    clock.advance(5 * MINUTE);
    await sendDueRefunds(ctx, ctx.database.relay);
    const { body: booking } = await tenant.alice.get<BookingView>(`/bookings/${order.orderId}`);
    expect(booking.refunds).toMatchObject([{ status: 'succeeded' }]);
    const { id } = intentOf(order.orderId);
    const paidBack = [...server.refunds.values()].filter(({ payment_intent }) => payment_intent === id);
    expect(paidBack).toHaveLength(1);
  });
});

describe('an API that dies', () => {
  const dyingAt = async (failpoint: string): Promise<Client> => {
    const app = createApp({ ...ctx, failpoints: createFailpoints(`${failpoint}=throw`) });
    return clientOf(app, await issueToken({ tenantId: tenant.tenantId, subject: 'alice', role: 'buyer' }));
  };

  it('after the charge: another finds the payment, and it counts once', async () => {
    const key = randomUUID();
    const dying = await dyingAt('purchase.charged');
    const input = samplePurchase(type, { payment: { token: 'pm_card_visa' } });
    expect((await dying.post('/tickets/purchase', input, { key })).status).toBe(500);
    expect(await pay('pm_card_visa', key)).toMatchObject({
      status: 409,
      body: { code: 'idempotency_in_flight' },
    });
    clock.advance(31_000);
    expect((await pay('pm_card_visa', key)).status).toBe(201);
    expect(await money()).toBe(2_500);
    expect(await counters()).toEqual({ held: 0, sold: 1 });
  });

  it('before the charge: nothing was paid, and the places are free', async () => {
    const dying = await dyingAt('purchase.placed');
    const input = samplePurchase(type, { payment: { token: 'pm_card_visa' } });
    expect((await dying.post('/tickets/purchase', input, { key: randomUUID() })).status).toBe(500);
    expect(await counters()).toEqual({ held: 1, sold: 0 });
    clock.advance(2 * MINUTE);
    await reconcile();
    expect(await counters()).toEqual({ held: 0, sold: 0 });
    expect(await money()).toBe(0);
  });
});

describe('a webhook of Stripe', () => {
  const send = ({ body, headers }: { body: string; headers: Record<string, string> }) =>
    stripe.post('/payments/webhook/stripe', body, { headers });

  it('brings the payment home that the buyer confirmed, once', async () => {
    const { body } = await pay('pm_card_authenticationRequired');
    const intent = intentOf(body.orderId);
    server.authenticate(intent.id, 'succeeds');
    const event = server.event('payment_intent.succeeded', intent, { at: clock.now() });
    expect(await send(event)).toMatchObject({ status: 200, body: { outcome: 'handled' } });
    expect(await send(event)).toMatchObject({ status: 200, body: { outcome: 'known' } });
    expect(await counters()).toEqual({ held: 0, sold: 1 });
  });

  it.each([
    ['made', CREATE],
    ['confirmed', CONFIRM],
  ])('that comes while the payment is being %s does not end the purchase', async (_name, request) => {
    const answers: unknown[] = [];
    server.meanwhile(request, async () => {
      const intent = [...server.intents.values()].at(-1) as Intent;
      const before = { ...intent, status: 'requires_confirmation' };
      const event = server.event('payment_intent.created', before, { at: clock.now() });
      answers.push((await send(event)).status);
    });
    const { status, body } = await pay('pm_card_visa');
    expect(answers).toEqual([200]);
    expect(status).toBe(201);
    expect(await paymentOf(ctx, body.orderId)).toMatchObject({ status: 'succeeded', orderStatus: 'paid' });
    expect(intentOf(body.orderId)).toMatchObject({ status: 'succeeded', amount_received: 2_500 });
    expect(await counters()).toEqual({ held: 0, sold: 1 });
  });

  it('that comes between the making of a payment and its confirmation does not call it off', async () => {
    const kept = ctx.payments.charge;
    const order = { tenantId: toTenantId(tenant.tenantId), orderId: randomUUID(), reference: randomUUID() };
    const answers: unknown[] = [];
    const outcome = await kept(
      { ...order, amountMinor: 2_500n, currency: 'EUR', token: 'pm_card_visa' },
      async (providerReference) => {
        answers.push(await ctx.payments.look({ ...order, providerReference }, { early: true }));
      },
    );
    expect(answers).toEqual([{ status: 'unknown' }]);
    expect(outcome).toMatchObject({ status: 'succeeded' });
  });

  it('is asked for again when Stripe cannot be asked about a payment that is over', async () => {
    const { body } = await pay('pm_card_visa_chargeDeclined');
    const event = server.event('payment_intent.succeeded', intentOf(body.orderId), { at: clock.now() });
    server.fail(RETRIEVE, { do: 'answer', status: 503, times: 3 });
    expect(await send(event)).toMatchObject({
      status: 503,
      body: { code: 'payment_provider_unavailable' },
    });
    expect(await send(event)).toMatchObject({ status: 200, body: { outcome: 'handled' } });
  });

  it('is ignored when it is of an intent whose making was never heard of', async () => {
    server.fail(CREATE, { do: 'drop', when: 'after', times: 3 });
    const { body } = await pay('pm_card_visa');
    const intent = intentOf(body.orderId);
    expect(intent.status).toBe('requires_confirmation');
    const event = server.event('payment_intent.created', intent, { at: clock.now() });
    expect(await send(event)).toMatchObject({ status: 200, body: { outcome: 'ignored' } });
  });

  it('is only a hint: what it says of the payment is not believed', async () => {
    const { body } = await pay('pm_card_authenticationRequired');
    const lie = { ...intentOf(body.orderId), status: 'succeeded', amount_received: 2_500 };
    await send(server.event('payment_intent.succeeded', lie, { at: clock.now() }));
    expect(await paymentOf(ctx, body.orderId)).toMatchObject({ orderStatus: 'pending' });
    expect(await counters()).toEqual({ held: 1, sold: 0 });
  });

  it('is refused when it is not signed by Stripe, or was long ago', async () => {
    const { body } = await pay('pm_card_authenticationRequired');
    const intent = intentOf(body.orderId);
    server.authenticate(intent.id, 'succeeds');
    const at = clock.now();
    const good = server.event('payment_intent.succeeded', intent, { at });
    for (const bad of [
      server.event('payment_intent.succeeded', intent, { at, secret: 'whsec_other' }),
      server.event('payment_intent.succeeded', intent, { at: new Date(at.getTime() - 6 * MINUTE) }),
      { ...good, body: good.body.replace('"livemode":false', '"livemode":true') },
      { ...good, headers: {} },
      { ...good, headers: { 'stripe-signature': 'v1=1' } },
    ]) {
      expect(await send(bad)).toMatchObject({ status: 401, body: { code: 'unauthenticated' } });
    }
    expect(await paymentOf(ctx, body.orderId)).toMatchObject({ orderStatus: 'pending' });
  });

  it.each([
    ['no JSON', () => 'success!'],
    ['null', () => 'null'],
    ['a list', () => '[]'],
    ['nothing within', () => '{}'],
    ['an event without data', (good: string) => good.replace('"data":', '"date":')],
    ['an event about null', () => '{"id":"evt_1","type":"charge.succeeded","data":{"object":null}}'],
    ['an event whose id is a number', () => '{"id":1,"type":"charge.succeeded","data":{"object":{}}}'],
    ['an event whose id has a NUL', () => '{"id":"\\u0000","type":"charge.succeeded","data":{"object":{}}}'],
  ])('is refused, signed, when it is %s', async (_name, make) => {
    const good = server.event(
      'charge.succeeded',
      { id: 'ch_1', object: 'charge', metadata: {} },
      { at: clock.now() },
    );
    const body = make(good.body);
    expect(await send(server.sign(body, { at: clock.now() }))).toMatchObject({
      status: 400,
      body: { code: 'malformed_body' },
    });
    const other = server.sign(body, { at: clock.now(), secret: 'whsec_other' });
    expect(await send(other)).toMatchObject({ status: 401, body: { code: 'unauthenticated' } });
  });

  it.each([
    ['nothing of ours', {}],
    ['null', null],
    ['a tenant of another system', { tenant: 'acme', payment: '7' }],
    ['a payment that nobody has', { tenant: randomUUID(), payment: randomUUID() }],
  ])('is ignored when its metadata is %s', async (_name, metadata) => {
    const event = server.event(
      'charge.succeeded',
      { id: 'ch_1', object: 'charge', metadata },
      { at: clock.now() },
    );
    expect(await send(event)).toMatchObject({ status: 200, body: { outcome: 'ignored' } });
  });
});

describe('money back through Stripe', () => {
  const refund = (orderId: string, body: object) =>
    tenant.support.post<BookingView>(
      `/orders/${orderId}/refund`,
      { reason: 'rain', ...body },
      { key: randomUUID() },
    );
  const refundsAt = (orderId: string) => {
    const { id } = intentOf(orderId);
    return [...server.refunds.values()].filter(({ payment_intent }) => payment_intent === id);
  };

  it('comes in parts, each once and under our name, and never more than was paid', async () => {
    const order = await buy(tenant.alice, type, { quantity: 2, payment: { token: 'pm_card_visa' } });
    await refund(order.orderId, { amountMinor: 1_200 });
    await refund(order.orderId, { ticketIds: [order.tickets[0]?.id] });
    await sendDueRefunds(ctx, ctx.database.relay);
    await sendDueRefunds(ctx, ctx.database.relay);
    expect(refundsAt(order.orderId).map(({ amount }) => amount)).toEqual([1_200, 2_500]);
    const { body } = await tenant.alice.get<BookingView>(`/bookings/${order.orderId}`);
    expect(body.refunds.map(({ status }) => status)).toEqual(['succeeded', 'succeeded']);
    expect(refundsAt(order.orderId).map(({ metadata }) => metadata.refund)).toEqual(
      body.refunds.map(({ id }) => id),
    );
    expect(await refund(order.orderId, { amountMinor: 1_301 })).toMatchObject({
      status: 409,
      body: { code: 'refund_too_large' },
    });
    await refund(order.orderId, {});
    await sendDueRefunds(ctx, ctx.database.relay);
    expect(refundsAt(order.orderId).reduce((sum, { amount }) => sum + amount, 0)).toBe(5_000);
  });

  it('can be promised again when the buyer’s bank sent it back', async () => {
    const order = await buy(tenant.alice, type, { payment: { token: 'pm_card_visa' } });
    await refund(order.orderId, {});
    await sendDueRefunds(ctx, ctx.database.relay);
    const [sent] = refundsAt(order.orderId) as [StripeRefund];
    const tell = (kind: string) => {
      const { body, headers } = server.event(kind, sent, { at: clock.now() });
      return stripe.post('/payments/webhook/stripe', body, { headers });
    };
    expect(await tell('refund.updated')).toMatchObject({ status: 200, body: { outcome: 'handled' } });
    expect(await paymentOf(ctx, order.orderId)).toMatchObject({ refunded: 2_500 });
    expect(await refund(order.orderId, {})).toMatchObject({ status: 409, body: { code: 'order_not_paid' } });

    Object.assign(sent, { status: 'failed', failure_reason: 'expired_or_canceled_card' });
    // What cannot be asked for is told again, and what cannot be found has not failed.
    server.fail('GET /v1/refunds/{id}', { do: 'answer', status: 503, times: 3 });
    const unheard = { status: 503, body: { code: 'payment_provider_unavailable' } };
    expect(await tell('refund.failed')).toMatchObject(unheard);
    server.refunds.delete(sent.id);
    expect(await tell('refund.failed')).toMatchObject(unheard);
    expect(await paymentOf(ctx, order.orderId)).toMatchObject({ refunded: 2_500 });
    server.refunds.set(sent.id, sent);
    expect(await tell('refund.failed')).toMatchObject({ status: 200, body: { outcome: 'handled' } });
    expect(await tell('refund.failed')).toMatchObject({ status: 200 });
    const { body } = await tenant.alice.get<BookingView>(`/bookings/${order.orderId}`);
    expect(body.refunds).toMatchObject([{ status: 'failed' }]);
    expect(await paymentOf(ctx, order.orderId)).toMatchObject({ refunded: 0 });

    expect((await refund(order.orderId, {})).status).toBe(200);
    await sendDueRefunds(ctx, ctx.database.relay);
    expect(refundsAt(order.orderId).map(({ status }) => status)).toEqual(['failed', 'succeeded']);
    expect(await paymentOf(ctx, order.orderId)).toMatchObject({ refunded: 2_500 });
  });

  it('goes back by itself when it came too late', async () => {
    const { type: last } = await openSale(tenant, { event: FAR, type: { capacity: 1 } });
    type = last;
    const { body } = await pay('pm_card_authenticationRequired');
    clock.advance(16 * MINUTE);
    await buy(tenant.bob, last, { payment: { token: 'pm_card_visa' } });
    server.authenticate(intentOf(body.orderId).id, 'succeeds');
    await reconcile();
    expect(await paymentOf(ctx, body.orderId)).toMatchObject({
      orderFailure: 'paid_too_late',
      refunded: 2_500,
    });
    await sendDueRefunds(ctx, ctx.database.relay);
    expect(refundsAt(body.orderId)).toMatchObject([{ amount: 2_500, status: 'succeeded' }]);
  });
});
