import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApp } from '../../src/api/app.ts';
import type { TicketTypeView } from '../../src/domain/events/schema.ts';
import { expireHolds } from '../../src/domain/inventory/expire-holds.ts';
import { offerPlaces } from '../../src/domain/waiting/offer-places.ts';
import { toTenantId } from '../../src/platform/ids.ts';
import { openSale, samplePurchase, sampleTicketType } from '../support/samples.ts';
import { createTestClock, HOUR, MINUTE, type TestClock } from '../support/test-clock.ts';
import {
  createTestContext,
  createTestTenant,
  type TestContext,
  type TestTenant,
} from '../support/test-context.ts';
import { expectProblem } from './support/problems.ts';

const FAR = { startsAt: '2199-01-01T20:00:00Z', endsAt: '2199-01-01T23:00:00Z' };

let ctx: TestContext;
let clock: TestClock;
let tenant: TestTenant;

beforeAll(async () => {
  clock = createTestClock();
  ctx = await createTestContext({ clock });
  tenant = await createTestTenant(ctx, createApp(ctx));
});
afterAll(() => ctx.close());

type Sold = { id: string; eventId: string };
type Hold = { read: string; pay: () => Promise<{ status: number; body: unknown; headers: Headers }> };

const open = async (type: object = {}) => (await openSale(tenant, { event: FAR, type: { ...type } })).type;
const reserve = async (type: Sold, buyer = tenant.alice) => {
  const { payment, ...wish } = samplePurchase(type);
  const { body } = await buyer.post('/tickets/reserve', wish, { key: randomUUID() });
  return String(body.reservationId);
};
const reserved = async (type: TicketTypeView): Promise<Hold> => {
  const reservationId = await reserve(type);
  const body = { reservationId, payment: { token: 'tok_success' } };
  return {
    read: `/tickets/reservation/${reservationId}`,
    pay: () => tenant.alice.post('/tickets/purchase', body, { key: randomUUID() }),
  };
};
const locked = async (type: TicketTypeView): Promise<Hold> => {
  const rows = [{ label: '1', seats: [{ number: '1' }] }];
  const map = { sections: [{ name: 'Stalls', ticketTypeId: type.id, rows }] };
  expect((await tenant.organiser.put(`/events/${type.eventId}/seat-map`, map)).status).toBe(200);
  const wish = { eventId: type.eventId, bestAvailable: { ticketTypeId: type.id, quantity: 1 } };
  const { status, body } = await tenant.alice.post('/seats/lock', wish, { key: randomUUID() });
  expect(status).toBe(201);
  const { customerName, customerEmail, payment } = samplePurchase(type);
  const booking = { lockId: body.lockId, customerName, customerEmail, payment };
  return {
    read: `/events/${type.eventId}/seat-map`,
    pay: () => tenant.alice.post('/bookings', booking, { key: randomUUID() }),
  };
};
const offered = async (type: TicketTypeView): Promise<Hold> => {
  await tenant.organiser.patch(`/ticket-types/${type.id}`, { capacity: 1 });
  const first = await reserve(type, tenant.bob);
  const { customerName, customerEmail } = samplePurchase(type);
  const wish = { quantity: 1, customerName, customerEmail };
  const { body } = await tenant.alice.post(`/ticket-types/${type.id}/waiting-list`, wish);
  expect((await tenant.bob.delete(`/tickets/reservation/${first}`)).status).toBe(200);
  expect(await offerPlaces(ctx, toTenantId(tenant.tenantId), type.id)).toBe(1);
  const read = `/waiting-list/${body.id}`;
  const { offer } = (await tenant.alice.get<{ offer: { reservationId: string } }>(read)).body;
  const purchase = { reservationId: offer.reservationId, payment: { token: 'tok_success' } };
  return { read, pay: () => tenant.alice.post('/tickets/purchase', purchase, { key: randomUUID() }) };
};

const holds: [string, (type: TicketTypeView) => Promise<Hold>][] = [
  ['a reservation', reserved],
  ['a seat lock', locked],
  ['an offer of the waiting list', offered],
];
const kinds: [string, (type: Sold) => string][] = [
  ['an event', (type) => `/events/${type.eventId}`],
  ['a ticket type', (type) => `/ticket-types/${type.id}`],
];
const remove = async (path: string) =>
  (await tenant.organiser.delete<{ outcome: string }>(path)).body.outcome;

async function untilSomebodyWaits(): Promise<void> {
  for (let waiting = 0; waiting === 0; ) {
    const { rowCount } = await ctx.database.owner.query(
      "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
    );
    waiting = rowCount ?? 0;
  }
}

describe.each(kinds)('%s of which somebody holds places', (kind, pathOf) => {
  it.each(holds)('is only hidden: %s', async (_name, hold) => {
    const type = await open();
    const { read, pay } = await hold(type);
    const before = (await tenant.alice.get(read)).body;
    expect(await remove(pathOf(type))).toBe('deactivated');
    expect((await tenant.organiser.get(pathOf(type))).body).toMatchObject({ isActive: false });
    if (kind === 'an event') {
      // Whoever holds places hears what became of the event, not that they never held any.
      if (!read.endsWith('/seat-map')) expect((await tenant.alice.get(read)).body).toEqual(before);
      expectProblem(await pay(), 409, 'not_on_sale');
    } else expect((await pay()).status).toBe(201);
    const bought = await tenant.bob.post('/tickets/purchase', samplePurchase(type), { key: randomUUID() });
    if (kind === 'an event') expectProblem(bought, 404, 'not_found');
    else expectProblem(bought, 409, 'not_on_sale');
  });

  it('goes without a trace once the places are given up, or the hold has run out, swept or not', async () => {
    for (const end of ['given up', 'run out', 'swept'] as const) {
      const type = await open();
      const code = await reserve(type);
      expect(await remove(pathOf(type))).toBe('deactivated');
      if (end === 'given up') await tenant.alice.delete(`/tickets/reservation/${code}`);
      else clock.advance(15 * MINUTE);
      if (end === 'swept') await expireHolds(ctx, ctx.database.relay);
      expect([end, await remove(pathOf(type))]).toEqual([end, 'deleted']);
      expectProblem(await tenant.organiser.get(pathOf(type)), 404, 'not_found');
      expectProblem(await tenant.alice.get(`/tickets/reservation/${code}`), 404, 'not_found');
    }
  });

  it('waits for a reservation that has the places already', async () => {
    const type = await open();
    const wish = {
      n: 1,
      principal: 'jwt:alice',
      route: 'POST /tickets/reserve',
      key: randomUUID(),
      request_hash: '\\x00',
      group_id: randomUUID(),
      hold_id: randomUUID(),
      code: 'RES_20300101000000_ABCDEFGH',
      user_id: 'alice',
      event_id: type.eventId,
      ticket_type_id: type.id,
      quantity: 1,
      customer_name: 'Alice',
      customer_email: 'a@example.com',
    };
    const now = clock.now();
    const until = new Date(now.getTime() + HOUR);
    const sale = await ctx.database.owner.connect();
    try {
      await sale.query('begin');
      const { rows } = await sale.query('select outcome from reserve_places($1, $2, $3, $4)', [
        tenant.tenantId,
        now,
        until,
        JSON.stringify([wish]),
      ]);
      expect(rows).toEqual([{ outcome: 'reserved' }]);
      const deletion = remove(pathOf(type));
      await untilSomebodyWaits();
      await sale.query('commit');
      expect(await deletion).toBe('deactivated');
    } finally {
      await sale.query('rollback');
      sale.release();
    }
  });

  it('is never taken away from a reservation that comes in the same moment', async () => {
    const outcomes = new Set<string>();
    for (let i = 0; i < 20; i++) {
      const type = await open();
      const { payment, ...wish } = samplePurchase(type);
      const [sale, outcome] = await Promise.all([
        tenant.alice.post('/tickets/reserve', wish, { key: randomUUID() }),
        (async () => {
          await new Promise((resolve) => setTimeout(resolve, i % 5));
          return remove(pathOf(type));
        })(),
      ]);
      if (sale.status === 201) {
        expect(outcome).toBe('deactivated');
        expect((await tenant.alice.get(`/tickets/reservation/${sale.body.reservationId}`)).status).toBe(200);
      } else {
        expect([sale.status, ['not_found', 'not_on_sale'].includes(String(sale.body.code))]).toEqual([
          sale.body.code === 'not_found' ? 404 : 409,
          true,
        ]);
      }
      outcomes.add(outcome);
    }
    expect(outcomes).toContain('deactivated');
  });

  it('is not kept by who holds places of another tenant', async () => {
    const type = await open();
    await reserve(await open());
    expect(await remove(pathOf(type))).toBe('deleted');
  });
});

describe('a ticket type that is added while its event is deleted', () => {
  it('keeps the event when somebody has reserved of it before the deletion had the event', async () => {
    const type = await open();
    const adding = await ctx.database.owner.connect();
    try {
      // The deletion has the counters that there are, and stands before the event.
      await adding.query('begin');
      await adding.query('select from events where id = $1 for no key update', [type.eventId]);
      const deletion = remove(`/events/${type.eventId}`);
      await untilSomebodyWaits();
      const second = randomUUID();
      await adding.query(
        `insert into ticket_types (tenant_id, id, event_id, ordinal, name, price_minor, created_at, updated_at)
         values ($1, $2, $3, 2, 'Late', 0, now(), now())`,
        [tenant.tenantId, second, type.eventId],
      );
      await adding.query(
        `insert into inventory (tenant_id, ticket_type_id, event_id, capacity, held, updated_at) values ($1, $2, $3, 1, 1, now())`,
        [tenant.tenantId, second, type.eventId],
      );
      await adding.query(
        `insert into holds (tenant_id, id, group_id, code, kind, event_id, ticket_type_id, user_id, quantity, unit_price_minor, expires_at, created_at)
         values ($1, gen_random_uuid(), gen_random_uuid(), 'RES_20300101000000_BBBBBBBB', 'reservation', $2, $3, 'alice', 1, 0, $4, now())`,
        [tenant.tenantId, type.eventId, second, new Date(clock.now().getTime() + HOUR)],
      );
      await adding.query('commit');
      expect(await deletion).toBe('deactivated');
    } finally {
      await adding.query('rollback');
      adding.release();
    }
  });

  it('is refused once the event is gone', async () => {
    const type = await open();
    expect(await remove(`/events/${type.eventId}`)).toBe('deleted');
    const answer = await tenant.organiser.post(`/events/${type.eventId}/ticket-types`, sampleTicketType());
    expectProblem(answer, 404, 'not_found');
  });
});
