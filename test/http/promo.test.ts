import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createApp } from '../../src/api/app.ts';
import type { EventView, TicketTypeView } from '../../src/domain/events/schema.ts';
import type { ReservationView } from '../../src/domain/inventory/schema.ts';
import type { OrderAnswer } from '../../src/domain/orders/schema.ts';
import type { PromoView } from '../../src/domain/promo/schema.ts';
import { buy, openSale, sampleEvent, samplePurchase, sampleTicketType } from '../support/samples.ts';
import { createTestClock, HOUR, type TestClock } from '../support/test-clock.ts';
import {
  type Client,
  clientOf,
  createTestContext,
  createTestTenant,
  issueToken,
  type TestContext,
  type TestTenant,
} from '../support/test-context.ts';

let ctx: TestContext;
let clock: TestClock;
let tenant: TestTenant;
let other: TestTenant;
let type: TicketTypeView;
let named = 0;

const FAR = { startsAt: '2199-01-01T20:00:00Z', endsAt: '2199-01-01T23:00:00Z' };

beforeAll(async () => {
  clock = createTestClock();
  ctx = await createTestContext({ clock });
  const app = createApp(ctx);
  tenant = await createTestTenant(ctx, app);
  other = await createTestTenant(ctx, app, 'Other');
});
afterAll(() => ctx.close());
beforeEach(async () => {
  type = (await openSale(tenant, { event: FAR, type: { capacity: 1_000 } })).type;
});

const newCode = (): string => `CODE-${++named}`;
const create = (input: Record<string, unknown>, by: Client = tenant.organiser) =>
  by.post<PromoView & { code: string }>('/promo-codes', { code: newCode(), ...input });
async function codeWith(input: Record<string, unknown>): Promise<string> {
  const { status, body } = await create(input);
  expect(status).toBe(201);
  return body.code;
}
const purchase = (buyer: Client, promoCode: string, overrides: Record<string, unknown> = {}, of = type) =>
  buyer.post<OrderAnswer & { code: string; failureCode: string }>(
    '/tickets/purchase',
    samplePurchase(of, { promoCode, ...overrides }),
    { key: randomUUID() },
  );
async function redeemed(code: string): Promise<number> {
  const { body } = await tenant.organiser.get<{ items: PromoView[] }>('/promo-codes?limit=100');
  const found = body.items.find((item) => item.code === code);
  if (!found) throw new Error(`no code ${code}`);
  return found.redeemed;
}
const people = (count: number): Promise<Client[]> =>
  Promise.all(Array.from({ length: count }, (_, i) => tenant.as(`fan-${i}`, 'buyer')));

describe('a promotion code', () => {
  it.each<[string, Record<string, unknown>, number, number]>([
    ['a percentage', { percent: 20 }, 2, 4_000],
    ['a percentage, the rest of a cent in the buyer’s disfavour', { percent: 33 }, 1, 1_675],
    ['an amount', { amountMinor: 700, currency: 'EUR' }, 2, 4_300],
    ['an amount off the whole order, not each ticket', { amountMinor: 1_000, currency: 'EUR' }, 3, 6_500],
  ])('takes %s off', async (_name, input, quantity, amountMinor) => {
    const code = await codeWith(input);
    const { status, body } = await purchase(tenant.alice, code, { quantity });
    expect(status).toBe(201);
    expect(body).toMatchObject({
      subtotalMinor: 2_500 * quantity,
      discountMinor: 2_500 * quantity - amountMinor,
      amountMinor,
    });
    const { rows } = await ctx.database.owner.query(
      'select c.amount_minor::integer as amount from test_provider_charges c join payments p on p.id = c.reference where p.order_id = $1',
      [body.orderId],
    );
    expect(rows).toEqual([{ amount: amountMinor }]);
    expect(await redeemed(code)).toBe(1);
  });

  it.each<[string, Record<string, unknown>]>([
    ['all of it', { percent: 100 }],
    ['more than there is', { amountMinor: 1_000_000, currency: 'EUR' }],
    ['exactly as much', { amountMinor: 2_500, currency: 'EUR' }],
  ])('that takes %s off makes the ticket free, never cheaper', async (_name, input) => {
    const code = await codeWith(input);
    const { status, body } = await purchase(tenant.alice, code, { payment: undefined });
    expect(status).toBe(201);
    expect(body).toMatchObject({ status: 'paid', discountMinor: 2_500, amountMinor: 0 });
    const { rows } = await ctx.database.owner.query('select from payments where order_id = $1', [
      body.orderId,
    ]);
    expect(rows).toEqual([]);
    expect(await redeemed(code)).toBe(1);
  });

  it('is read in any case, with blanks around it', async () => {
    const code = await codeWith({ percent: 10 });
    expect(await purchase(tenant.alice, ` ${code.toLowerCase()} `)).toMatchObject({
      status: 201,
      body: { discountMinor: 250 },
    });
  });

  it('works for what was reserved, at the price of the reservation', async () => {
    const code = await codeWith({ percent: 50 });
    const { payment, ...wish } = samplePurchase(type, { quantity: 2 });
    const { body: held } = await tenant.alice.post<ReservationView>('/tickets/reserve', wish, {
      key: randomUUID(),
    });
    const bought = await tenant.alice.post<OrderAnswer>(
      '/tickets/purchase',
      { reservationId: held.reservationId, promoCode: code, payment },
      { key: randomUUID() },
    );
    expect(bought).toMatchObject({ status: 201, body: { subtotalMinor: 5_000, amountMinor: 2_500 } });
  });

  it.each<[string, () => Promise<string>]>([
    ['that nobody made', async () => 'NO-SUCH-CODE'],
    ['of another event', async () => codeWith({ percent: 10, eventId: (await openSale(tenant)).event.id })],
    ['of another currency', () => codeWith({ amountMinor: 100, currency: 'USD' })],
    ['of another tenant', async () => (await create({ percent: 10 }, other.organiser)).body.code],
    [
      'that is not valid yet',
      () => codeWith({ percent: 10, validFrom: new Date(clock.now().getTime() + HOUR).toISOString() }),
    ],
    [
      'that has expired',
      async () => {
        const code = await codeWith({
          percent: 10,
          validUntil: new Date(clock.now().getTime() + 1_000).toISOString(),
        });
        clock.advance(1_000);
        return code;
      },
    ],
    [
      'that was ended',
      async () => {
        const { body } = await create({ percent: 10 });
        expect((await tenant.organiser.delete(`/promo-codes/${body.id}`)).status).toBe(200);
        return body.code;
      },
    ],
  ])('%s is refused, and nothing is held', async (_name, prepare) => {
    const code = await prepare();
    expect(await purchase(tenant.alice, code)).toMatchObject({
      status: 409,
      body: { code: 'promo_invalid' },
    });
    const { rows } = await ctx.database.owner.query(
      'select held, sold, issued from inventory where ticket_type_id = $1',
      [type.id],
    );
    expect(rows).toEqual([{ held: 0, sold: 0, issued: 0 }]);
  });

  it('is for its event', async () => {
    const code = await codeWith({ percent: 10, eventId: type.eventId });
    expect((await purchase(tenant.alice, code)).status).toBe(201);
  });
});

describe('the limits of a code', () => {
  it('let exactly 10 of 200 people use it who come at once, for several types, in two processes', async () => {
    const { body: event } = await tenant.organiser.post<EventView>(
      '/events',
      sampleEvent({
        ...FAR,
        ticketTypes: ['Stalls', 'Circle', 'Gallery'].map((name) => sampleTicketType({ name, capacity: 500 })),
      }),
    );
    const code = await codeWith({ percent: 50, maxRedemptions: 10 });
    const second = createApp({ ...ctx, db: ctx.database.open('tessera_app', 6) });
    const fans = await people(100);
    const twins = await Promise.all(
      Array.from({ length: 100 }, async (_, i) => {
        const claims = { tenantId: tenant.tenantId, subject: `twin-${i}`, role: 'buyer' } as const;
        return clientOf(second, await issueToken(claims));
      }),
    );
    const answers = await Promise.all(
      [...fans, ...twins].map((fan, i) =>
        purchase(fan, code, {}, event.ticketTypes[i % 3] as TicketTypeView),
      ),
    );
    const sold = answers.filter(({ status }) => status === 201);
    expect(sold).toHaveLength(10);
    for (const { body } of sold) expect(body.amountMinor).toBe(1_250);
    for (const { status, body } of answers.filter((answer) => answer.status !== 201))
      expect([status, body.code]).toEqual([409, 'promo_exhausted']);
    expect(await redeemed(code)).toBe(10);
    const { rows } = await ctx.database.owner.query(
      'select sum(held)::integer as held, sum(sold)::integer as sold from inventory where event_id = $1',
      [event.id],
    );
    expect(rows).toEqual([{ held: 0, sold: 10 }]);
  });

  it('let each person use it as often as they may, at once or one after the other', async () => {
    const code = await codeWith({ percent: 50, perUserLimit: 2, maxRedemptions: 100 });
    const answers = await Promise.all(Array.from({ length: 20 }, () => purchase(tenant.alice, code)));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(2);
    expect(answers.filter(({ body }) => body.code === 'promo_user_limit')).toHaveLength(18);
    expect((await purchase(tenant.bob, code)).status).toBe(201);
    expect(await redeemed(code)).toBe(3);
  });

  it('count a free order too', async () => {
    const code = await codeWith({ percent: 100, maxRedemptions: 3 });
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => purchase(tenant.alice, code, { payment: undefined })),
    );
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(3);
    expect(await redeemed(code)).toBe(3);
  });

  it.each([
    ['is refused by the bank', 'tok_declined', 402],
    ['comes without a payment', undefined, 400],
  ])('get a use back that %s', async (_name, token, status) => {
    const code = await codeWith({ percent: 50, maxRedemptions: 1, perUserLimit: 1 });
    const payment = token === undefined ? undefined : { token };
    expect((await purchase(tenant.alice, code, { payment })).status).toBe(status);
    expect(await redeemed(code)).toBe(0);
    expect((await purchase(tenant.alice, code)).status).toBe(201);
  });

  it('keep a use while its payment is open', async () => {
    const code = await codeWith({ percent: 50, maxRedemptions: 1 });
    const open = await purchase(tenant.alice, code, { payment: { token: 'tok_requires_action' } });
    expect(open.status).toBe(202);
    expect(await purchase(tenant.bob, code)).toMatchObject({
      status: 409,
      body: { code: 'promo_exhausted' },
    });
  });

  it('are kept by the database, whatever is written past them', async () => {
    const code = await codeWith({ percent: 50, maxRedemptions: 1 });
    await purchase(tenant.alice, code);
    await expect(
      ctx.database.owner.query('update promo_codes set redeemed = redeemed + 1 where code = $1', [code]),
    ).rejects.toMatchObject({ constraint: 'promo_codes_never_overdrawn' });
  });

  it('do not turn a request away from a place that a refused one left', async () => {
    const { type: last } = await openSale(tenant, { event: FAR, type: { capacity: 1 } });
    const [, , honest] = await Promise.all([
      purchase(tenant.alice, 'NO-SUCH-CODE', {}, last),
      purchase(tenant.alice, 'NO-SUCH-CODE', {}, last),
      tenant.bob.post('/tickets/purchase', samplePurchase(last), { key: randomUUID() }),
    ]);
    expect(honest.status).toBe(201);
  });

  it('do not turn a request away from a place that one of two had who used the code up together', async () => {
    const { type: last } = await openSale(tenant, { event: FAR, type: { capacity: 3 } });
    const code = await codeWith({ percent: 50, maxRedemptions: 1 });
    const plain = (buyer: Client) =>
      buyer.post('/tickets/purchase', samplePurchase(last), { key: randomUUID() });
    const [first, second, third, fourth] = (await people(4)) as [Client, Client, Client, Client];
    // The first goes alone; what comes meanwhile goes together.
    const answers = await Promise.all([
      plain(first),
      purchase(second, code, {}, last),
      purchase(third, code, {}, last),
      plain(fourth),
    ]);
    expect([answers[0]?.status, answers[3]?.status]).toEqual([201, 201]);
    const [won, lost] = answers.slice(1, 3).toSorted((a, b) => a.status - b.status);
    expect(won?.status).toBe(201);
    expect(lost).toMatchObject({ status: 409, body: { code: 'promo_exhausted' } });
    const { rows } = await ctx.database.owner.query(
      'select held, sold from inventory where ticket_type_id = $1',
      [last.id],
    );
    expect(rows).toEqual([{ held: 0, sold: 3 }]);
  });
});

describe('/promo-codes', () => {
  it.each<[string, Record<string, unknown>]>([
    ['neither a percentage nor an amount', {}],
    ['both', { percent: 10, amountMinor: 100, currency: 'EUR' }],
    ['0 %', { percent: 0 }],
    ['101 %', { percent: 101 }],
    ['half a per cent', { percent: 0.5 }],
    ['a negative amount', { amountMinor: -1, currency: 'EUR' }],
    ['an amount of no currency', { amountMinor: 100 }],
    ['an amount of none that exists', { amountMinor: 100, currency: 'euro' }],
    ['a percentage of a currency', { percent: 10, currency: 'EUR' }],
    ['no uses', { percent: 10, maxRedemptions: 0 }],
    ['uses already made', { percent: 10, redeemed: 5 }],
    [
      'an end before its beginning',
      { percent: 10, validFrom: '2030-01-02T00:00:00Z', validUntil: '2030-01-01T00:00:00Z' },
    ],
    ['a code with blanks in it', { percent: 10, code: 'TWO WORDS' }],
    ['a code that is too short', { percent: 10, code: 'AB' }],
  ])('refuses %s', async (_name, input) => {
    expect(await create(input)).toMatchObject({ status: 400, body: { code: 'validation_failed' } });
  });

  it('refuses a code that is taken, and an event that is not the tenant’s', async () => {
    const code = await codeWith({ percent: 10 });
    expect(await create({ percent: 10, code: code.toLowerCase() })).toMatchObject({
      status: 409,
      body: { code: 'promo_code_taken' },
    });
    expect((await create({ percent: 10, code }, other.organiser)).status).toBe(201);
    const { event } = await openSale(other);
    expect(await create({ percent: 10, eventId: event.id })).toMatchObject({ status: 404 });
  });

  it('is for organisers of the tenant', async () => {
    const { body } = await create({ percent: 10 });
    expect((await create({ percent: 10 }, tenant.alice)).status).toBe(403);
    expect((await tenant.alice.get('/promo-codes')).status).toBe(403);
    expect((await tenant.alice.delete(`/promo-codes/${body.id}`)).status).toBe(403);
    expect((await other.organiser.delete(`/promo-codes/${body.id}`)).status).toBe(404);
    const list = await other.organiser.get<{ items: PromoView[] }>('/promo-codes?limit=100');
    expect(list.body.items.map(({ id }) => id)).not.toContain(body.id);
  });

  it('leaves the price of an order alone that was made before the code ended', async () => {
    const { body: promo } = await create({ percent: 50 });
    const order = await buy(tenant.alice, type, { promoCode: promo.code });
    await tenant.organiser.delete(`/promo-codes/${promo.id}`);
    expect(await tenant.alice.get(`/bookings/${order.orderId}`)).toMatchObject({
      body: { amountMinor: 1_250 },
    });
  });
});
