import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createApp } from '../../src/api/app.ts';
import type { EventView } from '../../src/domain/events/schema.ts';
import type { ReservationView } from '../../src/domain/inventory/schema.ts';
import type { OrderAnswer } from '../../src/domain/orders/schema.ts';
import type { LockView, SeatMapView } from '../../src/domain/seats/schema.ts';
import { booksOf } from '../support/provider-books.ts';
import { buy, openSale, sampleEvent, samplePurchase, sampleTicketType } from '../support/samples.ts';
import { createTestClock, MINUTE, type TestClock } from '../support/test-clock.ts';
import {
  type Client,
  createTestContext,
  createTestTenant,
  type TestContext,
  type TestTenant,
} from '../support/test-context.ts';

let ctx: TestContext;
let clock: TestClock;
let tenant: TestTenant;
let other: TestTenant;

beforeAll(async () => {
  clock = createTestClock();
  ctx = await createTestContext({ clock });
  const app = createApp(ctx);
  tenant = await createTestTenant(ctx, app);
  other = await createTestTenant(ctx, app, 'Other');
});
afterAll(() => ctx.close());

type Body = Record<string, unknown>;
type Refused = { status: number; body: { code: string } };

const FAR = { startsAt: '2199-01-01T20:00:00Z', endsAt: '2199-01-01T23:00:00Z' };
const customer = { customerName: 'Alice Example', customerEmail: 'alice@example.com' };
const payment = { token: 'tok_success' };

const query = async (text: string, values: unknown[] = []) =>
  (await ctx.database.owner.query(text, values)).rows;
const counters = async (typeId: string) =>
  (await query('select held, sold from inventory where ticket_type_id = $1', [typeId]))[0];

/** Everything that a sale writes, counted. */
async function footprint(): Promise<unknown> {
  const tables = [
    'orders',
    'order_state_transitions',
    'payments',
    'test_provider_charges',
    'tickets',
    'holds',
    'event_ticket_transactions',
    'outbox',
    'idempotency_keys',
  ];
  const counts = tables.map((table) => `(select count(*) from ${table}) as ${table}`).join(', ');
  const held = `(select coalesce(sum(held + sold + issued), 0) from inventory) as counted`;
  return (await query(`select ${counts}, ${held}`))[0];
}

async function refused(request: () => Promise<Refused>, status: number, code: string): Promise<void> {
  const before = await footprint();
  expect(await request()).toMatchObject({ status, body: { code } });
  expect(await footprint(), 'nothing is written, nothing is charged').toEqual(before);
}

async function openHall(type: Body = {}, seats = 6) {
  const input = sampleEvent({ ...FAR, ticketTypes: [sampleTicketType({ capacity: 1, ...type })] });
  const { body: event } = await tenant.organiser.post<EventView>('/events', input);
  const [stalls] = event.ticketTypes;
  if (!stalls) throw new Error('no ticket type');
  const row = { label: '1', seats: Array.from({ length: seats }, (_, i) => ({ number: String(i + 1) })) };
  const { body: map } = await tenant.organiser.put<SeatMapView>(`/events/${event.id}/seat-map`, {
    sections: [{ name: 'Stalls', ticketTypeId: stalls.id, rows: [row] }],
  });
  const seatIds = map.sections[0]?.rows[0]?.seats.map(({ id }) => id) ?? [];
  return { event, type: stalls, seatIds };
}

const post = <T = Body>(client: Client, path: string, body: Body, key = randomUUID()) =>
  client.post<T & { code: string }>(path, body, { key });

/** The three ways to buy: each takes two places first, or on the way, and says how to pay for them. */
const ways = {
  'from a reservation': async (type: Body = {}) => {
    const { event, type: wanted } = await openSale(tenant, { event: FAR, type });
    const { payment: _payment, ...wish } = samplePurchase(wanted, { quantity: 2 });
    const { body } = await post<ReservationView>(tenant.alice, '/tickets/reserve', wish);
    return {
      path: '/tickets/purchase',
      event,
      type: wanted,
      body: { reservationId: body.reservationId, payment },
    };
  },
  'from a seat lock': async (type: Body = {}) => {
    const { event, type: wanted, seatIds } = await openHall(type);
    const lock = { eventId: event.id, seatIds: seatIds.slice(0, 2) };
    const { body } = await post<LockView>(tenant.alice, '/seats/lock', lock);
    return { path: '/bookings', event, type: wanted, body: { lockId: body.lockId, ...customer, payment } };
  },
  directly: async (type: Body = {}) => {
    const { event, type: wanted } = await openSale(tenant, { event: FAR, type });
    return { path: '/tickets/purchase', event, type: wanted, body: samplePurchase(wanted, { quantity: 2 }) };
  },
};

describe.each(Object.entries(ways))('buying %s', (_name, prepare) => {
  it('holds, pays and confirms', async () => {
    const { path, event, type, body } = await prepare();
    const { status, body: order } = await post<OrderAnswer>(tenant.alice, path, body);
    expect(status).toBe(201);
    expect(order).toMatchObject({ status: 'paid', eventId: event.id, quantity: 2, amountMinor: 5_000 });
    expect(order.tickets).toHaveLength(2);
    expect(await counters(type.id)).toEqual({ held: 0, sold: 2 });
    expect(await booksOf(ctx, order.orderId)).toEqual({ charged: 5_000, paidBack: 0 });
    expect(
      await query('select to_status from order_state_transitions where order_id = $1 order by version', [
        order.orderId,
      ]),
    ).toEqual([{ to_status: 'pending' }, { to_status: 'paid' }]);
    expect(await tenant.alice.get(`/bookings/${order.orderId}`)).toMatchObject({
      status: 200,
      body: { status: 'paid', customerName: 'Alice Example', refunds: [] },
    });
    expect(await tenant.alice.get(`/transactions/${order.transactionId}`)).toMatchObject({
      status: 200,
      body: { orderId: order.orderId, amountMinor: 5_000, status: 'completed' },
    });
  });

  it('has its places held while the bank asks the buyer, and sold when they come back', async () => {
    const { path, type, body } = await prepare();
    const key = randomUUID();
    const input = { ...body, payment: { token: 'tok_requires_action' } };
    const pending = await post<{ nextAction: { url: string } }>(tenant.alice, path, input, key);
    expect(pending.status).toBe(202);
    expect(await counters(type.id)).toEqual({ held: 2, sold: 0 });
    await tenant.alice.post(new URL(pending.body.nextAction.url).pathname.replace('/api', ''));
    expect((await post(tenant.alice, path, input, key)).status).toBe(201);
    expect(await counters(type.id)).toEqual({ held: 0, sold: 2 });
  });

  it('frees the places when the card is refused', async () => {
    const { path, type, body } = await prepare();
    const answer = await post(tenant.alice, path, { ...body, payment: { token: 'tok_declined' } });
    expect(answer).toMatchObject({
      status: 402,
      body: { code: 'payment_failed', failureCode: 'card_declined' },
    });
    expect(await counters(type.id)).toEqual({ held: 0, sold: 0 });
  });

  it('keeps the places and writes nothing when a payment is forgotten', async () => {
    const { path, body } = await prepare();
    const { payment: _payment, ...unpaid } = body as Body;
    await refused(() => post(tenant.alice, path, unpaid), 400, 'payment_missing');
    expect((await post(tenant.alice, path, body)).status).toBe(201);
  });

  it('is free when there is nothing to pay, and asks nobody', async () => {
    const { path, type, body } = await prepare({ priceMinor: 0 });
    const { payment: _payment, ...unpaid } = body as Body;
    const { status, body: order } = await post<OrderAnswer>(tenant.alice, path, unpaid);
    expect(status).toBe(201);
    expect(order).toMatchObject({ status: 'paid', amountMinor: 0 });
    expect(await counters(type.id)).toEqual({ held: 0, sold: 2 });
    expect(await query('select from payments where order_id = $1', [order.orderId])).toEqual([]);
  });

  it('refuses another currency', async () => {
    const { path, body } = await prepare();
    await refused(() => post(tenant.alice, path, { ...body, currency: 'USD' }), 409, 'wrong_currency');
  });

  it('refuses an event that was closed meanwhile', async () => {
    const { path, event, body } = await prepare();
    await query('update events set is_active = false where id = $1', [event.id]);
    // Who holds places hears what became of the event; to who does not it is none.
    if ('reservationId' in body || 'lockId' in body)
      await refused(() => post(tenant.alice, path, body), 409, 'not_on_sale');
    else await refused(() => post(tenant.alice, path, body), 404, 'not_found');
  });

  it.each<[string, Body]>([
    ['a price', { priceMinor: 1 }],
    ['an amount', { amountMinor: 1 }],
    ['a discount', { discountMinor: 4_999 }],
    ['a status', { status: 'paid' }],
    ['a tenant', { tenantId: '00000000-0000-7000-8000-000000000000' }],
    ['a user', { userId: 'bob' }],
    ['a currency in words', { currency: 'euros' }],
    ['an empty token', { payment: { token: '' } }],
    ['a token that is none', { payment: { token: 7 } }],
    ['a card number beside the token', { payment: { token: 'tok_success', card: '4242424242424242' } }],
  ])('refuses %s in the request', async (_name, overrides) => {
    const { path, body } = await prepare();
    await refused(() => post(tenant.alice, path, { ...body, ...overrides }), 400, 'validation_failed');
  });

  it('refuses a request without an idempotency key, or with one used for another request', async () => {
    const { path, body } = await prepare();
    await refused(() => tenant.alice.post(path, body), 400, 'validation_failed');
    const key = randomUUID();
    expect((await post(tenant.alice, path, body, key)).status).toBe(201);
    await refused(
      () => post(tenant.alice, path, { ...body, notes: 'Aisle' }, key),
      422,
      'idempotency_key_reused',
    );
    const again = await post(tenant.alice, path, body, key);
    expect(again.status).toBe(201);
  });

  it('sells once when the same request comes many times at once', async () => {
    const { path, type, body } = await prepare();
    const key = randomUUID();
    const answers = await Promise.all(Array.from({ length: 12 }, () => post(tenant.alice, path, body, key)));
    const sold = answers.filter(({ status }) => status === 201);
    expect(sold.length).toBeGreaterThan(0);
    for (const { status, body } of answers.filter((answer) => answer.status !== 201))
      expect([status, body.code]).toEqual([409, 'idempotency_in_flight']);
    expect(await counters(type.id)).toEqual({ held: 0, sold: 2 });
  });

  it('is not for scanners, nor without a token', async () => {
    const { path, body } = await prepare();
    await refused(() => post(tenant.scanner, path, body), 403, 'forbidden');
  });
});

describe('what is bought directly', () => {
  it.each([
    ['none', 0],
    ['eleven', 11],
    ['one and a half', 1.5],
    ['two in quotes', '2'],
    ['minus one', -1],
    ['more than a number holds', 1e300],
  ])('cannot be %s', async (_name, quantity) => {
    const { type } = await openSale(tenant, { event: FAR });
    await refused(
      () => post(tenant.alice, '/tickets/purchase', samplePurchase(type, { quantity })),
      400,
      'validation_failed',
    );
  });

  it.each<[string, { event?: Body; type?: Body }, string]>([
    ['is sold out', { type: { capacity: 1 } }, 'sold_out'],
    ['is of an inactive ticket type', { type: { isActive: false } }, 'not_on_sale'],
    ['is not on sale yet', { type: { salesStartAt: '2199-01-01T00:00:00Z' } }, 'sales_not_open'],
    ['is no longer on sale', { type: { salesEndAt: '2001-01-01T00:00:00Z' } }, 'sales_closed'],
    ['is more than an order may have', { type: { perOrderLimit: 1 } }, 'order_limit_exceeded'],
    ['is more than a person may have', { type: { perCustomerLimit: 1 } }, 'customer_limit_exceeded'],
  ])('is refused when it %s', async (_name, sale, code) => {
    const { type } = await openSale(tenant, { ...sale, event: { ...FAR, ...sale.event } });
    await refused(
      () => post(tenant.alice, '/tickets/purchase', samplePurchase(type, { quantity: 2 })),
      409,
      code,
    );
  });

  it('is refused after the event, whenever the sale was to end', async () => {
    const { event, type } = await openSale(tenant, {
      event: FAR,
      type: { salesEndAt: '2199-12-31T00:00:00Z' },
    });
    await query(
      "update events set starts_at = $2::timestamptz - interval '1 hour', ends_at = $2 where id = $1",
      [event.id, clock.now()],
    );
    await refused(() => post(tenant.alice, '/tickets/purchase', samplePurchase(type)), 409, 'sales_closed');
  });

  it('is refused with a type of another event, of another tenant, or that nobody has', async () => {
    const { event } = await openSale(tenant, { event: FAR });
    const { type: elsewhere } = await openSale(tenant, { event: FAR });
    const { type: foreign } = await openSale(other, { event: FAR });
    for (const wanted of [
      { id: elsewhere.id, eventId: event.id },
      foreign,
      { id: randomUUID(), eventId: event.id },
    ]) {
      await refused(() => post(tenant.alice, '/tickets/purchase', samplePurchase(wanted)), 404, 'not_found');
    }
  });
});

it('a ticket has a number of its own, however many there were before', async () => {
  const { type } = await openSale(tenant, { event: FAR });
  await query('update inventory set issued = 9999998 where ticket_type_id = $1', [type.id]);
  const { body } = await post<OrderAnswer>(
    tenant.alice,
    '/tickets/purchase',
    samplePurchase(type, { quantity: 3 }),
  );
  expect(body.tickets.map(({ ticketNumber }) => ticketNumber)).toEqual([
    '001-9999999',
    '001-10000000',
    '001-10000001',
  ]);
});

describe.each(['from a reservation', 'from a seat lock'] as const)('what was held %s', (way) => {
  let held: Awaited<ReturnType<(typeof ways)[typeof way]>>;
  beforeEach(async () => {
    held = await ways[way]();
  });

  it('is refused when its time was up', async () => {
    clock.advance(15 * MINUTE);
    await refused(() => post(tenant.alice, held.path, held.body), 409, 'hold_expired');
  });

  it('is refused when the event is over', async () => {
    await query(
      "update events set starts_at = $2::timestamptz - interval '1 hour', ends_at = $2 where id = $1",
      [held.event.id, clock.now()],
    );
    await refused(() => post(tenant.alice, held.path, held.body), 409, 'sales_closed');
  });

  it('is nobody else’s to pay', async () => {
    await refused(() => post(tenant.bob, held.path, held.body), 404, 'not_found');
    await refused(() => post(tenant.support, held.path, held.body), 404, 'not_found');
    await refused(() => post(other.alice, held.path, held.body), 404, 'not_found');
  });

  it('stays its owner’s when somebody else asks for it in the same moment', async () => {
    const [stranger, first, second, owner] = await Promise.all([
      post(tenant.bob, held.path, held.body),
      post(tenant.bob, held.path, held.body),
      post(tenant.support, held.path, held.body),
      post(tenant.alice, held.path, held.body),
    ]);
    expect([stranger.status, first.status, second.status, owner.status]).toEqual([404, 404, 404, 201]);
  });

  it('is used once, by whichever request comes first', async () => {
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => post(tenant.alice, held.path, held.body)),
    );
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(answers.filter(({ body }) => body.code === 'hold_used')).toHaveLength(7);
    expect(await counters(held.type.id)).toEqual({ held: 0, sold: 2 });
    await refused(() => post(tenant.alice, held.path, held.body), 409, 'hold_used');
  });

  it('is over when it was given up', async () => {
    const code = Object.values(held.body)[0] as string;
    await tenant.alice.delete(
      way === 'from a seat lock' ? `/seats/lock/${code}` : `/tickets/reservation/${code}`,
    );
    await refused(() => post(tenant.alice, held.path, held.body), 409, 'hold_released');
  });

  it('is refused under an id that nobody has, and under one that is none', async () => {
    const name = Object.keys(held.body)[0] as string;
    const unknown = { ...held.body, [name]: 'RES_20260101000000_ABCDEFGH' };
    await refused(() => post(tenant.alice, held.path, unknown), 404, 'not_found');
    for (const id of ['', 'RES_1', "RES_20260101000000_' or 1=1", 7, null]) {
      await refused(
        () => post(tenant.alice, held.path, { ...held.body, [name]: id }),
        400,
        'validation_failed',
      );
    }
  });

  it('no longer shows itself as a reservation once it was bought', async () => {
    if (way === 'from a seat lock') return;
    const path = `/tickets/reservation/${Object.values(held.body)[0]}`;
    expect((await tenant.alice.get(path)).status).toBe(200);
    await post(tenant.alice, held.path, held.body);
    expect((await tenant.alice.get(path)).status).toBe(404);
  });
});

describe('limits', () => {
  const lock = (client: Client, eventId: string, seatIds: string[]) =>
    post(client, '/seats/lock', { eventId, seatIds });

  it('hold for seats too, in one lock, in several and at once', async () => {
    const order = await openHall({ perOrderLimit: 2 });
    await refused(
      () => lock(tenant.alice, order.event.id, order.seatIds.slice(0, 3)),
      409,
      'order_limit_exceeded',
    );
    const person = await openHall({ perCustomerLimit: 3 });
    expect((await lock(tenant.alice, person.event.id, person.seatIds.slice(0, 2))).status).toBe(201);
    await refused(
      () => lock(tenant.alice, person.event.id, person.seatIds.slice(2, 4)),
      409,
      'customer_limit_exceeded',
    );
    expect((await lock(tenant.bob, person.event.id, person.seatIds.slice(2, 4))).status).toBe(201);
    const crowd = await openHall({ perCustomerLimit: 2 });
    const answers = await Promise.all(
      crowd.seatIds.map((seat) => lock(tenant.alice, crowd.event.id, [seat])),
    );
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(2);
    expect(await counters(crowd.type.id)).toEqual({ held: 2, sold: 0 });
  });

  it('hold for one verified address, whoever locked or reserved before it was, one after the other and at once', async () => {
    const names = ['x1', 'x2', 'x3', 'x4'];
    const verifiedEmail = `${randomUUID()}@example.com`;
    const fans = await Promise.all(names.map((name) => tenant.as(name, 'buyer')));
    const verified = await Promise.all(names.map((name) => tenant.as(name, 'buyer', { verifiedEmail })));
    const { event, type, seatIds } = await openHall({ perCustomerLimit: 2 }, 8);
    const locks = await Promise.all(
      fans.map((fan, i) => lock(fan, event.id, seatIds.slice(2 * i, 2 * i + 2))),
    );
    const book = (i: number) =>
      post(verified[i] as Client, '/bookings', {
        lockId: locks[i]?.body.lockId,
        ...customer,
        payment,
      });
    expect((await book(0)).status).toBe(201);
    await refused(() => book(1), 409, 'customer_limit_exceeded');
    const together = await Promise.all([book(2), book(3), book(1)]);
    expect(together.map(({ body }) => body.code)).toEqual(Array(3).fill('customer_limit_exceeded'));
    expect(await counters(type.id)).toEqual({ held: 6, sold: 2 });

    const { type: standing } = await openSale(tenant, { event: FAR, type: { perCustomerLimit: 2 } });
    const reserved = await Promise.all(
      fans.map((fan, i) => {
        const { payment: _payment, ...wish } = samplePurchase(standing, {
          quantity: 2,
          customerEmail: `own-${i}-${verifiedEmail}`,
        });
        return post<ReservationView>(fan, '/tickets/reserve', wish);
      }),
    );
    const bought = await Promise.all(
      verified.map((fan, i) =>
        post(fan, '/tickets/purchase', {
          reservationId: reserved[i]?.body.reservationId,
          payment,
        }),
      ),
    );
    expect(bought.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(bought.filter(({ body }) => body.code === 'customer_limit_exceeded')).toHaveLength(3);
    expect(await counters(standing.id)).toEqual({ held: 6, sold: 2 });
  });

  it('are asked for the name and the address that the lock came with', async () => {
    const { event, type, seatIds } = await openHall({}, 2);
    const contact = { customerName: 'Lou Lock', customerEmail: `${randomUUID()}@example.com` };
    const [seat, other] = seatIds;
    const { body: named } = await post<LockView>(tenant.alice, '/seats/lock', {
      eventId: event.id,
      seatIds: [seat],
      ...contact,
    });
    const booked = await post<OrderAnswer>(tenant.alice, '/bookings', { lockId: named.lockId, payment });
    expect(booked.status).toBe(201);
    expect((await tenant.alice.get(`/bookings/${booked.body.orderId}`)).body).toMatchObject(contact);
    const { body: nameless } = await lock(tenant.alice, event.id, [other as string]);
    await refused(
      () => post(tenant.alice, '/bookings', { lockId: nameless.lockId, payment }),
      400,
      'customer_missing',
    );
    expect(await counters(type.id)).toEqual({ held: 1, sold: 1 });
  });

  it('do not count for an address what was only tried in its name', async () => {
    const { type } = await openSale(tenant, { event: FAR, type: { perCustomerLimit: 2 } });
    const mallory = await tenant.as('mallory', 'buyer');
    const { payment: _payment, ...wish } = samplePurchase(type, {
      quantity: 2,
      customerEmail: `${randomUUID()}@example.com`,
    });
    const { body: held } = await post<ReservationView>(mallory, '/tickets/reserve', wish);
    const victim = `${randomUUID()}@example.com`;
    for (const [extra, code] of [
      [{ payment, promoCode: 'NO-SUCH-CODE' }, 'promo_invalid'],
      [{}, 'payment_missing'],
    ] as const) {
      const tried = { reservationId: held.reservationId, customerEmail: victim, ...extra };
      expect((await post(mallory, '/tickets/purchase', tried)).body.code).toBe(code);
    }
    const bought = await post(
      tenant.bob,
      '/tickets/purchase',
      samplePurchase(type, { quantity: 2, customerEmail: victim }),
    );
    expect(bought.status).toBe(201);
  });

  it('hold for one verified address among locks that come together', async () => {
    const { event, type, seatIds } = await openHall({ perCustomerLimit: 2 }, 8);
    const email = `${randomUUID()}@example.com`;
    const fans = await Promise.all(
      ['y1', 'y2', 'y3', 'y4'].map((name, i) =>
        tenant.as(name, 'buyer', { verifiedEmail: i % 2 ? email.toUpperCase() : email }),
      ),
    );
    const answers = await Promise.all(
      fans.map((fan, i) =>
        post(fan, '/seats/lock', {
          eventId: event.id,
          seatIds: seatIds.slice(2 * i, 2 * i + 2),
        }),
      ),
    );
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(answers.filter(({ body }) => body.code === 'customer_limit_exceeded')).toHaveLength(3);
    expect(await counters(type.id)).toEqual({ held: 2, sold: 0 });
  });

  it('let a person buy all that they hold', async () => {
    const { type } = await openSale(tenant, { event: FAR, type: { perCustomerLimit: 2 } });
    const { payment: _payment, ...wish } = samplePurchase(type);
    const held = await Promise.all([
      post<ReservationView>(tenant.alice, '/tickets/reserve', wish),
      post<ReservationView>(tenant.alice, '/tickets/reserve', wish),
    ]);
    const bought = await Promise.all(
      held.map(({ body }) =>
        post(tenant.alice, '/tickets/purchase', { reservationId: body.reservationId, payment }),
      ),
    );
    expect(bought.map(({ status }) => status)).toEqual([201, 201]);
  });

  it('count what a person has bought, not what came back', async () => {
    const { type } = await openSale(tenant, { event: FAR, type: { perCustomerLimit: 2 } });
    const order = await buy(tenant.alice, type, { quantity: 2 });
    const again = () => post(tenant.alice, '/tickets/purchase', samplePurchase(type));
    await refused(again, 409, 'customer_limit_exceeded');
    await tenant.alice.delete(`/bookings/${order.orderId}`, { key: randomUUID() });
    expect((await again()).status).toBe(201);
  });
});
