import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { createApp } from '../../src/api/app.ts';
import type { EventView } from '../../src/domain/events/schema.ts';
import type { OrderAnswer } from '../../src/domain/orders/schema.ts';
import type { LockView, SeatMapView } from '../../src/domain/seats/schema.ts';
import { tenantKey } from '../../src/platform/cache.ts';
import { toTenantId } from '../../src/platform/ids.ts';
import { sampleEvent, sampleTicketType } from '../support/samples.ts';
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
let eventId: string;
let typeId: string;
let seats: string[];

beforeAll(async () => {
  clock = createTestClock();
  ctx = await createTestContext({ clock });
  tenant = await createTestTenant(ctx, createApp(ctx));
});
afterAll(() => ctx.close());
beforeEach(async () => {
  const { body: event } = await tenant.organiser.post<EventView>(
    '/events',
    sampleEvent({ ticketTypes: [sampleTicketType({ capacity: 1 })] }),
  );
  eventId = event.id;
  typeId = event.ticketTypes[0]?.id ?? '';
  const row = { label: '1', seats: ['1', '2', '3', '4'].map((number) => ({ number })) };
  const { body } = await tenant.organiser.put<SeatMapView>(`/events/${eventId}/seat-map`, {
    sections: [{ name: 'Stalls', ticketTypeId: typeId, rows: [row] }],
  });
  seats = body.sections[0]?.rows[0]?.seats.map(({ id }) => id) ?? [];
});

const seat = (i: number): string => seats[i] ?? '';
const lock = (client: Client, seatIds: string[], key = randomUUID()) =>
  client.post<LockView & { code: string; unavailable: string[] }>(
    '/seats/lock',
    { eventId, seatIds },
    { key },
  );
const keyOf = (id: string) => tenantKey(toTenantId(tenant.tenantId), 'seat_lock', eventId, id);
const remember = (id: string, userId: string) => ctx.cache.set(keyOf(id), userId, 300);
const cached = (id: string) => ctx.cache.get(keyOf(id));

it('refuses what the cache knows as locked without waiting for the lock on the seats', async () => {
  await lock(tenant.alice, [seat(0), seat(1)]);
  const busy = await ctx.database.owner.connect();
  try {
    await busy.query('begin');
    await busy.query('select from inventory where ticket_type_id = $1 for update', [typeId]);
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => lock(tenant.bob, [seat(0), seat(2), seat(1)])),
    );
    for (const { status, body } of answers) {
      expect([status, body.code]).toEqual([409, 'seats_unavailable']);
      expect(body.unavailable).toEqual([seat(0), seat(1)]);
    }
  } finally {
    await busy.query('rollback');
    busy.release();
  }
});

it('refuses nobody because of an entry that outlived its lock', async () => {
  await remember(seat(0), 'alice');
  expect((await lock(tenant.bob, [seat(0)])).status).toBe(201);
  expect(await cached(seat(0))).toBe('bob');
});

it('refuses nobody because of an entry that disagrees with the database in part', async () => {
  await lock(tenant.alice, [seat(1)]);
  await remember(seat(0), 'carol');
  const both = await lock(tenant.bob, [seat(0), seat(1)]);
  expect(both).toMatchObject({ status: 409, body: { unavailable: [seat(1)] } });
  expect((await lock(tenant.bob, [seat(0)])).status).toBe(201);
});

it('refuses what is locked when the cache was flushed', async () => {
  await lock(tenant.alice, [seat(0)]);
  await ctx.cache.delete(keyOf(seat(0)));
  expect(await lock(tenant.bob, [seat(0)])).toMatchObject({
    status: 409,
    body: { code: 'seats_unavailable', unavailable: [seat(0)] },
  });
});

it('answers a repetition from what was stored, whoever has the seats by now', async () => {
  const key = randomUUID();
  const first = await lock(tenant.alice, [seat(0)], key);
  await tenant.alice.delete(`/seats/lock/${first.body.lockId}`);
  expect((await lock(tenant.bob, [seat(0)])).status).toBe(201);
  const again = await lock(tenant.alice, [seat(0)], key);
  expect(again).toMatchObject({ status: 201, body: { lockId: first.body.lockId } });
});

it.each<[string, (lockId: string) => Promise<unknown>]>([
  ['was given up', (lockId) => tenant.alice.delete(`/seats/lock/${lockId}`)],
  ['could not be paid', (lockId) => book(lockId, 'tok_declined')],
  [
    'was bought and called off',
    async (lockId) => {
      const { body } = await book(lockId, 'tok_success');
      await tenant.alice.delete(`/bookings/${body.orderId}`, { key: randomUUID() });
    },
  ],
])('forgets a lock that %s', async (_name, end) => {
  const { body } = await lock(tenant.alice, [seat(0)]);
  expect(await cached(seat(0))).toBe('alice');
  await end(body.lockId);
  expect(await cached(seat(0))).toBeUndefined();
  expect((await lock(tenant.bob, [seat(0)])).status).toBe(201);
});

it('ends with the lock', async () => {
  await lock(tenant.alice, [seat(0)]);
  clock.advance(5 * MINUTE);
  expect(await cached(seat(0))).toBeUndefined();
  expect((await lock(tenant.bob, [seat(0)])).status).toBe(201);
});

function book(lockId: string, token: string) {
  const customer = { customerName: 'Alice Example', customerEmail: 'alice@example.com' };
  return tenant.alice.post<OrderAnswer>(
    '/bookings',
    { lockId, ...customer, payment: { token } },
    { key: randomUUID() },
  );
}
