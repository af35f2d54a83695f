import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApp } from '../../src/api/app.ts';
import type { EventView } from '../../src/domain/events/schema.ts';
import type { SeatMapView } from '../../src/domain/seats/schema.ts';
import { openSale, sampleEvent, samplePurchase, sampleTicketType } from '../support/samples.ts';
import { createTestClock, MINUTE } from '../support/test-clock.ts';
import {
  type Client,
  createTestContext,
  createTestTenant,
  type TestContext,
  type TestTenant,
  testConfig,
} from '../support/test-context.ts';

const clock = createTestClock();
const HELD = 20;
const PER_MINUTE = 30;
const PER_ADDRESS = 40;

let ctx: TestContext;
let tenant: TestTenant;
let other: TestTenant;

beforeAll(async () => {
  const config = testConfig({
    MAX_HELD_PLACES: String(HELD),
    HOLDS_PER_MINUTE: String(PER_MINUTE),
    HOLDS_PER_MINUTE_AND_ADDRESS: String(PER_ADDRESS),
    TRUSTED_PROXIES: '1',
  });
  ctx = await createTestContext({ clock, config });
  const app = createApp(ctx);
  tenant = await createTestTenant(ctx, app);
  other = await createTestTenant(ctx, app, 'Other');
});
afterAll(() => ctx.close());

const buyer = (of = tenant): Promise<Client> => of.as(`user-${randomUUID()}`, 'buyer');
type Type = { id: string; eventId: string };
const reserve = (client: Client, type: Type, quantity = 1, headers: Record<string, string> = {}) => {
  const { payment: _payment, ...wish } = samplePurchase(type, { quantity });
  return client.post<{ code?: string; limit?: number; reservationId: string }>('/tickets/reserve', wish, {
    key: randomUUID(),
    headers,
  });
};
const held = async (type: Type): Promise<number> =>
  (await ctx.database.owner.query('select held from inventory where ticket_type_id = $1', [type.id])).rows[0]
    .held;

async function openHall(seats: number) {
  const input = sampleEvent({ ticketTypes: [sampleTicketType({ capacity: 1 })] });
  const { body: event } = await tenant.organiser.post<EventView>('/events', input);
  const type = event.ticketTypes[0] as Type;
  const row = { label: '1', seats: Array.from({ length: seats }, (_, i) => ({ number: String(i + 1) })) };
  const { body: map } = await tenant.organiser.put<SeatMapView>(`/events/${event.id}/seat-map`, {
    sections: [{ name: 'Stalls', ticketTypeId: type.id, rows: [row] }],
  });
  return { event, type, seatIds: map.sections[0]?.rows[0]?.seats.map(({ id }) => id) ?? [] };
}

describe('a buyer who wants every place', () => {
  it(`holds ${HELD} of 500, whether they ask one by one or at once`, async () => {
    const { type } = await openSale(tenant, { type: { capacity: 500 } });
    const greedy = await buyer();
    const answers = await Promise.all(Array.from({ length: 25 }, () => reserve(greedy, type, 10)));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(HELD / 10);
    const refused = answers.filter(({ status }) => status !== 201);
    for (const { status, body } of refused)
      expect({ status, code: body.code, limit: body.limit }).toEqual({
        status: 409,
        code: 'hold_limit_exceeded',
        limit: HELD,
      });
    expect(await held(type)).toBe(HELD);
    expect((await reserve(await buyer(), type, 10)).status).toBe(201);
  });

  it('does not get around it by another ticket type, and may hold places of another event', async () => {
    const type = { name: 'Standing', priceMinor: 100, capacity: 100 };
    const { event } = await openSale(tenant, {
      event: { ticketTypes: [type, { ...type, name: 'Balcony' }] },
    });
    const [first, second] = event.ticketTypes as Type[] as [Type, Type];
    const greedy = await buyer();
    expect((await reserve(greedy, first, 10)).status).toBe(201);
    expect((await reserve(greedy, second, 10)).status).toBe(201);
    expect((await reserve(greedy, first)).body.code).toBe('hold_limit_exceeded');
    expect((await reserve(greedy, second)).body.code).toBe('hold_limit_exceeded');
    const { type: elsewhere } = await openSale(tenant);
    expect((await reserve(greedy, elsewhere, 10)).status).toBe(201);
  });

  it('may hold as many again when the holds are over, given up or paid for', async () => {
    const { type } = await openSale(tenant, { type: { capacity: 500 } });
    const greedy = await buyer();
    const [one, two] = [await reserve(greedy, type, 10), await reserve(greedy, type, 10)];
    await greedy.delete(`/tickets/reservation/${one.body.reservationId}`);
    const three = await reserve(greedy, type, 10);
    expect(three.status).toBe(201);
    const pay = { reservationId: two.body.reservationId, payment: { token: 'tok_success' } };
    expect((await greedy.post('/tickets/purchase', pay, { key: randomUUID() })).status).toBe(201);
    expect((await reserve(greedy, type, 10)).status).toBe(201);
    expect((await reserve(greedy, type)).status).toBe(409);
    clock.advance(16 * MINUTE);
    expect((await reserve(greedy, type, 10)).status).toBe(201);
  });

  it('holds as few seats, locks and reservations together', async () => {
    const { event, type, seatIds } = await openHall(60);
    const greedy = await buyer();
    const lock = (ids: string[]) =>
      greedy.post<{ code?: string }>(
        '/seats/lock',
        { eventId: event.id, seatIds: ids },
        { key: randomUUID() },
      );
    const answers = await Promise.all(
      Array.from({ length: 6 }, (_, i) => lock(seatIds.slice(i * 10, i * 10 + 10))),
    );
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(HELD / 10);
    expect(answers.filter(({ body }) => body.code === 'hold_limit_exceeded')).toHaveLength(4);
    expect(await held(type)).toBe(HELD);
  });

  it('is one person under all accounts of one verified address', async () => {
    const { type } = await openSale(tenant, { type: { capacity: 500 } });
    const verifiedEmail = `${randomUUID()}@example.com`;
    const accounts = await Promise.all(
      Array.from({ length: 4 }, (_, i) =>
        tenant.as(`same-${i}-${verifiedEmail}`, 'buyer', { verifiedEmail }),
      ),
    );
    const statuses: number[] = [];
    for (const account of accounts) statuses.push((await reserve(account, type, 10)).status);
    expect(statuses).toEqual([201, 201, 409, 409]);
  });

  it('is told 429 after so many attempts in a minute, and heard again in the next', async () => {
    clock.advance(MINUTE);
    const { type } = await openSale(tenant, { type: { capacity: 500 } });
    const restless = await buyer();
    for (let i = 0; i < PER_MINUTE; i++) {
      const { body } = await reserve(restless, type);
      if (body.reservationId) await restless.delete(`/tickets/reservation/${body.reservationId}`);
    }
    const over = await reserve(restless, type);
    expect(over).toMatchObject({ status: 429, body: { code: 'too_many_holds' } });
    expect(Number(over.headers.get('retry-after'))).toBeGreaterThan(0);
    clock.advance(MINUTE);
    expect((await reserve(restless, type)).status).toBe(201);
  });

  it('is told so under many accounts too, when they come from one address', async () => {
    clock.advance(MINUTE);
    const { type } = await openSale(tenant, { type: { capacity: 500 } });
    const from = (address: string) => ({ 'x-forwarded-for': `198.51.100.99, ${address}` });
    const statuses: number[] = [];
    for (let i = 0; i < PER_ADDRESS + 3; i++)
      statuses.push((await reserve(await buyer(), type, 1, from('203.0.113.7'))).status);
    expect(statuses.filter((status) => status === 429)).toHaveLength(3);
    expect((await reserve(await buyer(), type, 1, from('203.0.113.8'))).status).toBe(201);
    const { type: foreign } = await openSale(other);
    expect((await reserve(await buyer(other), foreign, 1, from('203.0.113.7'))).status).toBe(201);
  });

  it('does not get a new address by the lower half of an IPv6 one', async () => {
    clock.advance(MINUTE);
    const { type } = await openSale(tenant, { type: { capacity: 500 } });
    const last: number[] = [];
    for (let i = 0; i < PER_ADDRESS + 2; i++) {
      const headers = { 'x-forwarded-for': `2001:db8:1:2:${i.toString(16)}::${i + 1}` };
      last.push((await reserve(await buyer(), type, 1, headers)).status);
    }
    expect(last.slice(-2)).toEqual([429, 429]);
  });
});

it('staff hold for groups as many as they must', async () => {
  const { type } = await openSale(tenant, { type: { capacity: 500 } });
  for (let i = 0; i < 4; i++) expect((await reserve(tenant.support, type, 10)).status).toBe(201);
});
