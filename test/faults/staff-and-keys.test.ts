import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApp } from '../../src/api/app.ts';
import type { OrderAnswer } from '../../src/domain/orders/schema.ts';
import { buy, changeTicket, openSale, putOnChain, samplePurchase } from '../support/samples.ts';
import {
  type Client,
  clientOf,
  createTestContext,
  createTestTenant,
  type TestContext,
  type TestTenant,
} from '../support/test-context.ts';
import { startWorkers, type TestWorkers } from '../support/test-workers.ts';

let ctx: TestContext;
let app: ReturnType<typeof createApp>;
let tenant: TestTenant;
let workers: TestWorkers;

beforeAll(async () => {
  ctx = await createTestContext();
  app = createApp(ctx);
  tenant = await createTestTenant(ctx, app);
  workers = await startWorkers(ctx);
});
afterAll(async () => {
  await workers.stop();
  await ctx.close();
});

async function ticketOfAlice(): Promise<{ id: string; email: string }> {
  const { type } = await openSale(tenant);
  const email = `${randomUUID()}@example.com`;
  const id = (await buy(tenant.alice, type, { customerEmail: email })).tickets[0]?.id ?? '';
  await workers.until('the mail of the purchase', async () => workers.mails(email).length > 0);
  await putOnChain(ctx, id);
  return { id, email };
}
const transfer = (client: Client, id: string, body: Record<string, unknown>) =>
  client.post<{ code?: string; id: string }>(`/tickets/${id}/transfer`, body, { key: randomUUID() });
const traces = async (id: string) =>
  (
    await ctx.database.owner.query(
      "select * from audit_log where subject = $1 and action like '%transfer%'",
      [id],
    )
  ).rows;
const keyOf = async (input: Record<string, unknown>): Promise<{ id: string; client: Client }> => {
  const { body } = await tenant.admin.post<{ id: string; key: string }>('/api-keys', {
    name: 'a key',
    ...input,
  });
  return { id: body.id, client: clientOf(app, body.key) };
};

describe('staff who transfer a ticket that is not theirs', () => {
  it('need a right of its own for it: being support or organiser is not enough', async () => {
    const { id } = await ticketOfAlice();
    const plain = await keyOf({ role: 'organiser' });
    for (const client of [tenant.support, tenant.organiser, plain.client]) {
      const answer = await transfer(client, id, { toUserId: 'sam', reason: 'Her phone is lost' });
      expect(answer).toMatchObject({ status: 403, body: { code: 'forbidden' } });
    }
    expect(await traces(id)).toEqual([]);
    const right = await tenant.as('sue', 'support', { scope: 'openid transfer_for_others' });
    expect((await transfer(right, id, { toUserId: 'bob', reason: 'Her phone is lost' })).status).toBe(202);
    const desk = await keyOf({ role: 'support', scopes: ['transfer_for_others'] });
    const { id: another } = await ticketOfAlice();
    expect((await transfer(desk.client, another, { toUserId: 'bob', reason: 'Asked by phone' })).status).toBe(
      202,
    );
  });

  it('get nothing by the scope without the role', async () => {
    const { id } = await ticketOfAlice();
    const bob = await tenant.as('bob', 'buyer', { scope: 'transfer_for_others' });
    expect((await transfer(bob, id, { toUserId: 'bob', reason: 'mine' })).status).toBe(404);
  });

  it('give a reason of one line, leave a trace, and the holder is told at once', async () => {
    const { id, email } = await ticketOfAlice();
    for (const body of [{}, { reason: '' }, { reason: 'two\nlines' }, { reason: 'x'.repeat(501) }])
      expect((await transfer(tenant.admin, id, { toUserId: 'bob', ...body })).status).toBe(400);
    expect(await traces(id)).toEqual([]);
    const reason = 'Bought for the wrong account, see http://evil.example/x';
    const { status, body } = await transfer(tenant.admin, id, { toUserId: 'bob', reason });
    expect(status).toBe(202);
    const [trace, ...more] = await traces(id);
    expect(more).toEqual([]);
    expect(trace).toMatchObject({
      actor: expect.stringMatching(/^api_key:/),
      action: 'ticket.transfer_ordered',
      details: { transferId: body.id, status: 'requested', reason },
    });
    const mail = await workers.until('the mail to the holder', async () =>
      workers.mails(email).find(({ subject }) => subject.includes('being transferred')),
    );
    expect(mail.text).toContain('"Bought for the wrong account, see http: //evil. example/x"');
  });

  it('leave the holder to give their own away without reason and trace', async () => {
    const { id } = await ticketOfAlice();
    expect((await transfer(tenant.alice, id, { toUserId: 'bob' })).status).toBe(202);
    expect(await traces(id)).toEqual([]);
  });
});

describe('a key that acts for users', () => {
  it('is written beside the user whom it names', async () => {
    const shop = await keyOf({ role: 'support', scopes: ['on_behalf_of'] });
    const { type } = await openSale(tenant);
    const headers = { 'on-behalf-of': 'alice' };
    const { body } = await shop.client.post<OrderAnswer>('/tickets/purchase', samplePurchase(type), {
      key: randomUUID(),
      headers,
    });
    const { rows } = await ctx.database.owner.query(
      `select (select status_actor from tickets where order_id = $1) as ticket,
         array(select actor from order_state_transitions where order_id = $1) as steps`,
      [body.orderId],
    );
    const name = `api_key:${shop.id}/alice`;
    expect(rows[0].ticket).toBe(name);
    expect(new Set(rows[0].steps)).toEqual(new Set([name]));
  });

  it('gets no answer of another key, neither by its id nor by its buyer', async () => {
    const till = await keyOf({ role: 'buyer' });
    const [one, two] = [
      await keyOf({ role: 'support', scopes: ['on_behalf_of'] }),
      await keyOf({ role: 'support', scopes: ['on_behalf_of'] }),
    ];
    const { type } = await openSale(tenant);
    const key = randomUUID();
    const ask = async (client: Client, user?: string): Promise<string> => {
      const headers: Record<string, string> = user === undefined ? {} : { 'on-behalf-of': user };
      const { body } = await client.post<OrderAnswer>('/tickets/purchase', samplePurchase(type), {
        key,
        headers,
      });
      return body.orderId;
    };
    const orders = [
      await ask(till.client),
      await ask(one.client, till.id),
      await ask(one.client, 'alice'),
      await ask(two.client, 'alice'),
      await ask(tenant.alice),
    ];
    expect(new Set(orders).size).toBe(orders.length);
    expect(await ask(one.client, 'alice')).toBe(orders[2]);
  });
});

it('the history shows a new holder no earlier owner, no staff and no gate', async () => {
  const shop = await keyOf({ role: 'support', scopes: ['on_behalf_of'] });
  const { type } = await openSale(tenant);
  const headers = { 'on-behalf-of': 'earlier-owner' };
  const bought = await shop.client.post<OrderAnswer>('/tickets/purchase', samplePurchase(type), {
    key: randomUUID(),
    headers,
  });
  const id = bought.body.tickets[0]?.id ?? '';
  await putOnChain(ctx, id, { user_id: 'bob' });
  await changeTicket(ctx, id, { status: 'checked_in' });
  await ctx.database.owner.query(
    "update ticket_state_transitions set actor = 'scan:jwt:gate-keeper' where ticket_id = $1 and to_status = 'checked_in'",
    [id],
  );
  const history = async (client: Client, more = {}) =>
    (await client.get<{ items: { actor: string }[] }>(`/tickets/${id}/history`, more)).body;
  const shown = await history(tenant.bob);
  expect(shown.items.length).toBeGreaterThan(2);
  expect(JSON.stringify(shown)).not.toMatch(new RegExp(`earlier-owner|gate-keeper|${shop.id}`));
  expect(shown.items[0]?.actor).toBe('other');
  expect(JSON.stringify(await history(tenant.support))).toContain(`api_key:${shop.id}/earlier-owner`);
});
