import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApp } from '../../src/api/app.ts';
import { expireHolds } from '../../src/domain/inventory/expire-holds.ts';
import type { ReservationView } from '../../src/domain/inventory/schema.ts';
import type { OrderAnswer } from '../../src/domain/orders/schema.ts';
import { buy, openSale, samplePurchase } from '../support/samples.ts';
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

const query = async (text: string, values: unknown[] = []) =>
  (await ctx.database.owner.query(text, values)).rows;
const counters = async (typeId: string) =>
  (await query('select held, sold, issued from inventory where ticket_type_id = $1', [typeId]))[0];

const wish = (type: { id: string; eventId: string }, overrides: Record<string, unknown> = {}) => {
  const { payment: _payment, ...wanted } = samplePurchase(type, overrides);
  return wanted;
};
const reserve = (
  buyer: Client,
  type: { id: string; eventId: string },
  overrides: Record<string, unknown> = {},
) => buyer.post<ReservationView>('/tickets/reserve', wish(type, overrides), { key: randomUUID() });
const checkOut = (buyer: Client, reservationId: string, overrides: Record<string, unknown> = {}) =>
  buyer.post<OrderAnswer>(
    '/tickets/purchase',
    { reservationId, payment: { token: 'tok_success' }, ...overrides },
    { key: randomUUID() },
  );

describe('POST /tickets/reserve', () => {
  it('holds places for 15 minutes with numbers, price and id', async () => {
    const { type } = await openSale(tenant);
    const { status, body } = await reserve(tenant.alice, type, { quantity: 3 });
    expect(status).toBe(201);
    expect(body.reservationId).toMatch(/^RES_\d{14}_[0-9A-HJKMNP-TV-Z]{8}$/);
    expect(body.tickets.map((ticket) => ticket.ticketNumber)).toEqual([
      '001-0000001',
      '001-0000002',
      '001-0000003',
    ]);
    expect(body).toMatchObject({ totalPriceMinor: 7_500, currency: 'EUR', timeRemaining: '00:15:00' });
    expect(Date.parse(body.expiresAt) - clock.now().getTime()).toBe(15 * MINUTE);
    expect(await counters(type.id)).toMatchObject({ held: 3, sold: 0 });
  });

  it('answers a repetition the same and holds once', async () => {
    const { type } = await openSale(tenant);
    const key = randomUUID();
    const first = await tenant.alice.post('/tickets/reserve', wish(type), { key });
    const again = await tenant.alice.post('/tickets/reserve', wish(type), { key });
    expect(again).toMatchObject({ status: 201, body: first.body });
    expect(await counters(type.id)).toMatchObject({ held: 1 });
    const changed = await tenant.alice.post('/tickets/reserve', wish(type, { quantity: 2 }), { key });
    expect(changed).toMatchObject({ status: 422, body: { code: 'idempotency_key_reused' } });
  });

  it('gives the last place to one of many', async () => {
    const { type } = await openSale(tenant, { type: { capacity: 1 } });
    const answers = await Promise.all(Array.from({ length: 60 }, () => reserve(tenant.alice, type)));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(59);
  });

  it('keeps the price of the moment when the organiser raises it', async () => {
    const { type } = await openSale(tenant);
    const { body } = await reserve(tenant.alice, type);
    await ctx.database.owner.query('update ticket_types set price_minor = 9900 where id = $1', [type.id]);
    const order = await checkOut(tenant.alice, body.reservationId);
    expect(order).toMatchObject({ status: 201, body: { amountMinor: 2_500 } });
  });

  it('lets nobody hold more than the limit for one person, by account or by verified address', async () => {
    const { type } = await openSale(tenant, { type: { perCustomerLimit: 3 } });
    const alice = await tenant.as('alice', 'buyer', { verifiedEmail: 'alice@example.com' });
    const again = await tenant.as('alice-again', 'buyer', { verifiedEmail: 'ALICE@example.com' });
    expect((await reserve(alice, type, { quantity: 2 })).status).toBe(201);
    const over = await reserve(alice, type, { quantity: 2 });
    expect(over).toMatchObject({ status: 409, body: { code: 'customer_limit_exceeded', limit: 3 } });
    const byMail = await reserve(again, type, { quantity: 2, customerEmail: 'other@example.com' });
    expect(byMail).toMatchObject({ status: 409, body: { code: 'customer_limit_exceeded' } });
    expect(
      (await reserve(tenant.bob, type, { quantity: 2, customerEmail: 'alice@example.com' })).status,
    ).toBe(201);
    await buy(tenant.alice, type, { quantity: 1 });
    const direct = await tenant.alice.post('/tickets/purchase', samplePurchase(type), { key: randomUUID() });
    expect(direct).toMatchObject({ status: 409, body: { code: 'customer_limit_exceeded' } });
  });

  it('keeps the limit when many requests of one person come at once', async () => {
    const { type } = await openSale(tenant, { type: { perCustomerLimit: 4 } });
    const answers = await Promise.all(Array.from({ length: 20 }, () => reserve(tenant.alice, type)));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(4);
  });

  it.each([
    ['quantity 0', { quantity: 0 }, 400],
    ['quantity 11', { quantity: 11 }, 400],
    ['half a ticket', { quantity: 1.5 }, 400],
    ['a quantity in quotes', { quantity: '2' }, 400],
    ['a price', { priceMinor: 1 }, 400],
    ['an unknown ticket type', { ticketTypeId: '01a1fb73-2a39-702c-b4e0-f68636f16608' }, 404],
  ])('refuses %s and holds nothing', async (_name, overrides, status) => {
    const { type } = await openSale(tenant);
    expect((await reserve(tenant.alice, type, overrides)).status).toBe(status);
    expect(await counters(type.id)).toEqual({ held: 0, sold: 0, issued: 0 });
  });

  it('does not know the ticket types of another tenant', async () => {
    const { type } = await openSale(other);
    expect(await reserve(tenant.alice, type)).toMatchObject({ status: 404, body: { code: 'not_found' } });
  });
});

describe('a reservation', () => {
  it('can be looked at by its owner and by staff, with and without the cache', async () => {
    const { type } = await openSale(tenant);
    const { body } = await reserve(tenant.alice, type);
    clock.advance(MINUTE);
    const path = `/tickets/reservation/${body.reservationId}`;
    expect(await tenant.alice.get(path)).toMatchObject({
      status: 200,
      body: { timeRemaining: '00:14:00', quantity: 1 },
    });
    await ctx.cache.delete(`t:${tenant.tenantId}:reservation:${body.reservationId}` as never);
    const { timeRemaining: _time, ...kept } = body;
    expect(await tenant.support.get(path)).toMatchObject({ status: 200, body: kept });
    expect((await tenant.bob.get(path)).status).toBe(404);
    expect((await other.alice.get(path)).status).toBe(404);
  });

  it('becomes the tickets it promised, once', async () => {
    const { type } = await openSale(tenant);
    const { body } = await reserve(tenant.alice, type, { quantity: 2 });
    await buy(tenant.bob, type);
    const [first, second] = await Promise.all([
      checkOut(tenant.alice, body.reservationId),
      checkOut(tenant.alice, body.reservationId),
    ]);
    const [sold, refused] = first.status === 201 ? [first, second] : [second, first];
    expect(sold.status).toBe(201);
    expect(sold.body.tickets.map((ticket) => ticket.ticketNumber)).toEqual(
      body.tickets.map((ticket) => ticket.ticketNumber),
    );
    expect(refused).toMatchObject({ status: 409, body: { code: 'hold_used' } });
    expect(await counters(type.id)).toMatchObject({ held: 0, sold: 3 });
  });

  it('is nobody else’s to buy', async () => {
    const { type } = await openSale(tenant);
    const { body } = await reserve(tenant.alice, type);
    expect(await checkOut(tenant.bob, body.reservationId)).toMatchObject({
      status: 404,
      body: { code: 'not_found' },
    });
    expect(await checkOut(other.alice, body.reservationId)).toMatchObject({ status: 404 });
    expect(await counters(type.id)).toMatchObject({ held: 1, sold: 0 });
  });

  it('gives its places back at once when it is cancelled', async () => {
    const { event, type } = await openSale(tenant, { type: { capacity: 1 } });
    const { body } = await reserve(tenant.alice, type);
    expect(await reserve(tenant.bob, type)).toMatchObject({ status: 409, body: { code: 'sold_out' } });
    expect((await tenant.bob.delete(`/tickets/reservation/${body.reservationId}`)).status).toBe(404);
    expect(await tenant.alice.delete(`/tickets/reservation/${body.reservationId}`)).toMatchObject({
      status: 200,
    });
    const availability = await tenant.alice.get<{ ticketTypes: unknown[] }>(
      `/events/${event.id}/availability`,
    );
    expect(availability.body.ticketTypes).toMatchObject([{ available: 1, held: 0 }]);
    expect((await reserve(tenant.bob, type)).status).toBe(201);
    const again = await tenant.alice.delete(`/tickets/reservation/${body.reservationId}`);
    expect(again).toMatchObject({ status: 409, body: { code: 'hold_over' } });
    expect(await checkOut(tenant.alice, body.reservationId)).toMatchObject({
      status: 409,
      body: { code: 'hold_released' },
    });
  });

  it('frees its places when its time is up, without any sweeper', async () => {
    const { event, type } = await openSale(tenant, { type: { capacity: 1 } });
    const { body } = await reserve(tenant.alice, type);
    clock.advance(15 * MINUTE);
    expect((await tenant.alice.get(`/tickets/reservation/${body.reservationId}`)).status).toBe(404);
    const availability = await tenant.alice.get<{ ticketTypes: unknown[] }>(
      `/events/${event.id}/availability`,
    );
    expect(availability.body.ticketTypes).toMatchObject([{ available: 1, held: 0 }]);
    expect((await reserve(tenant.bob, type)).status).toBe(201);
    expect(await checkOut(tenant.alice, body.reservationId)).toMatchObject({
      status: 409,
      body: { code: 'hold_expired' },
    });
    expect(await counters(type.id)).toMatchObject({ held: 1, sold: 0 });
  });

  it('is cleaned up in the background, and its owner told', async () => {
    const { type } = await openSale(tenant);
    const { body } = await reserve(tenant.alice, type, { quantity: 2 });
    clock.advance(15 * MINUTE);
    await expireHolds(ctx, ctx.database.relay);
    expect(await counters(type.id)).toMatchObject({ held: 0 });
    const told = await query(`select messages from outbox where messages::text like '%' || $1 || '%'`, [
      body.reservationId,
    ]);
    expect(JSON.stringify(told)).toContain('hold.expired');
  });

  it('has its owner told once, also when another buyer takes its places before the cleaning', async () => {
    const { type } = await openSale(tenant, { type: { capacity: 1 } });
    const { body } = await reserve(tenant.alice, type);
    clock.advance(15 * MINUTE);
    await buy(tenant.bob, type);
    await expireHolds(ctx, ctx.database.relay);
    const told = await query(
      `select m -> 'body' ->> 'userId' as "userId", m -> 'body' ->> 'code' as code
       from outbox, jsonb_array_elements(messages::jsonb) m where m ->> 'kind' = 'hold.expired' and m -> 'body' ->> 'ticketTypeId' = $1`,
      [type.id],
    );
    expect(told).toEqual([{ userId: 'alice', code: body.reservationId }]);
  });

  it('survives the moment in which it is paid, even past its time', async () => {
    const { type } = await openSale(tenant, { type: { capacity: 1 } });
    const { body } = await reserve(tenant.alice, type);
    clock.advance(14.9 * MINUTE);
    const key = randomUUID();
    const request = { reservationId: body.reservationId, payment: { token: 'tok_requires_action' } };
    const pending = await tenant.alice.post<{ nextAction: { url: string } }>('/tickets/purchase', request, {
      key,
    });
    expect(pending.status).toBe(202);
    clock.advance(5 * MINUTE);
    expect((await reserve(tenant.bob, type)).status).toBe(409);
    await tenant.alice.post(new URL(pending.body.nextAction.url).pathname.replace('/api', ''));
    expect((await tenant.alice.post('/tickets/purchase', request, { key })).status).toBe(201);
  });

  it('cannot be bought together with a choice of its own', async () => {
    const { type } = await openSale(tenant);
    const { body } = await reserve(tenant.alice, type);
    expect((await checkOut(tenant.alice, body.reservationId, { quantity: 2 })).status).toBe(400);
    expect((await checkOut(tenant.alice, 'RES_1')).status).toBe(400);
    expect(await checkOut(tenant.alice, body.reservationId, { currency: 'USD' })).toMatchObject({
      status: 409,
      body: { code: 'wrong_currency' },
    });
  });
});
