import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApp } from '../../src/api/app.ts';
import type { EventView, TicketTypeView } from '../../src/domain/events/schema.ts';
import type { OrderAnswer } from '../../src/domain/orders/schema.ts';
import { buy, openSale, putOnChain, samplePurchase, sampleTicketType } from '../support/samples.ts';
import {
  createTestContext,
  createTestTenant,
  type TestContext,
  type TestTenant,
} from '../support/test-context.ts';
import { digestDatabase, expectProblem } from './support/problems.ts';

let ctx: TestContext;
let tenant: TestTenant;

beforeAll(async () => {
  ctx = await createTestContext();
  tenant = await createTestTenant(ctx, createApp(ctx));
});
afterAll(() => ctx.close());

const add = (eventId: string, overrides: Record<string, unknown> = {}) =>
  tenant.organiser.post<TicketTypeView>(`/events/${eventId}/ticket-types`, sampleTicketType(overrides));
const change = (type: TicketTypeView, changes: Record<string, unknown>) => {
  const { id, eventId, currency, version, isSeated, ...rest } = type;
  return tenant.organiser.put<TicketTypeView>(`/ticket-types/${id}`, { ...rest, ...changes });
};
const purchase = (type: { id: string; eventId: string }, overrides = {}, key = randomUUID()) =>
  tenant.alice.post<OrderAnswer>('/tickets/purchase', samplePurchase(type, overrides), { key });
const counters = async (type: { id: string }) =>
  (
    await ctx.database.owner.query('select capacity, held, sold from inventory where ticket_type_id = $1', [
      type.id,
    ])
  ).rows[0];
const available = async (eventId: string) => {
  const { body } = await tenant.alice.get<{ ticketTypes: { ticketTypeId: string; available: number }[] }>(
    `/events/${eventId}/availability`,
  );
  return Object.fromEntries(body.ticketTypes.map((one) => [one.ticketTypeId, one.available]));
};

describe('POST /events/{id}/ticket-types', () => {
  it('adds a type behind the others, on sale at once, with numbers of its own', async () => {
    const { event, type } = await openSale(tenant);
    expect(await available(event.id)).toEqual({ [type.id]: 100 });
    const input = sampleTicketType({
      name: 'Balcony',
      description: 'Seats',
      priceMinor: 9_900,
      capacity: 7,
      salesStartAt: '2020-01-01T00:00:00Z',
      salesEndAt: '2199-01-01T00:00:00Z',
      perOrderLimit: 2,
      maxEntries: 3,
    });
    const { status, body } = await tenant.organiser.post<TicketTypeView>(
      `/events/${event.id}/ticket-types`,
      input,
    );
    expect(status).toBe(201);
    expect(body).toMatchObject({
      ...input,
      salesStartAt: '2020-01-01T00:00:00.000Z',
      salesEndAt: '2199-01-01T00:00:00.000Z',
      eventId: event.id,
      currency: 'EUR',
      version: 1,
      isActive: true,
    });
    const shown = (await tenant.alice.get<EventView>(`/events/${event.id}`)).body;
    expect(shown.ticketTypes.map(({ id }) => id)).toEqual([type.id, body.id]);
    expect(shown.ticketTypes[1]).toEqual(body);
    expect(shown.totalCapacity).toBe(107);
    expect(await available(event.id)).toEqual({ [type.id]: 100, [body.id]: 7 });
    expect((await buy(tenant.alice, body)).tickets[0]?.ticketNumber).toBe('002-0000001');
    expect((await buy(tenant.alice, type)).tickets[0]?.ticketNumber).toBe('001-0000001');
  });

  it('gives twenty that come at once each their place', async () => {
    const { event } = await openSale(tenant);
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) => add(event.id, { name: `Type ${i}` })),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 201));
    const { rows } = await ctx.database.owner.query(
      'select ordinal from ticket_types where event_id = $1 order by ordinal',
      [event.id],
    );
    expect(rows.map(({ ordinal }) => ordinal)).toEqual(Array.from({ length: 21 }, (_, i) => i + 1));
  });

  it('adds none beyond the 999th, since the numbers of tickets end there', async () => {
    const { event, type } = await openSale(tenant);
    await ctx.database.owner.query('update ticket_types set ordinal = 999 where id = $1', [type.id]);
    expectProblem(await add(event.id), 409, 'too_many_ticket_types');
  });

  it.each<[string, Record<string, unknown>]>([
    ['no name', { name: undefined }],
    ['a name of 101 characters', { name: 'x'.repeat(101) }],
    ['no price', { priceMinor: undefined }],
    ['a price in quotes', { priceMinor: '2500' }],
    ['no capacity', { capacity: undefined }],
    ['a capacity in fractions', { capacity: 1.5 }],
    ['1001 entries', { maxEntries: 1_001 }],
    ['no tickets in an order', { perOrderLimit: 0 }],
    ['a currency of its own', { currency: 'USD' }],
    ['another event', { eventId: randomUUID() }],
    ['a place of its own', { ordinal: 1 }],
    ['tickets that are sold already', { sold: 1 }],
    [
      'a sale that ends as it begins',
      { salesStartAt: '2030-01-01T00:00:00Z', salesEndAt: '2030-01-01T00:00:00Z' },
    ],
  ])('refuses %s and writes nothing', async (_name, overrides) => {
    const { event } = await openSale(tenant);
    const before = await digestDatabase(ctx);
    expectProblem(await add(event.id, overrides), 400, 'validation_failed');
    expect(await digestDatabase(ctx)).toBe(before);
  });
});

describe('PUT /ticket-types/{id}', () => {
  it('replaces what can be edited and counts the version up', async () => {
    const { event, type } = await openSale(tenant);
    const { status, body } = await change(type, { name: 'Pit', priceMinor: 100, capacity: 5, maxEntries: 2 });
    expect(status).toBe(200);
    expect(body).toEqual({ ...type, name: 'Pit', priceMinor: 100, capacity: 5, maxEntries: 2, version: 2 });
    expect((await tenant.alice.get<EventView>(`/events/${event.id}`)).body.ticketTypes).toEqual([body]);
    expect(await available(event.id)).toEqual({ [type.id]: 5 });
  });

  it('is refused when the type changed since it was read', async () => {
    const { type } = await openSale(tenant);
    expect((await change(type, { name: 'A', version: 1 })).status).toBe(200);
    const answer = await change(type, { name: 'B', version: 1 });
    expectProblem(answer, 409, 'version_conflict');
    expect(answer.body).toMatchObject({ currentVersion: 2 });
  });

  it('does not change the price for those who hold places already', async () => {
    const { type } = await openSale(tenant, { type: { priceMinor: 1_000 } });
    const key = randomUUID();
    const input = { payment: { token: 'tok_requires_action' }, quantity: 2 };
    const first = await tenant.alice.post<{ nextAction: { url: string } }>(
      '/tickets/purchase',
      samplePurchase(type, input),
      { key },
    );
    expect((await change(type, { priceMinor: 9_000 })).status).toBe(200);
    await tenant.alice.post(new URL(first.body.nextAction.url).pathname.replace('/api', ''));
    const done = await purchase(type, input, key);
    expect(done).toMatchObject({ status: 201, body: { amountMinor: 2_000 } });
    const { body } = await tenant.alice.get(`/tickets/${done.body.tickets[0]?.id}`);
    expect(body).toMatchObject({ priceMinor: 1_000 });
    expect(await buy(tenant.alice, type)).toMatchObject({ amountMinor: 9_000 });
  });

  it('does not take the capacity below what is sold and held', async () => {
    const { event, type } = await openSale(tenant, { type: { capacity: 10 } });
    await buy(tenant.alice, type, { quantity: 3 });
    await purchase(type, { quantity: 2, payment: { token: 'tok_requires_action' } });
    expectProblem(await change(type, { capacity: 4 }), 409, 'capacity_below_sold');
    expect(await counters(type)).toEqual({ capacity: 10, held: 2, sold: 3 });
    expect((await change(type, { capacity: 5 })).status).toBe(200);
    expect(await available(event.id)).toEqual({ [type.id]: 0 });
    expectProblem(await purchase(type), 409, 'sold_out');
    expect((await change(type, { capacity: 6 })).status).toBe(200);
    expect((await purchase(type)).status).toBe(201);
  });

  it('tells the background of a new capacity, and only of that', async () => {
    const { event, type } = await openSale(tenant, { type: { capacity: 10 } });
    await change(type, { name: 'Pit' });
    await change(type, { capacity: 25 });
    const { rows } = await ctx.database.owner.query(
      "select m from outbox, jsonb_array_elements(messages::jsonb) m where m -> 'body' ->> 'ticketTypeId' = $1",
      [type.id],
    );
    expect(rows.map(({ m }) => m)).toMatchObject([
      {
        kind: 'ticket.capacity.updates',
        body: { eventId: event.id, ticketTypeId: type.id, capacityChange: 15, operation: 'edit' },
      },
    ]);
  });

  it('never oversells while capacity and sales change at once', async () => {
    const { type } = await openSale(tenant, { type: { capacity: 20, priceMinor: 0 } });
    const work = Array.from({ length: 40 }, (_, i) =>
      i % 4 === 0 ? change(type, { capacity: 20 - i / 4 }) : purchase(type, { payment: undefined }),
    );
    const answers = await Promise.all<{ status: number }>(work);
    for (const { status } of answers) expect([200, 201, 409]).toContain(status);
    const { capacity, sold, held } = await counters(type);
    expect(sold).toBeLessThanOrEqual(capacity);
    expect(held).toBe(0);
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(sold);
  });

  it('stands in no sale that has the places already: neither would ever end', async () => {
    const { type } = await openSale(tenant);
    const sale = await ctx.database.owner.connect();
    try {
      await sale.query('begin');
      await sale.query('select from inventory where ticket_type_id = $1 for update', [type.id]);
      const edit = change(type, { priceMinor: 1 });
      for (let waiting = 0; waiting === 0; ) {
        const { rowCount } = await ctx.database.owner.query(
          "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
        );
        waiting = rowCount ?? 0;
      }
      await sale.query('commit');
      expect((await edit).status).toBe(200);
    } finally {
      await sale.query('rollback');
      sale.release();
    }
  });

  it.each([
    ['takes it off sale', { isActive: false }, 'not_on_sale'],
    ['puts the sale off', { salesStartAt: '2199-01-01T00:00:00Z' }, 'sales_not_open'],
    ['ends the sale', { salesEndAt: '2001-01-01T00:00:00Z' }, 'sales_closed'],
    ['lets orders be smaller', { perOrderLimit: 1 }, 'order_limit_exceeded'],
  ])('%s', async (_name, changes, code) => {
    const { type } = await openSale(tenant);
    expect((await change(type, changes)).status).toBe(200);
    expectProblem(await purchase(type, { quantity: 2 }), 409, code);
    expect((await change(type, {})).status).toBe(200);
    expect((await purchase(type, { quantity: 2 })).status).toBe(201);
  });

  it.each([
    ['a version of 0', { version: 0 }],
    ['a negative capacity', { capacity: -1 }],
    ['a count of sold tickets', { sold: 0 }],
  ])('refuses %s', async (_name, changes) => {
    const { type } = await openSale(tenant);
    const before = await digestDatabase(ctx);
    expectProblem(await change(type, changes), 400, 'validation_failed');
    expect(await digestDatabase(ctx)).toBe(before);
  });
});

describe('DELETE /ticket-types/{id}', () => {
  it('removes a type of which nothing was ordered', async () => {
    const { event, type } = await openSale(tenant);
    const { body: second } = await add(event.id);
    expect(await available(event.id)).toEqual({ [type.id]: 100, [second.id]: 100 });
    const { status, body } = await tenant.organiser.delete(`/ticket-types/${second.id}`);
    expect([status, body]).toEqual([200, { id: second.id, outcome: 'deleted' }]);
    expect(await available(event.id)).toEqual({ [type.id]: 100 });
    expect((await tenant.alice.get<EventView>(`/events/${event.id}`)).body.ticketTypes).toEqual([type]);
    expectProblem(await purchase(second), 404, 'not_found');
    expectProblem(await tenant.organiser.delete(`/ticket-types/${second.id}`), 404, 'not_found');
    expect(await counters(second)).toBeUndefined();
  });

  it('only takes a type with tickets off sale, and they stay valid', async () => {
    const { event, type } = await openSale(tenant);
    const order = await buy(tenant.alice, type);
    const ticketId = order.tickets[0]?.id ?? '';
    await putOnChain(ctx, ticketId);
    const { body } = await tenant.organiser.delete(`/ticket-types/${type.id}`);
    expect(body).toEqual({ id: type.id, outcome: 'deactivated' });
    expectProblem(await purchase(type), 409, 'not_on_sale');
    expect((await tenant.alice.get<EventView>(`/events/${event.id}`)).body.ticketTypes).toMatchObject([
      { id: type.id, isActive: false, version: 2 },
    ]);
    const { code } = (await tenant.alice.get<{ code: string }>(`/tickets/${ticketId}/qr`)).body;
    const scan = { qr: code, eventId: event.id, nonce: randomUUID() };
    expect((await tenant.scanner.post('/tickets/validate', scan)).body).toMatchObject({ status: 'ok' });
  });

  it('gives the place of a removed type to the next, whose numbers begin anew', async () => {
    const { event } = await openSale(tenant);
    const { body: second } = await add(event.id);
    await tenant.organiser.delete(`/ticket-types/${second.id}`);
    const { body: third } = await add(event.id);
    expect((await buy(tenant.alice, third)).tickets[0]?.ticketNumber).toBe('002-0000001');
  });
});
