import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApp } from '../../src/api/app.ts';
import type { EventView } from '../../src/domain/events/schema.ts';
import type { OrderAnswer } from '../../src/domain/orders/schema.ts';
import type { LockView, SeatMapView } from '../../src/domain/seats/schema.ts';
import { openSale, sampleEvent, samplePurchase, sampleTicketType } from '../support/samples.ts';
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

const counters = async (typeId: string) =>
  (
    await ctx.database.owner.query('select capacity, held, sold from inventory where ticket_type_id = $1', [
      typeId,
    ])
  ).rows[0];

/** A hall with a stalls of `rows` rows of `seats`, and one box of two at another price. */
async function openHall(rows = 2, seats = 5) {
  const types = [
    sampleTicketType({ name: 'Stalls', capacity: 0 }),
    sampleTicketType({ name: 'Box', capacity: 0, priceMinor: 9_000 }),
  ];
  const { body: event } = await tenant.organiser.post<EventView>(
    '/events',
    sampleEvent({ ticketTypes: types }),
  );
  const [stalls, box] = event.ticketTypes.map((type) => type.id) as [string, string];
  const numbers = Array.from({ length: seats }, (_, i) => ({ number: String(i + 1) }));
  const sections = [
    {
      name: 'Stalls',
      ticketTypeId: stalls,
      rows: Array.from({ length: rows }, (_, i) => ({ label: String(i + 1), seats: numbers })),
    },
    { name: 'Box', ticketTypeId: box, rows: [{ label: 'A', seats: [{ number: '1' }, { number: '2' }] }] },
  ];
  const map = await tenant.organiser.put<SeatMapView>(`/events/${event.id}/seat-map`, { sections });
  if (map.status !== 200) throw new Error(JSON.stringify(map.body));
  const seat = (section: string, row: string, number: string): string =>
    map.body.sections
      .find(({ name }) => name === section)
      ?.rows.find(({ label }) => label === row)
      ?.seats.find((one) => one.number === number)?.id ?? '';
  return { event, stalls, box, sections, seat };
}

const lock = (buyer: Client, eventId: string, seatIds: string[], key = randomUUID()) =>
  buyer.post<LockView & { code: string; unavailable: string[] }>(
    '/seats/lock',
    { eventId, seatIds },
    { key },
  );
const best = (buyer: Client, eventId: string, ticketTypeId: string, quantity: number) =>
  buyer.post<LockView & { code: string }>(
    '/seats/lock',
    { eventId, bestAvailable: { ticketTypeId, quantity } },
    { key: randomUUID() },
  );
const book = (buyer: Client, lockId: string, token = 'tok_success', key = randomUUID()) =>
  buyer.post<OrderAnswer>(
    '/bookings',
    { lockId, customerName: 'Alice Example', customerEmail: 'alice@example.com', payment: { token } },
    { key },
  );
const stateOf = async (eventId: string, id: string): Promise<string | undefined> => {
  const { body } = await tenant.alice.get<SeatMapView>(`/events/${eventId}/seat-map`);
  return body.sections
    .flatMap(({ rows }) => rows.flatMap(({ seats }) => seats))
    .find((seat) => seat.id === id)?.state;
};

describe('PUT /events/{id}/seat-map', () => {
  it('makes the capacity of a ticket type the number of its seats', async () => {
    const { event, stalls, box } = await openHall(3, 4);
    expect(await counters(stalls)).toMatchObject({ capacity: 12 });
    expect(await counters(box)).toMatchObject({ capacity: 2 });
    const { body } = await tenant.alice.get<EventView>(`/events/${event.id}`);
    expect(body.ticketTypes.map((type) => type.isSeated)).toEqual([true, true]);
    const { rows } = await ctx.database.owner.query(
      `select m -> 'body' ->> 'ticketTypeId' as type, (m -> 'body' ->> 'capacityChange')::integer as change
       from outbox, json_array_elements(messages) m
       where m ->> 'kind' = 'ticket.capacity.updates' and m -> 'body' ->> 'eventId' = $1`,
      [event.id],
    );
    expect(rows).toHaveLength(2);
    expect(rows).toEqual(
      expect.arrayContaining([
        { type: stalls, change: 12 },
        { type: box, change: 2 },
      ]),
    );
  });

  it('reads the same map from CSV', async () => {
    const { event, stalls } = await openHall();
    const lines = [
      'section,row,seat,ticketTypeId,blocked',
      `"Upper, left",A,1,${stalls},`,
      `"Upper, left",A,2,${stalls},true`,
      `Stalls,1,1,${stalls},false`,
    ];
    const answer = await tenant.organiser.put<SeatMapView>(
      `/events/${event.id}/seat-map`,
      lines.join('\r\n'),
      {
        headers: { 'content-type': 'text/csv' },
      },
    );
    expect(answer.status).toBe(200);
    const upper = answer.body.sections.find(({ name }) => name === 'Upper, left');
    expect(upper?.rows[0]?.seats.map(({ number, state }) => [number, state])).toEqual([
      ['1', 'available'],
      ['2', 'blocked'],
    ]);
    expect(await counters(stalls)).toMatchObject({ capacity: 2 });
  });

  it.each([
    ['no header', 'Stalls,1,1,x', 'bad_csv'],
    ['a line too short', 'section,row,seat,ticketTypeId\nStalls,1', 'bad_csv'],
    ['an open quote', 'section,row,seat,ticketTypeId\n"Stalls,1,1,x', 'bad_csv'],
    [
      'a bad flag',
      'section,row,seat,ticketTypeId,blocked\nStalls,1,1,01a1fb73-2a39-702c-b4e0-f68636f16608,maybe',
      'bad_csv',
    ],
    ['a type that is none', 'section,row,seat,ticketTypeId\nStalls,1,1,x', 'bad_csv', 'Line 2: ticketTypeId'],
    [
      'a seat without a number',
      'section,row,seat,ticketTypeId\nStalls,1,,01a1fb73-2a39-702c-b4e0-f68636f16608',
      'bad_csv',
      'Line 2: seat',
    ],
    [
      'a column that is there twice',
      'section,row,seat,ticketTypeId,Row\nStalls,1,1,x,2',
      'bad_csv',
      'row twice',
    ],
    ['a header alone', 'section,row,seat,ticketTypeId\n', 'bad_csv', 'no seat'],
    ['nothing in it', '', 'bad_csv', 'no seat'],
  ])('refuses CSV with %s', async (_name, text, code, detail = '') => {
    const { event } = await openHall();
    const answer = await tenant.organiser.put(`/events/${event.id}/seat-map`, text, {
      headers: { 'content-type': 'text/csv' },
    });
    expect(answer).toMatchObject({ status: 400, body: { code, detail: expect.stringContaining(detail) } });
  });

  it('refuses no body, and a body of another form', async () => {
    const { event } = await openHall();
    for (const given of [undefined, {}, { sections: 'all' }, { sections: [], colour: 'red' }]) {
      const answer = await tenant.organiser.put(`/events/${event.id}/seat-map`, given);
      expect(answer).toMatchObject({ status: 400, body: { code: 'validation_failed' } });
    }
  });

  it('keeps seats that are held or sold, and refuses a map without them', async () => {
    const { event, sections, seat } = await openHall(1, 3);
    await lock(tenant.alice, event.id, [seat('Stalls', '1', '2')]);
    const without = {
      sections: [{ ...sections[0], rows: [{ label: '1', seats: [{ number: '1' }] }] }, sections[1]],
    };
    const answer = await tenant.organiser.put(`/events/${event.id}/seat-map`, without);
    expect(answer).toMatchObject({ status: 409, body: { code: 'seats_in_use', seats: ['Stalls 1-2'] } });
    const larger = {
      sections: [
        { ...sections[0], rows: [{ label: '1', seats: ['1', '2', '3', '4'].map((number) => ({ number })) }] },
        sections[1],
      ],
    };
    expect((await tenant.organiser.put(`/events/${event.id}/seat-map`, larger)).status).toBe(200);
    expect(await stateOf(event.id, seat('Stalls', '1', '2'))).toBe('held');
  });

  it.each([
    ['a seat that is there twice', [{ number: '1' }, { number: '1' }], 400, 'seat_twice'],
    [
      'a type of another event',
      [{ number: '1', ticketTypeId: '01a1fb73-2a39-702c-b4e0-f68636f16608' }],
      404,
      'not_found',
    ],
  ])('refuses %s', async (_name, seats, status, code) => {
    const { event, stalls } = await openHall();
    const sections = [{ name: 'S', ticketTypeId: stalls, rows: [{ label: '1', seats }] }];
    expect(await tenant.organiser.put(`/events/${event.id}/seat-map`, { sections })).toMatchObject({
      status,
      body: { code },
    });
  });

  it('is for organisers, and for events of the tenant', async () => {
    const { event, sections } = await openHall();
    expect((await tenant.alice.put(`/events/${event.id}/seat-map`, { sections })).status).toBe(403);
    expect((await other.organiser.put(`/events/${event.id}/seat-map`, { sections })).status).toBe(404);
    expect((await other.organiser.get(`/events/${event.id}/seat-map`)).status).toBe(404);
  });
});

describe('POST /seats/lock', () => {
  it('locks all the seats for five minutes, at their prices', async () => {
    const { event, stalls, box, seat } = await openHall();
    const ids = [seat('Stalls', '1', '3'), seat('Box', 'A', '1'), seat('Stalls', '1', '2')];
    const { status, body } = await lock(tenant.alice, event.id, ids);
    expect(status).toBe(201);
    expect(body.lockId).toMatch(/^LCK_/);
    expect(body).toMatchObject({ totalPriceMinor: 14_000, timeRemaining: '00:05:00', currency: 'EUR' });
    expect(body.seats.map(({ id, label }) => [id, label])).toEqual([
      [ids[0], 'Stalls 1-3'],
      [ids[1], 'Box A-1'],
      [ids[2], 'Stalls 1-2'],
    ]);
    expect(await counters(stalls)).toMatchObject({ held: 2 });
    expect(await counters(box)).toMatchObject({ held: 1 });
    expect(await stateOf(event.id, ids[0] as string)).toBe('held');
  });

  it('locks nothing when one seat is taken, and names it', async () => {
    const { event, stalls, seat } = await openHall();
    await lock(tenant.alice, event.id, [seat('Stalls', '1', '1')]);
    const answer = await lock(tenant.bob, event.id, [seat('Stalls', '1', '1'), seat('Stalls', '1', '2')]);
    expect(answer).toMatchObject({
      status: 409,
      body: { code: 'seats_unavailable', unavailable: [seat('Stalls', '1', '1')] },
    });
    expect(await counters(stalls)).toMatchObject({ held: 1 });
    expect(await stateOf(event.id, seat('Stalls', '1', '2'))).toBe('available');
  });

  it('frees the seats after five minutes without a sweeper, with a higher fence for the next', async () => {
    const { event, stalls, seat } = await openHall();
    const first = await lock(tenant.alice, event.id, [seat('Stalls', '1', '1')]);
    clock.advance(5 * MINUTE);
    expect(await stateOf(event.id, seat('Stalls', '1', '1'))).toBe('available');
    const second = await lock(tenant.bob, event.id, [seat('Stalls', '1', '1')]);
    expect(second.status).toBe(201);
    expect(second.body.fence).toBeGreaterThan(first.body.fence);
    expect(await book(tenant.alice, first.body.lockId)).toMatchObject({
      status: 409,
      body: { code: 'hold_expired' },
    });
    expect(await counters(stalls)).toMatchObject({ held: 1, sold: 0 });
  });

  it('gives a lock up at once', async () => {
    const { event, seat } = await openHall();
    const { body } = await lock(tenant.alice, event.id, [seat('Stalls', '1', '1')]);
    expect((await tenant.bob.delete(`/seats/lock/${body.lockId}`)).status).toBe(404);
    expect((await tenant.alice.delete(`/seats/lock/${body.lockId}`)).status).toBe(200);
    expect((await lock(tenant.bob, event.id, [seat('Stalls', '1', '1')])).status).toBe(201);
  });

  it('gives overlapping wishes that come at once each seat once', async () => {
    const { event, stalls, seat } = await openHall(1, 8);
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, i) => {
        const first = (i % 7) + 1;
        return lock(tenant.alice, event.id, [
          seat('Stalls', '1', String(first)),
          seat('Stalls', '1', String(first + 1)),
        ]);
      }),
    );
    const won = answers
      .filter(({ status }) => status === 201)
      .flatMap(({ body }) => body.seats.map(({ id }) => id));
    expect(new Set(won).size).toBe(won.length);
    expect(won.length).toBeGreaterThan(0);
    expect(await counters(stalls)).toMatchObject({ held: won.length });
    for (const { status, body } of answers)
      if (status === 409) expect(body.unavailable.length).toBeGreaterThan(0);
  });

  it('finds the best seats side by side, in the middle of the first row', async () => {
    const { event, stalls } = await openHall(2, 5);
    const first = await best(tenant.alice, event.id, stalls, 3);
    expect(first.body.seats.map(({ label }) => label)).toEqual(['Stalls 1-2', 'Stalls 1-3', 'Stalls 1-4']);
    const second = await best(tenant.bob, event.id, stalls, 2);
    expect(second.body.seats.map(({ label }) => label)).toEqual(['Stalls 2-2', 'Stalls 2-3']);
    const none = await best(tenant.bob, event.id, stalls, 4);
    expect(none).toMatchObject({ status: 409, body: { code: 'no_adjacent_seats' } });
    const { type: standing } = await openSale(tenant);
    for (const [eventId, ticketTypeId, section] of [
      [event.id, randomUUID(), undefined],
      [event.id, standing.id, undefined],
      [standing.eventId, standing.id, undefined],
      [event.id, stalls, 'Balcony'],
    ]) {
      const answer = await tenant.bob.post(
        '/seats/lock',
        { eventId, bestAvailable: { ticketTypeId, quantity: 1, section } },
        { key: randomUUID() },
      );
      expect(answer).toMatchObject({ status: 404, body: { code: 'not_found' } });
    }
  });

  it('takes the rows as they were uploaded, the frontmost first, and a row in parts as one', async () => {
    const { event, stalls, box } = await openHall();
    const numbers = (from: number, count: number) =>
      Array.from({ length: count }, (_, i) => ({ number: String(from + i) }));
    const map = await tenant.organiser.put<SeatMapView>(`/events/${event.id}/seat-map`, {
      sections: [
        {
          name: 'Stalls',
          ticketTypeId: stalls,
          rows: [
            { label: 'Front', seats: numbers(1, 2) },
            { label: 'AA', seats: numbers(1, 4) },
            { label: 'Front', seats: numbers(3, 2) },
          ],
        },
        { name: 'Balcony', ticketTypeId: stalls, rows: [{ label: 'A', seats: numbers(1, 4) }] },
        { name: 'Box', ticketTypeId: box, rows: [{ label: 'A', seats: numbers(1, 2) }] },
      ],
    });
    expect(map.body.sections.map(({ name, rows }) => [name, rows.map(({ label }) => label)])).toEqual([
      ['Stalls', ['Front', 'AA']],
      ['Balcony', ['A']],
      ['Box', ['A']],
    ]);
    const taken = async () =>
      (await best(tenant.alice, event.id, stalls, 4)).body.seats.map(({ label }) => label);
    expect(await taken()).toEqual(['Stalls Front-1', 'Stalls Front-2', 'Stalls Front-3', 'Stalls Front-4']);
    expect(await taken()).toEqual(['Stalls AA-1', 'Stalls AA-2', 'Stalls AA-3', 'Stalls AA-4']);
    expect(await taken()).toEqual(['Balcony A-1', 'Balcony A-2', 'Balcony A-3', 'Balcony A-4']);
  });

  it('gives the last pair side by side to one of many', async () => {
    const { event, box } = await openHall();
    const answers = await Promise.all(Array.from({ length: 60 }, () => best(tenant.alice, event.id, box, 2)));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(59);
    expect(await counters(box)).toMatchObject({ held: 2 });
  });

  it('answers a repetition the same, of best seats too', async () => {
    const { event, stalls, seat } = await openHall();
    const key = randomUUID();
    const first = await lock(tenant.alice, event.id, [seat('Stalls', '1', '1')], key);
    expect((await lock(tenant.alice, event.id, [seat('Stalls', '1', '1')], key)).body.lockId).toBe(
      first.body.lockId,
    );
    const wish = { eventId: event.id, bestAvailable: { ticketTypeId: stalls, quantity: 2 } };
    const other = randomUUID();
    const one = await tenant.alice.post<LockView>('/seats/lock', wish, { key: other });
    const two = await tenant.alice.post<LockView>('/seats/lock', wish, { key: other });
    expect(two.body.lockId).toBe(one.body.lockId);
    expect(await counters(stalls)).toMatchObject({ held: 3 });
  });

  it('refuses blocked, unknown, foreign and doubled seats, each by name', async () => {
    const { event, sections, stalls, seat } = await openHall(1, 3);
    const blocked = {
      ...sections[0],
      rows: [{ label: '1', seats: [{ number: '1', blocked: true }, { number: '2' }, { number: '3' }] }],
    };
    await tenant.organiser.put(`/events/${event.id}/seat-map`, { sections: [blocked, sections[1]] });
    expect(await counters(stalls)).toMatchObject({ capacity: 2 });
    expect(await lock(tenant.alice, event.id, [seat('Stalls', '1', '1')])).toMatchObject({
      status: 409,
      body: { code: 'seats_unavailable' },
    });
    expect(await lock(tenant.alice, event.id, [randomUUID()])).toMatchObject({
      status: 404,
      body: { code: 'seat_not_found' },
    });
    const twice = [seat('Stalls', '1', '2'), seat('Stalls', '1', '2')];
    expect((await lock(tenant.alice, event.id, twice)).status).toBe(400);
    expect((await lock(other.alice, event.id, [seat('Stalls', '1', '2')])).status).toBe(404);
    expect(
      (
        await lock(
          tenant.alice,
          event.id,
          Array.from({ length: 11 }, () => randomUUID()),
        )
      ).status,
    ).toBe(400);
  });

  it('is the only way to buy what is sold by the seat', async () => {
    const { event, stalls } = await openHall();
    const direct = await tenant.alice.post(
      '/tickets/purchase',
      samplePurchase({ id: stalls, eventId: event.id }),
      { key: randomUUID() },
    );
    expect(direct).toMatchObject({ status: 409, body: { code: 'seats_required' } });
  });
});

describe('POST /bookings', () => {
  it('turns a lock into tickets with seats, of several types', async () => {
    const { event, stalls, box, seat } = await openHall();
    const ids = [seat('Stalls', '1', '3'), seat('Box', 'A', '1')];
    const { body } = await lock(tenant.alice, event.id, ids);
    const booked = await book(tenant.alice, body.lockId);
    expect(booked).toMatchObject({
      status: 201,
      body: { amountMinor: 11_500, quantity: 2, ticketTypeId: null },
    });
    expect(booked.body.tickets.map(({ seat }) => seat).sort()).toEqual(['Box A-1', 'Stalls 1-3']);
    expect(await counters(stalls)).toMatchObject({ held: 0, sold: 1 });
    expect(await counters(box)).toMatchObject({ held: 0, sold: 1 });
    expect(await stateOf(event.id, ids[0] as string)).toBe('sold');
    expect((await lock(tenant.bob, event.id, ids)).status).toBe(409);
    const view = await tenant.alice.get(`/bookings/${booked.body.orderId}`);
    expect(view).toMatchObject({ status: 200, body: { status: 'paid', refunds: [] } });
    expect((await tenant.bob.get(`/bookings/${booked.body.orderId}`)).status).toBe(404);
    expect((await other.support.get(`/bookings/${booked.body.orderId}`)).status).toBe(404);
  });

  it('frees the seats of a payment that is refused', async () => {
    const { event, stalls, seat } = await openHall();
    const { body } = await lock(tenant.alice, event.id, [seat('Stalls', '1', '1')]);
    expect(await book(tenant.alice, body.lockId, 'tok_declined')).toMatchObject({ status: 402 });
    expect(await counters(stalls)).toMatchObject({ held: 0, sold: 0 });
    expect((await lock(tenant.bob, event.id, [seat('Stalls', '1', '1')])).status).toBe(201);
  });

  it('is refused by the database when two would have one seat', async () => {
    const { event, seat } = await openHall();
    const { body } = await lock(tenant.alice, event.id, [seat('Stalls', '1', '1')]);
    await book(tenant.alice, body.lockId);
    const { rows } = await ctx.database.owner.query('select * from tickets where seat_id = $1', [
      seat('Stalls', '1', '1'),
    ]);
    await expect(
      ctx.database.owner.query(
        `insert into tickets (tenant_id, id, event_id, ticket_type_id, order_id, user_id, ticket_number, holder_name, seat_id, status,
           status_actor, price_minor, currency, created_at, updated_at)
         select tenant_id, gen_random_uuid(), event_id, ticket_type_id, order_id, 'bob', 'X', 'Bob', seat_id, 'sold', 'x', 0, 'EUR', now(), now()
         from tickets where id = $1`,
        [rows[0].id],
      ),
    ).rejects.toMatchObject({ constraint: 'tickets_one_per_seat' });
  });

  it('is called off with its seats free, its money back and its tickets dead', async () => {
    const { event, stalls, seat } = await openHall();
    const { body } = await lock(tenant.alice, event.id, [seat('Stalls', '1', '1'), seat('Stalls', '1', '2')]);
    const booked = await book(tenant.alice, body.lockId);
    const cancelled = await tenant.alice.delete(`/bookings/${booked.body.orderId}`, { key: randomUUID() });
    expect(cancelled).toMatchObject({
      status: 200,
      body: { status: 'cancelled', refunds: [{ amountMinor: 5_000, status: 'requested' }] },
    });
    expect(await counters(stalls)).toMatchObject({ held: 0, sold: 0 });
    expect((await lock(tenant.bob, event.id, [seat('Stalls', '1', '1')])).status).toBe(201);
    const [ticket] = booked.body.tickets;
    expect(await tenant.alice.get(`/tickets/${ticket?.id}/qr`)).toMatchObject({
      status: 409,
      body: { ticketStatus: 'cancelled' },
    });
    const again = await tenant.alice.delete(`/bookings/${booked.body.orderId}`, { key: randomUUID() });
    expect(again).toMatchObject({ status: 409, body: { code: 'order_not_paid' } });
  });
});
