import type { AppContext } from '../../context.ts';
import { type Actor, actorName, isStaff, requireRole } from '../../platform/actor.ts';
import { recordAudit } from '../../platform/audit.ts';
import { DomainError, notFound } from '../../platform/errors.ts';
import { idempotently } from '../../platform/idempotency.ts';
import type { TenantId } from '../../platform/ids.ts';
import { enqueue } from '../../platform/outbox.ts';
import { type TenantTx, withTenant } from '../../platform/tenant-tx.ts';
import { publishAvailability } from '../inventory/publish-availability.ts';
import { lockCounters } from '../inventory/queries.ts';
import type { SoldOutGate } from '../inventory/sold-out-gate.ts';
import type { SettleOrder } from '../orders/settle-order.ts';
import { publishTicket } from '../tickets/publish-ticket.ts';
import { lockTicketsOfOrder, type TicketRow } from '../tickets/queries.ts';
import { checkEndable, endTickets } from './end-tickets.ts';
import { showBooking } from './get-booking.ts';
import { findUnsettled } from './queries.ts';
import { leftToRefund, requestRefund } from './request-refund.ts';
import type { BookingView, RefundInput } from './schema.ts';
import { settlePayment } from './settle-payment.ts';

type Call = { idempotencyKey: string; requestId?: string };

/**
 * Staff give money back: of the whole order, of some tickets, or as a gesture while the tickets stay valid. Of an order
 * that is over what is left can be paid back, e.g. when the provider refused to the first time.
 */
export async function refundOrder(
  ctx: AppContext,
  gate: SoldOutGate,
  actor: Actor,
  input: RefundInput & { id: string },
  call: Call,
): Promise<BookingView> {
  requireRole(actor, 'organiser', 'support');
  const route = 'POST /orders/{id}/refund';
  return change(
    ctx,
    gate,
    actor,
    { route, ...call, id: input.id, request: input },
    async (tx, now, order) => {
      if (order.status !== 'paid') {
        const left = input.ticketIds ? 0n : await leftToRefund(tx, actor.tenantId, order.id);
        if (left === 0n) throw notPaid(order);
        const amount = input.amountMinor === undefined ? left : BigInt(input.amountMinor);
        await payBack(tx, actor, now, order.id, amount, input.reason, call.requestId);
        return [];
      }
      if (input.amountMinor !== undefined) {
        await payBack(tx, actor, now, order.id, BigInt(input.amountMinor), input.reason, call.requestId);
        return [];
      }
      const all = await lockTicketsOfOrder(tx, actor.tenantId, order.id);
      const chosen = input.ticketIds
        ? all.filter((ticket) => input.ticketIds?.includes(ticket.id))
        : all.filter(isAlive);
      if (input.ticketIds && chosen.length !== input.ticketIds.length) throw notFound('ticket of this order');
      await endAndPayBack(tx, actor, now, order, all, chosen, {
        to: 'refunded',
        reason: input.reason,
        requestId: call.requestId,
      });
      return chosen;
    },
  );
}

/**
 * The buyer, or staff, calls a booking off: the money goes back, the seats are free, the tickets die. One that still waits
 * for its payment is called off at the provider, and fails; if it was paid in that moment it is paid back.
 */
export async function cancelBooking(
  ctx: AppContext,
  gate: SoldOutGate,
  settleOrder: SettleOrder,
  actor: Actor,
  input: { id: string },
  call: Call,
): Promise<BookingView> {
  const route = 'DELETE /bookings/{id}';
  const attempt = () =>
    change(ctx, gate, actor, { route, ...call, id: input.id, request: input }, async (tx, now, order) => {
      if (order.status === 'failed' && calledOff.includes(order.failure_code ?? '')) return [];
      if (order.status === 'pending') {
        const message = 'Its payment is under way; nobody knows yet what comes of it.';
        throw new DomainError('conflict', 'payment_open', message, { extra: { orderStatus: order.status } });
      }
      if (order.status !== 'paid') throw notPaid(order);
      if (!isStaff(actor) && order.starts_at <= now) {
        throw new DomainError('conflict', 'event_started', 'The event has begun.');
      }
      const all = await lockTicketsOfOrder(tx, actor.tenantId, order.id);
      const alive = all.filter(isAlive);
      await endAndPayBack(tx, actor, now, order, all, alive, {
        to: 'cancelled',
        reason: 'cancelled',
        requestId: call.requestId,
      });
      return alive;
    });
  try {
    return await attempt();
  } catch (error) {
    // By now the key is known to be good; nothing was written.
    if (!(error instanceof DomainError && error.code === 'payment_open')) throw error;
    await callOffPayment(ctx, settleOrder, actor, input.id);
    return attempt();
  }
}

/** What orders fail of whose payment was called off before any money moved. */
const calledOff = ['abandoned', 'never_received'];

async function callOffPayment(
  ctx: AppContext,
  settleOrder: SettleOrder,
  actor: Actor,
  orderId: string,
): Promise<void> {
  const { tenantId } = actor;
  const due = await findUnsettled(ctx, tenantId, { orderId });
  if (!due || (due.userId !== actor.subject && !isStaff(actor))) return;
  const { paymentId: reference, providerReference } = due;
  const outcome = await ctx.payments.look({ tenantId, reference, providerReference }, { abandon: true });
  await settlePayment(ctx, settleOrder, tenantId, due, outcome, actorName(actor));
}

type LockedOrder = {
  id: string;
  user_id: string;
  event_id: string;
  transaction_id: string;
  status: string;
  failure_code: string | null;
  version: number;
  subtotal_minor: bigint;
  amount_minor: bigint;
  starts_at: Date;
};

async function change(
  ctx: AppContext,
  gate: SoldOutGate,
  actor: Actor,
  call: Call & { route: string; id: string; request: unknown },
  work: (tx: TenantTx, now: Date, order: LockedOrder) => Promise<TicketRow[]>,
): Promise<BookingView> {
  const { tenantId } = actor;
  const now = ctx.clock.now();
  let ended: TicketRow[] = [];
  const key = { actor, route: call.route, key: call.idempotencyKey, request: call.request };
  const { body } = await withTenant(ctx.db, tenantId, (tx) =>
    idempotently(tx, key, now, async () => {
      const order = await lockOrder(tx, actor, tenantId, call.id);
      ended = await work(tx, now, order);
      return { status: 200, body: await showBooking(tx, actor, tenantId, call.id) };
    }),
  );
  const booking = body as BookingView;
  for (const ticket of ended) {
    gate.open(tenantId, ticket.ticket_type_id);
    await publishTicket(ctx, tenantId, ticket.id);
  }
  if (ended.length > 0) await publishAvailability(ctx, tenantId, booking.eventId);
  return booking;
}

/** Counters before orders, as everywhere. */
async function lockOrder(tx: TenantTx, actor: Actor, tenantId: TenantId, id: string): Promise<LockedOrder> {
  const found = await tx
    .selectFrom('orders')
    .select(['event_id', 'user_id'])
    .where('tenant_id', '=', tenantId)
    .where('id', '=', id)
    .executeTakeFirst();
  if (!found || (found.user_id !== actor.subject && !isStaff(actor))) throw notFound('booking');
  await lockCounters(tx, tenantId, { column: 'event_id', id: found.event_id });
  const order = await tx
    .selectFrom('orders as o')
    .innerJoin('events as e', (join) =>
      join.onRef('e.tenant_id', '=', 'o.tenant_id').onRef('e.id', '=', 'o.event_id'),
    )
    .select([
      'o.id',
      'o.user_id',
      'o.event_id',
      'o.transaction_id',
      'o.status',
      'o.failure_code',
      'o.version',
      'o.subtotal_minor',
      'o.amount_minor',
    ])
    .select('e.starts_at')
    .where('o.tenant_id', '=', tenantId)
    .where('o.id', '=', id)
    .forUpdate('o')
    .executeTakeFirst();
  if (!order) throw notFound('booking');
  return order;
}

function notPaid(order: LockedOrder): DomainError {
  return new DomainError('conflict', 'order_not_paid', `The order is ${order.status}.`, {
    extra: { orderStatus: order.status },
  });
}

const isAlive = (ticket: TicketRow): boolean =>
  ['sold', 'minting', 'active', 'transferred', 'checked_in'].includes(ticket.status);

async function endAndPayBack(
  tx: TenantTx,
  actor: Actor,
  now: Date,
  order: LockedOrder,
  all: TicketRow[],
  chosen: TicketRow[],
  end: { to: 'cancelled' | 'refunded'; reason: string; requestId: string | undefined },
): Promise<void> {
  const { tenantId } = actor;
  if (chosen.length === 0) {
    throw new DomainError('conflict', 'nothing_to_refund', 'No ticket of this order can be ended any more.');
  }
  checkEndable(chosen, order.user_id);
  const by = actorName(actor);
  const messages = await endTickets(tx, tenantId, now, chosen, {
    to: end.to,
    by,
    reason: end.reason,
    transactionId: order.transaction_id,
  });
  await enqueue(tx, now, messages, end.requestId);
  const others = all.filter((ticket) => !chosen.includes(ticket));
  const left = await leftToRefund(tx, tenantId, order.id);
  const share = shareOf(order, chosen);
  // A ticket that was revoked keeps its share of the money: its reason decided whether that is paid back.
  const last = others.every(({ status }) => status === 'refunded' || status === 'cancelled');
  await payBack(tx, actor, now, order.id, last || share > left ? left : share, end.reason, end.requestId);
  if (!others.some(isAlive)) await endOrder(tx, tenantId, now, order, { to: end.to, by, reason: end.reason });
}

/** Of what was paid, discount and all, in proportion to the prices; the last ticket settles what rounding left. */
function shareOf(order: LockedOrder, tickets: TicketRow[]): bigint {
  if (order.subtotal_minor === 0n) return 0n;
  const price = tickets.reduce((sum, ticket) => sum + ticket.price_minor, 0n);
  return (order.amount_minor * price) / order.subtotal_minor;
}

async function payBack(
  tx: TenantTx,
  actor: Actor,
  now: Date,
  orderId: string,
  amountMinor: bigint,
  reason: string,
  requestId: string | undefined,
): Promise<void> {
  const by = actorName(actor);
  const promised = await requestRefund(tx, actor.tenantId, now, { orderId, amountMinor, reason, by });
  if (!promised) return;
  await enqueue(tx, now, [promised.message], requestId);
  await recordAudit(tx, actor.tenantId, now, {
    actor: by,
    action: 'order.refund_requested',
    subject: orderId,
    details: { refundId: promised.refund.id, amountMinor: promised.refund.amountMinor, reason },
  });
}

async function endOrder(
  tx: TenantTx,
  tenantId: TenantId,
  now: Date,
  order: LockedOrder,
  end: { to: 'cancelled' | 'refunded'; by: string; reason: string },
): Promise<void> {
  await tx
    .updateTable('orders')
    .set({ status: end.to, hold_group: null, version: order.version + 1, updated_at: now })
    .where('tenant_id', '=', tenantId)
    .where('id', '=', order.id)
    .where('version', '=', order.version)
    .execute();
  await tx
    .insertInto('order_state_transitions')
    .values({
      tenant_id: tenantId,
      order_id: order.id,
      version: order.version + 1,
      from_status: order.status,
      to_status: end.to,
      at: now,
      actor: end.by,
      reason: end.reason,
    })
    .execute();
  await tx
    .updateTable('promo_codes')
    .set((eb) => ({ redeemed: eb('redeemed', '-', 1), updated_at: now }))
    .where('tenant_id', '=', tenantId)
    .where('id', '=', (eb) =>
      eb
        .selectFrom('orders')
        .select('promo_code_id')
        .where('tenant_id', '=', tenantId)
        .where('id', '=', order.id),
    )
    .execute();
}
