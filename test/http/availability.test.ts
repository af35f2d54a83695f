import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type App, createApp } from '../../src/api/app.ts';
import { tenantKey, versioned } from '../../src/platform/cache.ts';
import { createMemoryCache } from '../../src/platform/cache-memory.ts';
import { toTenantId } from '../../src/platform/ids.ts';
import { buy, openSale, sampleEvent, samplePurchase } from '../support/samples.ts';
import {
  createTestContext,
  createTestTenant,
  type TestContext,
  type TestTenant,
} from '../support/test-context.ts';
import { expectProblem } from './support/problems.ts';

type Availability = {
  eventId: string;
  asOf: string;
  ticketTypes: { ticketTypeId: string; capacity: number; held: number; sold: number; available: number }[];
};

let ctx: TestContext;
let app: App;
let tenant: TestTenant;
let offset = 0;

beforeAll(async () => {
  const clock = { now: () => new Date(Date.now() + offset) };
  ctx = await createTestContext({ clock, cache: createMemoryCache({ clock }) });
  app = createApp(ctx);
  tenant = await createTestTenant(ctx, app);
});
afterAll(() => ctx.close());
beforeEach(() => {
  offset = 0;
});

const read = async (eventId: string, by = tenant.alice) => {
  const { status, body } = await by.get<Availability>(`/events/${eventId}/availability`);
  expect(status).toBe(200);
  return body;
};
const counts = async (eventId: string) => {
  const [type] = (await read(eventId)).ticketTypes;
  return type && [type.capacity, type.held, type.sold, type.available];
};
const hold = (type: { id: string; eventId: string }, quantity = 1, key = randomUUID()) =>
  tenant.alice.post<{ nextAction: { url: string } }>(
    '/tickets/purchase',
    samplePurchase(type, { quantity, payment: { token: 'tok_requires_action' } }),
    { key },
  );

describe('GET /events/{id}/availability', () => {
  it('tells for each type what there is, what is held, what is sold and what is left', async () => {
    const { event, type } = await openSale(tenant, { type: { capacity: 10 } });
    await buy(tenant.alice, type, { quantity: 3 });
    await hold(type, 2);
    const body = await read(event.id);
    expect(body).toEqual({
      eventId: event.id,
      asOf: body.asOf,
      ticketTypes: [{ ticketTypeId: type.id, capacity: 10, held: 2, sold: 3, available: 5 }],
    });
    expect(Math.abs(Date.parse(body.asOf) - Date.now())).toBeLessThan(5_000);
  });

  it('tells the same to everybody in the tenant', async () => {
    const { event } = await openSale(tenant);
    const { asOf, ...rest } = await read(event.id);
    for (const client of [tenant.bob, tenant.scanner, tenant.support, tenant.admin]) {
      expect(await read(event.id, client)).toMatchObject(rest);
    }
  });

  it('knows an event that has no ticket types yet', async () => {
    const { body: event } = await tenant.organiser.post('/events', sampleEvent({ ticketTypes: [] }));
    expect(await read(String(event.id))).toMatchObject({ eventId: event.id, ticketTypes: [] });
    const { body: type } = await tenant.organiser.post(`/events/${event.id}/ticket-types`, {
      name: 'Late',
      priceMinor: 0,
      capacity: 4,
    });
    expect((await read(String(event.id))).ticketTypes).toMatchObject([
      { ticketTypeId: type.id, available: 4 },
    ]);
  });

  it('follows each sale, each hold and each refused payment at once', async () => {
    const { event, type } = await openSale(tenant, { type: { capacity: 10 } });
    expect(await counts(event.id)).toEqual([10, 0, 0, 10]);
    await buy(tenant.alice, type, { quantity: 2 });
    expect(await counts(event.id)).toEqual([10, 0, 2, 8]);
    const key = randomUUID();
    const { body } = await hold(type, 3, key);
    expect(await counts(event.id)).toEqual([10, 3, 2, 5]);
    await tenant.alice.post(new URL(body.nextAction.url).pathname.replace('/api', ''));
    expect((await hold(type, 3, key)).status).toBe(201);
    expect(await counts(event.id)).toEqual([10, 0, 5, 5]);
    const declined = samplePurchase(type, { payment: { token: 'tok_declined' } });
    expect((await tenant.alice.post('/tickets/purchase', declined, { key: randomUUID() })).status).toBe(402);
    expect(await counts(event.id)).toEqual([10, 0, 5, 5]);
  });

  it('counts a hold that ran out as free, though nothing has cleaned it up', async () => {
    const { event, type } = await openSale(tenant, { type: { capacity: 3 } });
    await hold(type, 2);
    offset = 14 * 60_000;
    expect(await counts(event.id)).toEqual([3, 2, 0, 1]);
    offset = 15 * 60_000 + 11_000;
    expect(await counts(event.id)).toEqual([3, 0, 0, 3]);
    expect((await buy(tenant.bob, type, { quantity: 3 })).status).toBe('paid');
    expect(await counts(event.id)).toEqual([3, 0, 3, 0]);
  });

  it('is remembered for ten seconds at most', async () => {
    const { event, type } = await openSale(tenant, { type: { capacity: 10 } });
    const first = await read(event.id);
    await ctx.database.owner.query('update inventory set capacity = 7 where ticket_type_id = $1', [type.id]);
    offset = 9_000;
    expect(await read(event.id)).toEqual(first);
    offset = 11_000;
    const next = await read(event.id);
    expect(next.ticketTypes).toMatchObject([{ capacity: 7 }]);
    expect(next.asOf > first.asOf).toBe(true);
  });

  it('is not replaced in memory by an older state that comes late', async () => {
    const { event, type } = await openSale(tenant, { type: { capacity: 10 } });
    await buy(tenant.alice, type);
    const key = tenantKey(toTenantId(tenant.tenantId), 'event', event.id);
    await ctx.cache.setNewer(key, JSON.stringify({ canary: true }), 1n, 10);
    expect(await counts(event.id)).toEqual([10, 0, 1, 9]);
  });

  it('decides no sale, whatever the memory says', async () => {
    const { event, type } = await openSale(tenant, { type: { capacity: 1 } });
    const key = tenantKey(toTenantId(tenant.tenantId), 'event', event.id);
    const lie = async (available: number) => {
      const ticketTypes = [{ ticketTypeId: type.id, capacity: 1, held: 0, sold: 1 - available, available }];
      const value = JSON.stringify({ eventId: event.id, asOf: new Date().toISOString(), ticketTypes });
      await ctx.cache.set(key, versioned(value, 1n), 10);
      expect((await counts(event.id))?.[3]).toBe(available);
    };
    await lie(0);
    await buy(tenant.alice, type);
    await lie(1);
    const late = await tenant.bob.post('/tickets/purchase', samplePurchase(type), { key: randomUUID() });
    expectProblem(late, 409, 'sold_out');
    expect(late.body).toMatchObject({ available: 0 });
  });

  it('is right after fifty purchases at once', async () => {
    const { event, type } = await openSale(tenant, { type: { capacity: 40, priceMinor: 0 } });
    const input = samplePurchase(type, { payment: undefined });
    await Promise.all(
      Array.from({ length: 50 }, () => tenant.alice.post('/tickets/purchase', input, { key: randomUUID() })),
    );
    expect(await counts(event.id)).toEqual([40, 0, 40, 0]);
  });

  it('is answered from the database when there is no cache', async () => {
    const broken = {
      ...ctx.cache,
      get: async () => undefined,
      set: async () => undefined,
      setNewer: async () => undefined,
      increment: async () => 1,
    };
    const other = await createTestTenant(ctx, createApp({ ...ctx, cache: broken }), 'No cache');
    const { event, type } = await openSale(other, { type: { capacity: 5 } });
    await buy(other.alice, type);
    expect((await read(event.id, other.alice)).ticketTypes).toMatchObject([{ sold: 1, available: 4 }]);
  });
});
