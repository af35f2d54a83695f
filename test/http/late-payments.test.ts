import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApp } from '../../src/api/app.ts';
import type { EventView } from '../../src/domain/events/schema.ts';
import { expireHolds } from '../../src/domain/inventory/expire-holds.ts';
import { createSaleLanes } from '../../src/domain/orders/sale-lanes.ts';
import { createSettleOrder } from '../../src/domain/orders/settle-order.ts';
import { keepReference } from '../../src/domain/payments/queries.ts';
import type { LockView, SeatMapView } from '../../src/domain/seats/schema.ts';
import { toTenantId } from '../../src/platform/ids.ts';
import { changeCharge, paymentOf } from '../support/provider-books.ts';
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

const FAR = { startsAt: '2199-01-01T20:00:00Z', endsAt: '2199-01-01T23:00:00Z' };

beforeAll(async () => {
  clock = createTestClock();
  ctx = await createTestContext({ clock });
  tenant = await createTestTenant(ctx, createApp(ctx));
});
afterAll(() => ctx.close());

type Type = { id: string; eventId: string };
type Order = { orderId: string; paymentId: string; eventId: string };

const query = async (text: string, values: unknown[] = []) =>
  (await ctx.database.owner.query(text, values)).rows;
const counters = async (typeId: string) =>
  (await query('select held, sold from inventory where ticket_type_id = $1', [typeId]))[0];
const sale = async (type: Record<string, unknown>) => (await openSale(tenant, { event: FAR, type })).type;
const person = (name: string) => tenant.as(name, 'buyer');
const runOut = () => clock.advance(15 * MINUTE);
const sweep = () => expireHolds(ctx, ctx.database.relay);

/** An order that waits for its buyer at the bank. */
async function pend(buyer: Client, type: Type, quantity = 1): Promise<Order> {
  const input = samplePurchase(type, {
    quantity,
    payment: { token: 'tok_requires_action' },
    customerEmail: `${randomUUID()}@example.com`,
  });
  return toOrder(await buyer.post<Order>('/tickets/purchase', input, { key: randomUUID() }), type.eventId);
}

async function toOrder(answer: { status: number; body: Order }, eventId: string): Promise<Order> {
  expect(answer.status).toBe(202);
  const { orderId } = answer.body;
  return { orderId, eventId, paymentId: (await paymentOf(ctx, orderId)).id };
}

/** The bank says yes to each order at once; the first goes alone, what comes meanwhile goes together. */
async function payTogether(...orders: Order[]): Promise<string[]> {
  const settle = createSettleOrder(ctx, createSaleLanes(ctx));
  for (const { paymentId } of orders) await changeCharge(ctx, paymentId, 'succeeded');
  const settled = await Promise.all(
    orders.map((order) =>
      settle({
        ...order,
        tenantId: toTenantId(tenant.tenantId),
        outcome: { status: 'succeeded', providerReference: `test_${order.paymentId}` },
        by: 'webhook:test',
      }),
    ),
  );
  return settled.map(({ outcome }) => outcome);
}

async function hall() {
  const types = [sampleTicketType({ name: 'Stalls', capacity: 0 }), sampleTicketType({ name: 'Circle' })];
  const input = sampleEvent({ ...FAR, ticketTypes: types });
  const { body: event } = await tenant.organiser.post<EventView>('/events', input);
  const [stalls = '', circle = ''] = event.ticketTypes.map(({ id }) => id);
  /** As many seats as there are `types`, each of its type. */
  const put = async (...types: string[]) => {
    const seats = types.map((ticketTypeId, i) => ({ number: String(i + 1), ticketTypeId }));
    const sections = [{ name: 'Hall', rows: [{ label: 'A', seats }] }];
    const { status, body } = await tenant.organiser.put<SeatMapView>(`/events/${event.id}/seat-map`, {
      sections,
    });
    expect(status).toBe(200);
    return body.sections[0]?.rows[0]?.seats.map(({ id }) => id) ?? [];
  };
  return { eventId: event.id, stalls, circle, put };
}

async function pendForSeat(buyer: Client, eventId: string, seatId: string | undefined): Promise<Order> {
  const lock = await buyer.post<LockView>(
    '/seats/lock',
    { eventId, seatIds: [seatId] },
    { key: randomUUID() },
  );
  const booking = {
    lockId: lock.body.lockId,
    customerName: 'Ada',
    customerEmail: `${randomUUID()}@example.com`,
    payment: { token: 'tok_requires_action' },
  };
  return toOrder(await buyer.post<Order>('/bookings', booking, { key: randomUUID() }), eventId);
}

describe('payments that come late and together', () => {
  it('do not get one place twice: what one takes back was not given to another before', async () => {
    const type = await sale({ capacity: 4 });
    const early = await pend(tenant.alice, type, 2);
    runOut();
    await sweep();
    const overdue = await pend(tenant.bob, type);
    runOut();
    const [first, waiting] = [await pend(tenant.alice, type), await pend(tenant.bob, type)];
    expect(await payTogether(first, early, overdue)).toEqual(['paid', 'paid', 'refund_due']);
    expect(await counters(type.id)).toEqual({ held: 1, sold: 3 });
    expect(await payTogether(waiting)).toEqual(['paid']);
    expect(await counters(type.id)).toEqual({ held: 0, sold: 4 });
  });

  it('do not lose the places again that they were given back', async () => {
    const type = await sale({ capacity: 3 });
    const [one, two] = [await pend(tenant.alice, type), await pend(tenant.bob, type, 2)];
    runOut();
    await sweep();
    const first = await pend(await person('cem'), type);
    expect(await payTogether(first, one, two)).toEqual(['paid', 'paid', 'refund_due']);
    expect(await counters(type.id)).toEqual({ held: 0, sold: 2 });
  });

  it('do not both get one seat', async () => {
    const { eventId, stalls, put } = await hall();
    const [seat, other] = await put(stalls, stalls);
    const early = await pendForSeat(tenant.alice, eventId, seat);
    runOut();
    const late = await pendForSeat(tenant.bob, eventId, seat);
    runOut();
    expect(await payTogether(early)).toEqual(['paid']);
    expect(await counters(stalls)).toEqual({ held: 0, sold: 1 });
    const [first, again] = [await pendForSeat(tenant.alice, eventId, other), late];
    expect(await payTogether(first, again)).toEqual(['paid', 'refund_due']);
    expect(await counters(stalls)).toEqual({ held: 0, sold: 2 });
  });
});

describe('a payment that comes late', () => {
  it('gets nobody more than a person may have', async () => {
    const type = await sale({ capacity: 100, perCustomerLimit: 2 });
    const order = await pend(tenant.alice, type, 2);
    runOut();
    const { status } = await tenant.alice.post('/tickets/purchase', samplePurchase(type, { quantity: 1 }), {
      key: randomUUID(),
    });
    expect(status).toBe(201);
    expect(await payTogether(order)).toEqual(['refund_due']);
    expect(await counters(type.id)).toEqual({ held: 0, sold: 1 });
  });

  it('gets no seat that is sold under another type by now', async () => {
    const { eventId, stalls, circle, put } = await hall();
    const [seat] = await put(stalls, stalls);
    const order = await pendForSeat(tenant.alice, eventId, seat);
    runOut();
    await put(circle, stalls);
    expect(await payTogether(order)).toEqual(['refund_due']);
    expect(await counters(stalls)).toEqual({ held: 0, sold: 0 });
    expect(await counters(circle)).toEqual({ held: 0, sold: 0 });
  });

  it('gets no ticket without a seat for what is sold by the seat by now', async () => {
    const { eventId, circle, put } = await hall();
    const order = await pend(tenant.alice, { id: circle, eventId });
    runOut();
    await sweep();
    await put(circle);
    expect(await payTogether(order)).toEqual(['refund_due']);
    expect(await counters(circle)).toEqual({ held: 0, sold: 0 });
  });
});

describe('two answers of the provider about one payment', () => {
  it('come to the money, whichever is heard first', async () => {
    const type = await sale({ capacity: 3 });
    const [first, dead, live] = [
      await pend(tenant.alice, type),
      await pend(tenant.bob, type),
      await pend(await person('cem'), type),
    ];
    const settle = createSettleOrder(ctx, createSaleLanes(ctx));
    const say = (order: Order, status: 'failed' | 'succeeded') =>
      settle({
        ...order,
        tenantId: toTenantId(tenant.tenantId),
        outcome:
          status === 'failed' ? { status, code: 'never_received' } : { status, providerReference: 'x' },
        by: 'test',
      });
    expect(await say(dead, 'failed')).toMatchObject({ outcome: 'failed' });
    const settled = await Promise.all([
      say(first, 'succeeded'),
      say(dead, 'failed'),
      say(dead, 'succeeded'),
      say(live, 'failed'),
      say(live, 'succeeded'),
    ]);
    expect(settled.map(({ outcome }) => outcome)).toEqual([
      'paid',
      'unchanged',
      'refund_due',
      'unchanged',
      'paid',
    ]);
    expect(await paymentOf(ctx, dead.orderId)).toMatchObject({ status: 'succeeded', refunded: 2_500 });
    expect(await counters(type.id)).toEqual({ held: 0, sold: 2 });
  });
});

describe('a payment whose row moves while it is settled', () => {
  it('is settled all the same', async () => {
    const type = await sale({ capacity: 1 });
    const order = await pend(tenant.alice, type);
    const blocker = await ctx.database.owner.connect();
    try {
      await blocker.query('begin');
      await blocker.query('select from orders where id = $1 for update', [order.orderId]);
      const settled = payTogether(order);
      await expect
        .poll(async () =>
          query(
            "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
          ),
        )
        .toHaveLength(1);
      await keepReference(ctx, toTenantId(tenant.tenantId), order.paymentId, 'moved');
      await blocker.query('rollback');
      expect(await settled).toEqual(['paid']);
    } finally {
      blocker.release();
    }
    expect(await paymentOf(ctx, order.orderId)).toMatchObject({ status: 'succeeded', orderStatus: 'paid' });
    expect(await query('select next_poll_at from payments where id = $1', [order.paymentId])).toEqual([
      { next_poll_at: null },
    ]);
  });
});
