import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { createApp } from '../../src/api/app.ts';
import { publishTicket } from '../../src/domain/tickets/publish-ticket.ts';
import type { TicketView } from '../../src/domain/tickets/schema.ts';
import { tenantKey } from '../../src/platform/cache.ts';
import { type TenantId, toTenantId } from '../../src/platform/ids.ts';
import { buy, openSale } from '../support/samples.ts';
import {
  type Client,
  createTestContext,
  createTestTenant,
  type TestContext,
  type TestTenant,
} from '../support/test-context.ts';

let ctx: TestContext;
let tenant: TestTenant;
let tenantId: TenantId;
let subject: string;
let owner: Client;

beforeAll(async () => {
  ctx = await createTestContext();
  tenant = await createTestTenant(ctx, createApp(ctx));
  tenantId = toTenantId(tenant.tenantId);
});
afterAll(() => ctx.close());
beforeEach(async () => {
  subject = `owner-${randomUUID()}`;
  owner = await tenant.as(subject, 'buyer');
});

const cached = (userId = subject) => ctx.cache.get(tenantKey(tenantId, 'event_tickets', userId));
const list = async (query = '', client = owner) =>
  (await client.get<{ items: TicketView[] }>(`/tickets${query}`)).body.items;
const change = (id: string, columns: string) =>
  ctx.database.owner.query(
    `update tickets set ${columns}, version = version + 1, status_actor = 'test', updated_at = clock_timestamp() where id = $1`,
    [id],
  );

it('is kept when somebody opens their tickets, and read from there', async () => {
  const { type } = await openSale(tenant);
  await buy(owner, type, { quantity: 2 });
  expect(await cached()).toBeUndefined();
  const first = await list();
  expect(first).toHaveLength(2);
  expect(JSON.parse((await cached()) ?? '{}').items).toEqual(first);
  await ctx.database.owner.query('update tickets set holder_name = $2 where id = $1', [
    first[0]?.id,
    'Behind',
  ]);
  expect(await list(), 'the cache answers').toEqual(first);
  expect(await list('?limit=49')).not.toEqual(first);
});

it('is kept only of one’s own first page', async () => {
  const { type } = await openSale(tenant);
  await buy(owner, type);
  for (const query of ['?limit=1', `?eventId=${type.eventId}`, '?status=sold']) await list(query);
  await list(`?userId=${subject}`, tenant.support);
  expect(await cached()).toBeUndefined();
});

it('follows a purchase, a refund and a revocation at once', async () => {
  const { type } = await openSale(tenant);
  expect(await list()).toEqual([]);
  const order = await buy(owner, type, { quantity: 2 });
  expect(await list()).toHaveLength(2);
  const [first, second] = order.tickets.map(({ id }) => id);
  await tenant.support.post(`/tickets/${first}/revoke`, { reason: 'fraud' }, { key: randomUUID() });
  expect((await list()).find(({ id }) => id === first)?.status).toBe('revoked');
  await owner.delete(`/bookings/${order.orderId}`, { key: randomUUID() });
  expect((await list()).find(({ id }) => id === second)?.status).toBe('cancelled');
});

it('loses what was given away, and shows it to its new owner', async () => {
  const { type } = await openSale(tenant);
  const order = await buy(owner, type);
  const id = order.tickets[0]?.id ?? '';
  const heir = `heir-${randomUUID()}`;
  const receiver = await tenant.as(heir, 'buyer');
  expect(await list()).toHaveLength(1);
  expect(await list('', receiver)).toEqual([]);
  await change(id, `user_id = '${heir}'`);
  await publishTicket(ctx, tenantId, id);
  expect(await list()).toEqual([]);
  expect((await list('', receiver)).map((ticket) => ticket.id)).toEqual([id]);
});

it('is never another’s', async () => {
  const { type } = await openSale(tenant);
  await buy(owner, type);
  await list();
  expect(await list('', tenant.bob)).not.toContainEqual(expect.objectContaining({ userId: subject }));
  expect((await tenant.bob.get(`/tickets?userId=${subject}`)).status).toBe(403);
});
