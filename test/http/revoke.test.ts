import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApp } from '../../src/api/app.ts';
import { verifyCounter } from '../../src/domain/inventory/verify-counter.ts';
import type { BookingView } from '../../src/domain/payments/schema.ts';
import type { TicketView } from '../../src/domain/tickets/schema.ts';
import { toTenantId } from '../../src/platform/ids.ts';
import { buy, changeTicket, openSale, putOnChain } from '../support/samples.ts';
import {
  type Client,
  createTestContext,
  createTestTenant,
  type TestContext,
  type TestTenant,
} from '../support/test-context.ts';
import { digestDatabase, expectProblem } from './support/problems.ts';

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

async function activeTicket(columns: Record<string, string> = {}) {
  const { event, type } = await openSale(tenant);
  const order = await buy(tenant.alice, type);
  const id = order.tickets[0]?.id ?? '';
  await putOnChain(ctx, id, columns);
  return { id, eventId: event.id, type };
}

const revoke = (
  id: string,
  body: object = { reason: 'fraud' },
  client: Client = tenant.support,
  key = randomUUID(),
) => client.post<TicketView>(`/tickets/${id}/revoke`, body, { key });
const codeOf = async (id: string) =>
  (await tenant.alice.get<{ code: string }>(`/tickets/${id}/qr`)).body.code;
const scan = async (code: string, eventId: string, direction = 'entry') =>
  (await tenant.scanner.post('/tickets/validate', { qr: code, eventId, direction, nonce: randomUUID() }))
    .body;

describe('POST /tickets/{id}/revoke', () => {
  it('kills the ticket at every gate from this moment on', async () => {
    const { id, eventId } = await activeTicket();
    const code = await codeOf(id);
    const { status, body } = await revoke(id);
    expect([status, body.status]).toEqual([200, 'revoked']);
    expect(await scan(code, eventId)).toMatchObject({ status: 'error', reason: 'revoked', ticket: { id } });
    expectProblem(await tenant.alice.get(`/tickets/${id}/qr`), 409, 'ticket_not_valid');
  });

  it('is seen at once by those who had the ticket in the cache', async () => {
    const { id } = await activeTicket();
    expect((await tenant.alice.get(`/tickets/${id}`)).body).toMatchObject({ status: 'active' });
    const { body } = await revoke(id);
    for (const client of [tenant.alice, tenant.admin]) {
      expect((await client.get(`/tickets/${id}`)).body).toEqual({ ...body, mintsAhead: null });
    }
  });

  it('keeps out whoever was inside already', async () => {
    const { id, eventId } = await activeTicket();
    const code = await codeOf(id);
    expect(await scan(code, eventId)).toMatchObject({ status: 'ok' });
    expect((await revoke(id)).status).toBe(200);
    expect(await scan(code, eventId)).toMatchObject({ reason: 'revoked' });
  });

  it('tells everybody, and keeps the note for the audit', async () => {
    const { id, eventId } = await activeTicket();
    await revoke(id, { reason: 'duplicate', note: 'two of one' });
    const { owner } = ctx.database;
    const outbox = await owner.query(
      "select m from outbox, jsonb_array_elements(messages::jsonb) m where m -> 'body' ->> 'ticketId' = $1",
      [id],
    );
    expect(outbox.rows.map(({ m }) => m)).toMatchObject([
      { kind: 'ticket.revoked', body: { ticketId: id, eventId, userId: 'alice', reason: 'duplicate' } },
    ]);
    const audit = await owner.query('select actor, action, details from audit_log where subject = $1', [id]);
    expect(audit.rows).toEqual([
      { actor: 'jwt:sam', action: 'ticket.revoked', details: { reason: 'duplicate', note: 'two of one' } },
    ]);
    const { body } = await tenant.alice.get(`/tickets/${id}/history`);
    expect(JSON.stringify(body)).toContain('duplicate');
    expect(JSON.stringify(body)).not.toContain('two of one');
  });

  it.each(['fraud', 'duplicate', 'other'])('takes the reason %s', async (reason) => {
    const { id } = await activeTicket();
    expect((await revoke(id, { reason }, tenant.organiser)).body).toMatchObject({ status: 'revoked' });
  });

  it.each([
    ['no reason', {}],
    ['a reason of its own', { reason: 'because' }],
    ['a reason that is a method', { reason: 'constructor' }],
    ['a note of 501 characters', { reason: 'fraud', note: 'x'.repeat(501) }],
    ['a status', { reason: 'fraud', status: 'refunded' }],
    ['an id in the body', { reason: 'fraud', id: randomUUID() }],
  ])('refuses %s', async (_name, body) => {
    const { id } = await activeTicket();
    const before = await digestDatabase(ctx);
    expectProblem(await revoke(id, body), 400, 'validation_failed');
    expect(await digestDatabase(ctx)).toBe(before);
  });

  it.each(['sold', 'minting', 'active', 'transferred', 'checked_in'])(
    'ends a ticket that is %s',
    async (status) => {
      const { type } = await openSale(tenant);
      const id = (await buy(tenant.alice, type)).tickets[0]?.id ?? '';
      if (status === 'minting') await changeTicket(ctx, id, { status });
      else if (status !== 'sold') await putOnChain(ctx, id);
      if (['transferred', 'checked_in'].includes(status)) await changeTicket(ctx, id, { status });
      expect((await revoke(id)).status).toBe(200);
    },
  );

  it.each(['cancelled', 'refunded', 'revoked', 'expired'])(
    'cannot end a ticket that is %s already',
    async (status) => {
      const { id } = await activeTicket();
      await changeTicket(ctx, id, { status });
      const before = await digestDatabase(ctx);
      expectProblem(await revoke(id), 409, 'illegal_ticket_step');
      expect(await digestDatabase(ctx)).toBe(before);
    },
  );

  it('happens once when ten try at once', async () => {
    const { id } = await activeTicket();
    const answers = await Promise.all(Array.from({ length: 10 }, () => revoke(id)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    for (const answer of answers.filter(({ status }) => status !== 200)) expect(answer.status).toBe(409);
    const { rowCount } = await ctx.database.owner.query(
      "select from ticket_state_transitions where ticket_id = $1 and to_status = 'revoked'",
      [id],
    );
    expect(rowCount).toBe(1);
  });

  it('and a scan in the same moment agree on which came first', async () => {
    for (let i = 0; i < 10; i++) {
      const { id, eventId } = await activeTicket();
      const code = await codeOf(id);
      const [verdict, revoked] = await Promise.all([scan(code, eventId), revoke(id)]);
      expect([200, 409]).toContain(revoked.status);
      expect([null, 'revoked']).toContain(verdict.reason);
      if (revoked.status === 200) expect(await scan(code, eventId)).toMatchObject({ reason: 'revoked' });
    }
  });

  it('frees no place: the counters tell what was sold', async () => {
    const { id, type } = await activeTicket();
    await revoke(id);
    const { rows } = await ctx.database.owner.query(
      'select sold, held from inventory where ticket_type_id = $1',
      [type.id],
    );
    expect(rows).toEqual([{ sold: 1, held: 0 }]);
  });

  it('can be done by a key of staff, and not by one that acts for a buyer', async () => {
    const { id } = await activeTicket();
    const headers = { 'on-behalf-of': 'alice' };
    expectProblem(
      await tenant.admin.post(`/tickets/${id}/revoke`, { reason: 'fraud' }, { key: randomUUID(), headers }),
      403,
      'forbidden',
    );
    expect((await revoke(id, { reason: 'fraud' }, tenant.admin)).status).toBe(200);
  });
});

describe('revoking as refunded or cancelled', () => {
  const query = async (text: string, ...values: unknown[]) =>
    (await ctx.database.owner.query(text, values)).rows;
  const proof = (ticketTypeId: string) => verifyCounter(ctx, toTenantId(tenant.tenantId), { ticketTypeId });
  const sold = async (typeId: string) =>
    (await query('select sold, held from inventory where ticket_type_id = $1', typeId))[0];
  const refund = (orderId: string, ticketIds: string[], client = tenant.support, key = randomUUID()) =>
    client.post<BookingView & { code: string }>(
      `/orders/${orderId}/refund`,
      { reason: 'rain', ticketIds },
      { key },
    );

  it.each(['refunded', 'cancelled'])('%s changes nothing and names the call that does it', async (reason) => {
    const { type } = await openSale(tenant);
    const order = await buy(tenant.alice, type);
    const id = order.tickets[0]?.id ?? '';
    const before = await digestDatabase(ctx);
    const refused = await revoke(id, { reason });
    expectProblem(refused, 409, 'refund_instead');
    expect(refused.body).toMatchObject({
      detail: expect.stringContaining('POST /api/orders/{orderId}/refund'),
      orderId: order.orderId,
      ticketIds: [id],
    });
    expect(await digestDatabase(ctx)).toBe(before);
  });

  it('is paid back by the call that it names, and everything follows', async () => {
    const { event, type } = await openSale(tenant, { type: { capacity: 2 } });
    const order = await buy(tenant.alice, type, { quantity: 2 });
    const [first = '', second = ''] = order.tickets.map(({ id }) => id);
    for (const id of [first, second]) await putOnChain(ctx, id);
    const code = await codeOf(first);

    const { body: refusal } = await tenant.support.post<{ orderId: string; ticketIds: string[] }>(
      `/tickets/${first}/revoke`,
      { reason: 'refunded' },
      { key: randomUUID() },
    );
    const part = await refund(refusal.orderId, refusal.ticketIds);
    expect(part).toMatchObject({
      status: 200,
      body: { status: 'paid', refunds: [{ amountMinor: 2_500, status: 'requested' }] },
    });
    expect((await tenant.alice.get(`/tickets/${first}`)).body).toMatchObject({ status: 'refunded' });
    expect(await scan(code, event.id)).toMatchObject({ reason: 'refunded' });
    expect(await sold(type.id)).toEqual({ sold: 1, held: 0 });
    expect(await proof(type.id)).toBe('proven');
    expect((await tenant.bob.get(`/events/${event.id}/availability`)).body.ticketTypes).toMatchObject([
      { available: 1 },
    ]);
    expect((await buy(tenant.bob, type)).tickets, 'the place is free').toHaveLength(1);
    expect(
      await query(
        `select m -> 'body' ->> 'reason' as reason from outbox, jsonb_array_elements(messages::jsonb) m
         where m ->> 'kind' = 'ticket.revoked' and m -> 'body' ->> 'ticketId' = $1`,
        first,
      ),
      'the chain hears of it',
    ).toEqual([{ reason: 'refunded' }]);

    expect((await refund(order.orderId, [second])).body).toMatchObject({
      status: 'refunded',
      refunds: [{ amountMinor: 2_500 }, { amountMinor: 2_500 }],
    });
    expect((await tenant.alice.get(`/bookings/${order.orderId}`)).body).toMatchObject({ status: 'refunded' });
    expect(await sold(type.id)).toEqual({ sold: 1, held: 0 });
    expect(await proof(type.id)).toBe('proven');
  });

  it('is refused again when it comes again, under the same key and under another, also after the refund', async () => {
    const { type } = await openSale(tenant);
    const order = await buy(tenant.alice, type);
    const id = order.tickets[0]?.id ?? '';
    const key = randomUUID();
    for (const again of [key, key, randomUUID()])
      expectProblem(await revoke(id, { reason: 'cancelled' }, tenant.support, again), 409, 'refund_instead');
    expect((await refund(order.orderId, [id])).status).toBe(200);
    expectProblem(await revoke(id, { reason: 'cancelled' }, tenant.support, key), 409, 'refund_instead');
    expect((await refund(order.orderId, [id])).body).toMatchObject({ code: 'order_not_paid' });
    expect(
      await query('select amount_minor::integer from refunds where order_id = $1', order.orderId),
    ).toEqual([{ amount_minor: 2_500 }]);
    // A refusal is not remembered, so the key is still free for a revocation that is possible.
    const next = await activeTicket();
    expect((await revoke(next.id, { reason: 'fraud' }, tenant.support, key)).status).toBe(200);
  });

  it('tells another tenant and a buyer nothing of the order', async () => {
    const { id } = await activeTicket();
    for (const client of [other.support, other.admin])
      expectProblem(await revoke(id, { reason: 'refunded' }, client), 404, 'not_found');
    for (const client of [tenant.alice, tenant.scanner])
      expectProblem(await revoke(id, { reason: 'refunded' }, client), 403, 'forbidden');
  });

  it('for fraud and a refund in the same moment end the ticket once, by the one or by the other', async () => {
    for (let i = 0; i < 12; i++) {
      const { type } = await openSale(tenant, { type: { capacity: 1 } });
      const order = await buy(tenant.alice, type);
      const id = order.tickets[0]?.id ?? '';
      const calls = [() => revoke(id), () => refund(order.orderId, [id])];
      if (i % 2) calls.reverse();
      const answers = await Promise.all(calls.map((call) => call()));
      if (i % 2) answers.reverse();
      const [revoked, refunded] = answers;
      expect([revoked?.status, refunded?.status].toSorted()).toEqual([200, 409]);
      const won = revoked?.status === 200 ? 'revoked' : 'refunded';
      const steps = await query(
        "select to_status from ticket_state_transitions where ticket_id = $1 and to_status <> 'sold'",
        id,
      );
      expect(steps).toEqual([{ to_status: won }]);
      const money = await query(
        'select coalesce(sum(amount_minor), 0)::integer as promised from refunds where order_id = $1',
        order.orderId,
      );
      expect(money).toEqual([{ promised: won === 'refunded' ? 2_500 : 0 }]);
      expect(await sold(type.id)).toEqual({ sold: won === 'refunded' ? 0 : 1, held: 0 });
      expect(await proof(type.id)).toBe('proven');
      const { body } = await tenant.alice.get(`/bookings/${order.orderId}`);
      expect(body).toMatchObject({ status: won === 'refunded' ? 'refunded' : 'paid' });
    }
  });
});
