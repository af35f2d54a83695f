import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApp } from '../../src/api/app.ts';
import type { TicketTypeView } from '../../src/domain/events/schema.ts';
import type { OrderAnswer } from '../../src/domain/orders/schema.ts';
import { offerPlaces } from '../../src/domain/waiting/offer-places.ts';
import { resumeLists } from '../../src/domain/waiting/resume-lists.ts';
import type { EntryView } from '../../src/domain/waiting/schema.ts';
import { sweepOffers } from '../../src/domain/waiting/sweep-offers.ts';
import { toTenantId } from '../../src/platform/ids.ts';
import { buy, openSale, samplePurchase } from '../support/samples.ts';
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

const FAR = { startsAt: '2199-01-01T20:00:00Z', endsAt: '2199-01-01T23:00:00Z' };

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

type Refused = { code: string };

const query = async (text: string, values: unknown[] = []) =>
  (await ctx.database.owner.query(text, values)).rows;
const counters = async (typeId: string) =>
  (await query('select held, sold, waiting from inventory where ticket_type_id = $1', [typeId]))[0];

/** A type whose `capacity` places Alice has bought, one order each. */
async function soldOut(capacity = 1, settings: Record<string, unknown> = {}) {
  const { event, type } = await openSale(tenant, { event: FAR, type: { capacity, ...settings } });
  const orders: OrderAnswer[] = [];
  for (let i = 0; i < capacity; i++) orders.push(await buy(tenant.alice, type));
  return { event, type, orders };
}
const join = (client: Client, type: TicketTypeView, quantity = 1, email = `${randomUUID()}@example.com`) =>
  client.post<EntryView & Refused>(`/ticket-types/${type.id}/waiting-list`, {
    quantity,
    customerName: 'Fan',
    customerEmail: email,
  });
const entry = async (client: Client, id: string) => (await client.get<EntryView>(`/waiting-list/${id}`)).body;
const leave = (client: Client, id: string) => client.delete<EntryView & Refused>(`/waiting-list/${id}`);
const callOff = (order: OrderAnswer | undefined) =>
  tenant.alice.delete(`/bookings/${order?.orderId}`, { key: randomUUID() });
const take = (client: Client, reservationId: string | undefined, token = 'tok_success') =>
  client.post<OrderAnswer & Refused>(
    '/tickets/purchase',
    { reservationId, payment: { token } },
    { key: randomUUID() },
  );
const purchase = (client: Client, type: TicketTypeView) =>
  client.post<OrderAnswer & Refused>('/tickets/purchase', samplePurchase(type), { key: randomUUID() });
const offered = (client: Client, id: string) =>
  workers.until('an offer', async () => {
    const found = await entry(client, id);
    return found.state === 'offered' && found.offer;
  });
const person = (name: string, verifiedEmail = '') => tenant.as(name, 'buyer', { verifiedEmail });

describe('the waiting list', () => {
  it('takes people in their order, tells each where they stand, and lets them leave', async () => {
    const { type } = await soldOut();
    const [ann, ben, cem] = await Promise.all([person('ann'), person('ben'), person('cem')]);
    const first = await join(ann, type);
    expect(first).toMatchObject({ status: 201, body: { state: 'waiting', position: 1, offer: null } });
    const second = await join(ben, type, 2);
    const third = await join(cem, type);
    expect([second.body.position, third.body.position]).toEqual([2, 3]);
    expect(await counters(type.id)).toMatchObject({ waiting: 3 });
    expect(await leave(ben, second.body.id)).toMatchObject({
      status: 200,
      body: { state: 'left', position: null },
    });
    expect(await entry(cem, third.body.id)).toMatchObject({ position: 2 });
    expect(await counters(type.id)).toMatchObject({ waiting: 2 });
    expect(await leave(ben, second.body.id)).toMatchObject({ status: 409, body: { code: 'entry_over' } });
    expect((await join(ben, type)).body.position).toBe(3);
  });

  it('has each person once, however often they ask at once', async () => {
    const { type } = await soldOut();
    const answers = await Promise.all(Array.from({ length: 10 }, () => join(tenant.bob, type)));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(answers.filter(({ body }) => body.code === 'already_waiting')).toHaveLength(9);
    expect(await counters(type.id)).toMatchObject({ waiting: 1 });
  });

  it('sends people to the sale while there are places', async () => {
    const { type } = await openSale(tenant, { event: FAR, type: { capacity: 1 } });
    for (const quantity of [1, 2]) {
      expect(await join(tenant.bob, type, quantity)).toMatchObject({
        status: 409,
        body: { code: 'not_sold_out', available: 1 },
      });
    }
    expect((await purchase(tenant.alice, type)).status).toBe(201);
  });

  it.each<[string, Record<string, unknown>, number, string]>([
    ['more than an order may have', { perOrderLimit: 1 }, 2, 'order_limit_exceeded'],
    ['what is no longer on sale', { salesEndAt: '2001-01-01T00:00:00Z' }, 1, 'sales_closed'],
    ['what is not on sale yet', { salesStartAt: '2198-01-01T00:00:00Z' }, 1, 'sales_not_open'],
    ['what is not sold', { isActive: false }, 1, 'not_on_sale'],
  ])('does not take anybody for %s', async (_name, settings, quantity, code) => {
    const { type } = await openSale(tenant, { event: FAR, type: { capacity: 0, ...settings } });
    expect(await join(tenant.bob, type, quantity)).toMatchObject({ status: 409, body: { code } });
  });

  it('does not take who has as many as a person may have', async () => {
    const { type } = await soldOut(2, { perCustomerLimit: 2 });
    expect(await join(tenant.alice, type)).toMatchObject({
      status: 409,
      body: { code: 'customer_limit_exceeded' },
    });
    expect((await join(tenant.bob, type, 1, 'alice@example.com')).status).toBe(201);
  });

  it.each([0, 11, 1.5, '1'])('refuses a quantity of %j', async (quantity) => {
    const { type } = await soldOut();
    expect(await join(tenant.bob, type, quantity as number)).toMatchObject({ status: 400 });
  });

  it('is each person’s own, and staff’s to see', async () => {
    const { type } = await soldOut();
    const { body } = await join(tenant.bob, type);
    const path = `/waiting-list/${body.id}`;
    expect((await tenant.alice.get(path)).status).toBe(404);
    expect((await tenant.alice.delete(path)).status).toBe(404);
    expect((await other.support.get(path)).status).toBe(404);
    expect((await tenant.support.get(path)).status).toBe(200);
    expect((await join(other.bob, type)).status).toBe(404);
    expect((await join(tenant.scanner, type)).status).toBe(403);
  });
});

describe('a place that comes free', () => {
  it('is offered to the first in line, by mail, and is theirs to buy at its price', async () => {
    const { event, type, orders } = await soldOut();
    const ann = await person('ann');
    const email = `${randomUUID()}@example.com`;
    const { body } = await join(ann, type, 1, email);
    const { body: behind } = await join(tenant.bob, type);
    await callOff(orders[0]);
    const offer = await offered(ann, body.id);
    expect(Date.parse(offer.expiresAt) - clock.now().getTime()).toBe(30 * MINUTE);
    await workers.until('the mail', async () =>
      workers.mails(email).some(({ text }) => text.includes(offer.reservationId)),
    );
    expect(await entry(tenant.bob, behind.id)).toMatchObject({ state: 'waiting', position: 1 });
    const availability = await tenant.alice.get(`/events/${event.id}/availability`);
    expect(availability.body.ticketTypes).toMatchObject([{ available: 0, held: 1 }]);
    expect((await take(tenant.bob, offer.reservationId)).status).toBe(404);
    expect(await take(ann, offer.reservationId)).toMatchObject({ status: 201, body: { amountMinor: 2_500 } });
    expect(await counters(type.id)).toMatchObject({ held: 0, sold: 1, waiting: 1 });
    expect(await entry(ann, body.id)).toMatchObject({ state: 'accepted', offer: null });
    expect(await leave(ann, body.id)).toMatchObject({ status: 409, body: { code: 'entry_over' } });
    expect(await join(ann, type)).toMatchObject({ status: 201, body: { position: 2 } });
  });

  it('is nobody else’s in between: not by buying, not by reserving, not by joining late', async () => {
    const { type, orders } = await soldOut();
    await workers.stop();
    const ann = await person('ann');
    const { body } = await join(ann, type);
    await callOff(orders[0]);
    expect(await counters(type.id)).toMatchObject({ held: 0, sold: 0, waiting: 1 });
    clock.advance(1_000);
    expect(await purchase(tenant.bob, type)).toMatchObject({
      status: 409,
      body: { code: 'sold_out', available: 0 },
    });
    const { payment: _payment, ...wish } = samplePurchase(type);
    expect(await tenant.bob.post('/tickets/reserve', wish, { key: randomUUID() })).toMatchObject({
      status: 409,
    });
    const late = await join(tenant.bob, type);
    expect(late).toMatchObject({ status: 201, body: { position: 2 } });
    workers = await startWorkers(ctx);
    await offered(ann, body.id);
    expect(await entry(tenant.bob, late.body.id)).toMatchObject({ state: 'waiting', position: 1 });
  });

  it.each<[string, string, (client: Client, id: string, code: string) => Promise<unknown>]>([
    ['runs out', 'hold_expired', async () => clock.advance(30 * MINUTE)],
    ['is declined', 'hold_released', (client, id) => leave(client, id)],
    [
      'is given up as a reservation',
      'hold_released',
      (client, _id, code) => client.delete(`/tickets/reservation/${code}`),
    ],
    ['cannot be paid', 'hold_released', (client, _id, code) => take(client, code, 'tok_declined')],
  ])('goes to the next in line when its offer %s', async (_name, code, end) => {
    const { type, orders } = await soldOut();
    const [ann, ben] = await Promise.all([person('ann'), person('ben')]);
    const [{ body: first }, { body: second }] = [await join(ann, type), await join(ben, type)];
    await callOff(orders[0]);
    const offer = await offered(ann, first.id);
    await end(ann, first.id, offer.reservationId);
    const next = await offered(ben, second.id);
    expect(next.reservationId).not.toBe(offer.reservationId);
    expect(await entry(ann, first.id)).toMatchObject({
      state: expect.stringMatching(/^(expired|left)$/),
      offer: null,
    });
    expect(await take(ann, offer.reservationId)).toMatchObject({ status: 409, body: { code } });
    expect((await take(ben, next.reservationId)).status).toBe(201);
    expect(await counters(type.id)).toEqual({ held: 0, sold: 1, waiting: 0 });
  });

  it('is offered to the first whose wish it fulfils; who wants more keeps their place', async () => {
    const { type, orders } = await soldOut(3);
    const [ann, ben, cem] = await Promise.all([person('ann'), person('ben'), person('cem')]);
    const [{ body: large }, { body: small }] = [await join(ann, type, 2), await join(ben, type, 1)];
    const { body: last } = await join(cem, type, 1);
    await callOff(orders[0]);
    expect(await offered(ben, small.id)).toMatchObject({ quantity: 1 });
    expect(await entry(ann, large.id)).toMatchObject({ state: 'waiting', position: 1 });
    expect(await entry(cem, last.id)).toMatchObject({ state: 'waiting', position: 2 });
    await workers.stop();
    await callOff(orders[1]);
    await callOff(orders[2]);
    workers = await startWorkers(ctx);
    expect(await offered(ann, large.id)).toMatchObject({ quantity: 2 });
    expect(await entry(cem, last.id)).toMatchObject({ state: 'waiting', position: 1 });
    expect(await counters(type.id)).toEqual({ held: 3, sold: 0, waiting: 1 });
  });

  it('is offered as a part when it is too little for everybody, so that none stays empty', async () => {
    const { type, orders } = await soldOut(2);
    const [ann, ben] = await Promise.all([person('ann'), person('ben')]);
    const email = `${randomUUID()}@example.com`;
    const [{ body: first }, { body: second }] = [await join(ann, type, 4, email), await join(ben, type, 3)];
    await callOff(orders[0]);
    const offer = await offered(ann, first.id);
    expect(offer.quantity).toBe(1);
    await workers.until('the mail', async () =>
      workers.mails(email).some(({ text }) => text.includes('One ticket is held for you')),
    );
    expect(await entry(ann, first.id)).toMatchObject({ quantity: 4 });
    expect(await take(ann, offer.reservationId)).toMatchObject({ status: 201, body: { quantity: 1 } });
    expect(await entry(ben, second.id)).toMatchObject({ state: 'waiting', position: 1 });
    await callOff(orders[1]);
    expect(await offered(ben, second.id)).toMatchObject({ quantity: 1 });
  });

  it('stays on sale when nobody waits any more', async () => {
    const { event, type, orders } = await soldOut();
    const { body } = await join(tenant.bob, type);
    await callOff(orders[0]);
    await offered(tenant.bob, body.id);
    await leave(tenant.bob, body.id);
    const availability = await tenant.alice.get(`/events/${event.id}/availability`);
    expect(availability.body.ticketTypes).toMatchObject([{ available: 1, held: 0 }]);
    clock.advance(1_000);
    expect((await purchase(tenant.alice, type)).status).toBe(201);
  });

  it('cannot be declined while it is being paid for', async () => {
    const { type, orders } = await soldOut();
    const { body } = await join(tenant.bob, type);
    await callOff(orders[0]);
    const offer = await offered(tenant.bob, body.id);
    expect((await take(tenant.bob, offer.reservationId, 'tok_requires_action')).status).toBe(202);
    expect(await leave(tenant.bob, body.id)).toMatchObject({
      status: 409,
      body: { code: 'offer_in_payment' },
    });
    expect(await entry(tenant.bob, body.id)).toMatchObject({ state: 'offered' });
    clock.advance(31 * MINUTE);
    await workers.until('the end of the offer', async () => {
      await sweepOffers(ctx, ctx.database.relay);
      return (await entry(tenant.bob, body.id)).state === 'expired';
    });
  });

  it('is offered to nobody once the sale is over', async () => {
    const { type, orders } = await soldOut();
    const { body } = await join(tenant.bob, type);
    await query('update ticket_types set sales_end_at = $2 where id = $1', [type.id, clock.now()]);
    await callOff(orders[0]);
    await workers.until('a look', async () => (await query('select from outbox')).length === 0);
    expect(await offerPlaces(ctx, toTenantId(tenant.tenantId), type.id)).toBe(0);
    expect(await entry(tenant.bob, body.id)).toMatchObject({ state: 'waiting' });
    expect(await counters(type.id)).toEqual({ held: 0, sold: 0, waiting: 1 });
  });

  it('is offered whoever gave it back: also who only joined the line, and an organiser who only changed a name', async () => {
    for (const touch of [
      async (type: TicketTypeView) => void (await join(await person('late'), type)),
      (type: TicketTypeView) =>
        tenant.organiser.patch(`/ticket-types/${type.id}`, {
          name: 'Renamed',
          priceMinor: 2_500,
          capacity: 1,
        }),
    ]) {
      const { type } = await openSale(tenant, { event: FAR, type: { capacity: 1 } });
      const { payment: _payment, ...wish } = samplePurchase(type);
      expect((await tenant.alice.post('/tickets/reserve', wish, { key: randomUUID() })).status).toBe(201);
      const { body } = await join(tenant.bob, type);
      clock.advance(15 * MINUTE);
      await touch(type);
      await resumeLists(ctx, ctx.database.relay);
      expect(await entry(tenant.bob, body.id)).toMatchObject({ state: 'offered' });
    }
  });

  it('is offered to all who wait, however many they are', async () => {
    const { type } = await soldOut();
    const fans = await Promise.all(Array.from({ length: 130 }, (_, i) => person(`many-${i}`)));
    for (const fan of fans) expect((await join(fan, type)).status).toBe(201);
    await tenant.organiser.patch(`/ticket-types/${type.id}`, {
      name: 'More',
      priceMinor: 2_500,
      capacity: 500,
    });
    await workers.until(
      'all offers',
      async () => (await counters(type.id)).held === 130 && (await counters(type.id)).waiting === 0,
    );
  });

  it('is offered up to what a person may have, by account and by verified address, and to nobody beyond', async () => {
    const { type } = await soldOut(1, { perCustomerLimit: 3 });
    const email = `${randomUUID()}@example.com`;
    const [ann, ben, cem] = await Promise.all([
      person('ann', email),
      person('ben', email),
      person('cem', email),
    ]);
    const [{ body: first }, { body: second }, { body: third }] = [
      await join(ann, type, 2),
      await join(ben, type, 2),
      await join(cem, type, 2),
    ];
    await tenant.organiser.patch(`/ticket-types/${type.id}`, {
      name: 'More',
      priceMinor: 2_500,
      capacity: 20,
      perCustomerLimit: 3,
    });
    expect(await offered(ann, first.id)).toMatchObject({ quantity: 2 });
    expect(await offered(ben, second.id)).toMatchObject({ quantity: 1 });
    expect(await entry(cem, third.id)).toMatchObject({ state: 'waiting' });
    expect(await counters(type.id)).toMatchObject({ held: 3, waiting: 1 });
    for (const [fan, id] of [
      [ann, first.id],
      [ben, second.id],
    ] as const) {
      const { offer } = await entry(fan, id);
      expect((await take(fan, offer?.reservationId)).status).toBe(201);
    }
    await offerPlaces(ctx, toTenantId(tenant.tenantId), type.id);
    expect(await entry(cem, third.id)).toMatchObject({ state: 'expired', offer: null });
    expect(await counters(type.id)).toMatchObject({ held: 0, waiting: 0 });
    clock.advance(1_000);
    expect((await purchase(tenant.bob, type)).status).toBe(201);
  });

  it('is not offered without a seat: a list ends when its type gets seats', async () => {
    const { event, type } = await openSale(tenant, { event: FAR, type: { capacity: 0 } });
    const { body } = await join(tenant.bob, type);
    const seats = [{ number: '1' }, { number: '2' }];
    const sections = [{ name: 'Stalls', ticketTypeId: type.id, rows: [{ label: 'A', seats }] }];
    expect((await tenant.organiser.put(`/events/${event.id}/seat-map`, { sections })).status).toBe(200);
    expect(await entry(tenant.bob, body.id)).toMatchObject({ state: 'expired', position: null });
    expect(await offerPlaces(ctx, toTenantId(tenant.tenantId), type.id)).toBe(0);
    expect(await counters(type.id)).toEqual({ held: 0, sold: 0, waiting: 0 });
    expect(await join(tenant.bob, type)).toMatchObject({ status: 409, body: { code: 'seats_required' } });
  });

  it('is offered when the sale that was closed is open again', async () => {
    const { type, orders } = await soldOut();
    const { body } = await join(tenant.bob, type);
    await query('update ticket_types set is_active = false where id = $1', [type.id]);
    await callOff(orders[0]);
    await workers.until('a look', async () => (await query('select from outbox')).length === 0);
    expect(await resumeLists(ctx, ctx.database.relay)).toBe(0);
    await query('update ticket_types set is_active = true where id = $1', [type.id]);
    await resumeLists(ctx, ctx.database.relay);
    expect(await entry(tenant.bob, body.id)).toMatchObject({ state: 'offered' });
    expect(await counters(type.id)).toEqual({ held: 1, sold: 0, waiting: 0 });
    expect(await resumeLists(ctx, ctx.database.relay)).toBe(0);
  });

  it('never makes two of itself, whatever happens at once', async () => {
    const { type, orders } = await soldOut(6);
    const fans = await Promise.all(Array.from({ length: 12 }, (_, i) => person(`fan-${i}`)));
    const entries: EntryView[] = [];
    for (const fan of fans.slice(0, 8)) entries.push((await join(fan, type)).body);
    clock.advance(1_000);
    await Promise.all([
      ...orders.map(callOff),
      ...fans.slice(8).map((fan) => purchase(fan, type)),
      ...Array.from({ length: 8 }, () => offerPlaces(ctx, toTenantId(tenant.tenantId), type.id)),
      sweepOffers(ctx, ctx.database.relay),
    ]);
    const codes = await Promise.all(fans.slice(0, 6).map((fan, i) => offered(fan, entries[i]?.id ?? '')));
    expect(new Set(codes.map(({ reservationId }) => reservationId)).size).toBe(6);
    expect(await counters(type.id)).toEqual({ held: 6, sold: 0, waiting: 2 });
    const bought = await Promise.all([
      ...fans.slice(0, 6).map((fan, i) => take(fan, codes[i]?.reservationId)),
      ...fans.slice(8).map((fan) => purchase(fan, type)),
      ...Array.from({ length: 4 }, () => offerPlaces(ctx, toTenantId(tenant.tenantId), type.id)),
    ]);
    const sold = bought.filter((answer) => typeof answer === 'object' && answer.status === 201);
    expect(sold).toHaveLength(6);
    expect(await counters(type.id)).toEqual({ held: 0, sold: 6, waiting: 2 });
    const states = await query('select state from waiting_list where ticket_type_id = $1 order by id', [
      type.id,
    ]);
    expect(states.slice(6)).toEqual([{ state: 'waiting' }, { state: 'waiting' }]);
  });
});

describe('the gate before what is sold out', () => {
  const locked = async <T>(typeId: string, work: () => Promise<T>): Promise<T> => {
    const client = await ctx.database.owner.connect();
    try {
      await client.query('begin');
      await client.query('select from inventory where ticket_type_id = $1 for update', [typeId]);
      return await work();
    } finally {
      await client.query('rollback');
      client.release();
    }
  };

  it('answers a crowd without going to the row, for a moment', async () => {
    const { type } = await soldOut();
    expect((await purchase(tenant.bob, type)).status).toBe(409);
    await locked(type.id, async () => {
      const crowd = await Promise.all(Array.from({ length: 100 }, () => purchase(tenant.bob, type)));
      expect(crowd.every(({ body }) => body.code === 'sold_out')).toBe(true);
      const { payment: _payment, ...wish } = samplePurchase(type);
      const others = await Promise.all(
        Array.from({ length: 100 }, () => tenant.bob.post('/tickets/reserve', wish, { key: randomUUID() })),
      );
      expect(others.every(({ body }) => body.code === 'sold_out')).toBe(true);
    });
  });

  it('lets a reservation through that was answered before', async () => {
    const { type } = await openSale(tenant, { event: FAR, type: { capacity: 2 } });
    const { payment: _payment, ...wish } = samplePurchase(type, { quantity: 2 });
    const key = randomUUID();
    const first = await tenant.alice.post('/tickets/reserve', wish, { key });
    expect((await purchase(tenant.bob, type)).status).toBe(409);
    const again = await tenant.alice.post('/tickets/reserve', wish, { key });
    expect(again).toMatchObject({ status: 201, body: { reservationId: first.body.reservationId } });
    expect(await tenant.alice.post('/tickets/reserve', { ...wish, quantity: 1 }, { key })).toMatchObject({
      status: 422,
    });
  });

  it('lets through who was answered before, and who wants less than is left', async () => {
    const { type } = await openSale(tenant, { event: FAR, type: { capacity: 3 } });
    const key = randomUUID();
    const input = samplePurchase(type, { quantity: 2 });
    const first = await tenant.alice.post<OrderAnswer>('/tickets/purchase', input, { key });
    const refused = await tenant.bob.post('/tickets/purchase', input, { key: randomUUID() });
    expect(refused).toMatchObject({ status: 409, body: { code: 'sold_out', available: 1 } });
    const again = await tenant.alice.post<OrderAnswer>('/tickets/purchase', input, { key });
    expect(again).toMatchObject({ status: 201, body: { orderId: first.body.orderId } });
    expect((await purchase(tenant.bob, type)).status).toBe(201);
  });

  it('opens by itself, and at once when a place comes free', async () => {
    const { type, orders } = await soldOut();
    expect((await purchase(tenant.bob, type)).status).toBe(409);
    await callOff(orders[0]);
    expect((await purchase(tenant.bob, type)).status).toBe(201);
    expect((await purchase(tenant.bob, type)).status).toBe(409);
    await query('update inventory set capacity = 2 where ticket_type_id = $1', [type.id]);
    expect((await purchase(tenant.bob, type)).status).toBe(409);
    clock.advance(501);
    expect((await purchase(tenant.bob, type)).status).toBe(201);
  });
});
