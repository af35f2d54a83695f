import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createApp } from '../../src/api/app.ts';
import { createTestProvider } from '../../src/domain/payments/test-provider.ts';
import type { SeatMapView } from '../../src/domain/seats/schema.ts';
import { createMemoryCache } from '../../src/platform/cache-memory.ts';
import { createMetrics } from '../../src/platform/metrics.ts';
import { openSale, samplePurchase } from '../support/samples.ts';
import {
  type Client,
  clientOf,
  createTestContext,
  createTestTenant,
  issueToken,
  type TestContext,
  type TestTenant,
} from '../support/test-context.ts';
import { expectProblem, withoutRequestId } from './support/problems.ts';

const ROUNDS = 100;

let ctx: TestContext;
let tenant: TestTenant;
let twins: [Client, Client];

beforeAll(async () => {
  ctx = await createTestContext();
  tenant = await createTestTenant(ctx, createApp(ctx));
  const token = await issueToken({ tenantId: tenant.tenantId, subject: 'alice', role: 'buyer' });
  twins = [clientOf(openApi(), token), clientOf(openApi(), token)];
});
afterAll(() => ctx.close());

/** The API of a process of its own: nothing is shared but the database. */
function openApi() {
  const own = {
    ...ctx,
    db: ctx.database.open('tessera_app', 3),
    cache: createMemoryCache(),
    metrics: createMetrics(),
  };
  return createApp({ ...own, payments: createTestProvider(own) });
}

it(`sells once when two processes get the same request at the same instant, ${ROUNDS} times`, async () => {
  const { type } = await openSale(tenant, { type: { capacity: 1_000 } });
  const purchase = samplePurchase(type, { quantity: 2 });
  const bought = new Set<string>();
  for (let round = 0; round < ROUNDS; round++) {
    const [one, other] = await askBoth('/tickets/purchase', purchase);
    expect(one).toMatchObject({ status: 201, body: { tickets: [{}, {}] } });
    expect(withoutTime(other)).toEqual(withoutTime(one));
    bought.add(one.body.orderId as string);
  }
  expect(bought.size).toBe(ROUNDS);
  expect(await count('orders', "status = 'paid'")).toBe(ROUNDS);
  expect(await count('orders')).toBe(ROUNDS);
  expect(await count('tickets')).toBe(2 * ROUNDS);
  expect(await count('test_provider_charges')).toBe(ROUNDS);
  const { rows } = await ctx.database.owner.query(
    'select sold, held, issued from inventory where ticket_type_id = $1',
    [type.id],
  );
  expect(rows).toEqual([{ sold: 2 * ROUNDS, held: 0, issued: 2 * ROUNDS }]);
});

it('refuses a payment once, with the same words to both', async () => {
  const { type } = await openSale(tenant);
  const purchase = samplePurchase(type, { payment: { token: 'tok_declined' } });
  const before = await count('orders');
  for (let round = 0; round < 10; round++) {
    const [one, other] = await askBoth('/tickets/purchase', purchase);
    expectProblem(one, 402, 'payment_failed');
    expect(withoutRequestId(other)).toEqual(withoutRequestId(one));
  }
  expect(await count('orders')).toBe(before + 10);
});

it('tells the twin of the last sale what that sale was told, and not that all is sold', async () => {
  for (let round = 0; round < 25; round++) {
    const { type } = await openSale(tenant, { type: { capacity: 1 } });
    const [one, other] = await askBoth('/tickets/purchase', samplePurchase(type));
    expect(one.status).toBe(201);
    expect(withoutTime(other)).toEqual(withoutTime(one));
  }
});

it('tells the twin who reserves the last place, or buys a reservation, the same', async () => {
  for (let round = 0; round < 25; round++) {
    const { type } = await openSale(tenant, { type: { capacity: 2 } });
    const { payment, ...wanted } = samplePurchase(type, { quantity: 2 });
    const [reserved, again] = await askBoth('/tickets/reserve', wanted);
    expect(reserved.status).toBe(201);
    expect(withoutTime(again)).toEqual(withoutTime(reserved));
    const booking = { reservationId: reserved.body.reservationId, payment };
    const [one, other] = await askBoth('/tickets/purchase', booking);
    expect(one.status).toBe(201);
    expect(other.body).toEqual(one.body);
  }
});

it('locks seats once for both twins', async () => {
  const { event, type } = await openSale(tenant);
  const seats = Array.from({ length: 25 }, (_, i) => ({ number: String(i + 1) }));
  const sections = [{ name: 'Stalls', ticketTypeId: type.id, rows: [{ label: '1', seats }] }];
  const { body: map } = await tenant.organiser.put<SeatMapView>(`/events/${event.id}/seat-map`, { sections });
  for (const { id } of map.sections[0]?.rows[0]?.seats ?? []) {
    const [one, other] = await askBoth('/seats/lock', { eventId: event.id, seatIds: [id] });
    expect(one.status).toBe(201);
    expect(withoutTime(other)).toEqual(withoutTime(one));
  }
});

it('reserves once', async () => {
  const { type } = await openSale(tenant, { type: { capacity: 1_000 } });
  const { payment, ...wanted } = samplePurchase(type, { quantity: 3 });
  for (let round = 1; round <= 25; round++) {
    const [one, other] = await askBoth('/tickets/reserve', wanted);
    expect(one.status).toBe(201);
    expect(withoutTime(other)).toEqual(withoutTime(one));
    expect(await count('holds', `ticket_type_id = '${type.id}'`)).toBe(round);
  }
});

type Answer = { status: number; body: Record<string, unknown>; headers: Headers };

/** Both ask at once under one key; who is told that the first request still runs asks again, as every client should. */
async function askBoth(path: string, body: unknown): Promise<[Answer, Answer]> {
  const key = randomUUID();
  const ask = async (client: Client): Promise<Answer> => {
    for (;;) {
      const answer = await client.post(path, body, { key });
      if (answer.status !== 409) return answer;
      expectProblem(answer, 409, 'idempotency_in_flight');
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
      await delay(5);
    }
  };
  return Promise.all([ask(twins[0]), ask(twins[1])]);
}

/** A repetition counts down; all else is as it was. */
function withoutTime({ status, body }: Answer): unknown {
  const { timeRemaining, ...rest } = body;
  return { status, body: rest };
}

async function count(table: string, condition = 'true'): Promise<number> {
  const { rows } = await ctx.database.owner.query(
    `select count(*)::integer as n from ${table} where tenant_id = $1 and ${condition}`,
    [tenant.tenantId],
  );
  return rows[0].n;
}
