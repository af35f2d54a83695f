import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApp } from '../../src/api/app.ts';
import { tenantKey } from '../../src/platform/cache.ts';
import { toTenantId } from '../../src/platform/ids.ts';
import { buy, openSale, samplePurchase } from '../support/samples.ts';
import {
  createTestContext,
  createTestTenant,
  type TestContext,
  type TestTenant,
} from '../support/test-context.ts';
import { expectProblem } from './support/problems.ts';

let ctx: TestContext;
let tenant: TestTenant;
let other: TestTenant;

beforeAll(async () => {
  ctx = await createTestContext();
  const app = createApp(ctx);
  tenant = await createTestTenant(ctx, app);
  other = await createTestTenant(ctx, app, 'Other');
});
afterAll(() => ctx.close());

async function buyOne() {
  const { event, type } = await openSale(tenant);
  return { event, order: await buy(tenant.alice, type) };
}

describe('GET /transactions/{transactionId}', () => {
  type Record = { status: string; createdAt: string; updatedAt: string };
  const record = async (transactionId: string, client = tenant.alice) =>
    (await client.get<Record>(`/transactions/${transactionId}`)).body;
  const post = <T>(path: string, body: object, client = tenant.alice) =>
    client.post<T>(path, body, { key: randomUUID() });

  it('is the record of a purchase, for its buyer and for staff', async () => {
    const { order, event } = await buyOne();
    const path = `/transactions/${order.transactionId}`;
    const { body } = await tenant.alice.get(path);
    expect(body).toMatchObject({
      transactionId: order.transactionId,
      orderId: order.orderId,
      userId: 'alice',
      eventId: event.id,
      quantity: 1,
      amountMinor: 2_500,
      currency: 'EUR',
      status: 'completed',
    });
    expect((await tenant.support.get(path)).body).toEqual(body);
    for (const client of [tenant.bob, tenant.scanner, other.alice, other.admin]) {
      expectProblem(await client.get(path), 404, 'not_found');
    }
  });

  it('says completed from the answer of the purchase on, before any message was delivered', async () => {
    const { type } = await openSale(tenant);
    for (const overrides of [{}, { quantity: 3 }]) {
      const { transactionId } = await buy(tenant.alice, type, overrides);
      expect(await record(transactionId)).toMatchObject({ status: 'completed' });
    }
    const { type: free } = await openSale(tenant, { type: { priceMinor: 0 } });
    const { transactionId } = await buy(tenant.alice, free, { payment: undefined });
    expect(await record(transactionId)).toMatchObject({ status: 'completed' });
    const { rows } = await ctx.database.owner.query(
      'select status from event_ticket_transactions where transaction_id = $1',
      [transactionId],
    );
    expect(rows, 'the column of the record waits for its message').toEqual([{ status: 'pending' }]);
  });

  it('is pending while the payment is open, never from the cache, and follows what decides it', async () => {
    const { type } = await openSale(tenant);
    const purchase = samplePurchase(type, { payment: { token: 'tok_requires_action' } });
    const { body: open } = await post<{ orderId: string; transactionId: string }>(
      '/tickets/purchase',
      purchase,
    );
    const before = await record(open.transactionId);
    expect(before).toMatchObject({ status: 'pending', updatedAt: before.createdAt });
    expect((await tenant.alice.delete(`/bookings/${open.orderId}`, { key: randomUUID() })).status).toBe(200);
    const after = await record(open.transactionId);
    expect(after).toMatchObject({ status: 'failed', createdAt: before.createdAt });
    expect(after.updatedAt > before.updatedAt).toBe(true);
  });

  it('says failed at once of a payment that was refused', async () => {
    const { type } = await openSale(tenant);
    const refused = await post<{ orderId: string }>(
      '/tickets/purchase',
      samplePurchase(type, { payment: { token: 'tok_declined' } }),
    );
    expect(refused.status).toBe(402);
    const booking = await tenant.alice.get<{ transactionId: string }>(`/bookings/${refused.body.orderId}`);
    expect(await record(booking.body.transactionId)).toMatchObject({ status: 'failed' });
  });

  it('stays what it was when the order is paid back, with and without the cache', async () => {
    const { order } = await buyOne();
    const cached = await record(order.transactionId);
    const back = await post(`/orders/${order.orderId}/refund`, { reason: 'rain' }, tenant.support);
    expect(back).toMatchObject({ status: 200, body: { status: 'refunded' } });
    expect(await record(order.transactionId)).toEqual(cached);
    await ctx.cache.delete(tenantKey(toTenantId(tenant.tenantId), 'transaction', order.transactionId));
    expect(await record(order.transactionId)).toEqual(cached);
  });

  it('is shown from the cache to nobody but its buyer and staff', async () => {
    const { order } = await buyOne();
    const path = `/transactions/${order.transactionId}`;
    expect((await tenant.alice.get(path)).status).toBe(200);
    for (const client of [tenant.bob, tenant.scanner, other.alice, other.admin]) {
      expectProblem(await client.get(path), 404, 'not_found');
    }
  });
});
