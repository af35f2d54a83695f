import type { AppContext } from '../../context.ts';
import { type Actor, isStaff } from '../../platform/actor.ts';
import { notFound } from '../../platform/errors.ts';
import type { TenantId } from '../../platform/ids.ts';
import { type TenantTx, withTenant } from '../../platform/tenant-tx.ts';
import type { OrderStatus } from '../orders/order-state.ts';
import { showRefund } from './request-refund.ts';
import type { BookingView } from './schema.ts';

/** An order with its tickets and refunds, to its buyer and to staff. */
export async function getBooking(ctx: AppContext, actor: Actor, input: { id: string }): Promise<BookingView> {
  return withTenant(ctx.db, actor.tenantId, (tx) => showBooking(tx, actor, actor.tenantId, input.id));
}

export async function showBooking(
  tx: TenantTx,
  actor: Actor,
  tenantId: TenantId,
  id: string,
): Promise<BookingView> {
  const order = await tx
    .selectFrom('orders')
    .selectAll()
    .where('tenant_id', '=', tenantId)
    .where('id', '=', id)
    .executeTakeFirst();
  if (!order || (order.user_id !== actor.subject && !isStaff(actor))) throw notFound('booking');
  const tickets = await tx
    .selectFrom('tickets')
    .select(['id', 'ticket_number', 'status', 'seat'])
    .where('tenant_id', '=', tenantId)
    .where('order_id', '=', id)
    .orderBy('ticket_number')
    .execute();
  const refunds = await tx
    .selectFrom('refunds')
    .selectAll()
    .where('tenant_id', '=', tenantId)
    .where('order_id', '=', id)
    .orderBy('id')
    .execute();
  return {
    orderId: order.id,
    transactionId: order.transaction_id,
    status: order.status as OrderStatus,
    eventId: order.event_id,
    ticketTypeId: order.ticket_type_id,
    quantity: order.quantity,
    subtotalMinor: Number(order.subtotal_minor),
    discountMinor: Number(order.discount_minor),
    amountMinor: Number(order.amount_minor),
    currency: order.currency,
    customerName: order.customer_name,
    customerEmail: order.customer_email,
    customerPhone: order.customer_phone,
    notes: order.notes,
    failureCode: order.failure_code,
    createdAt: order.created_at.toISOString(),
    tickets: tickets.map((ticket) => ({
      id: ticket.id,
      ticketNumber: ticket.ticket_number,
      status: ticket.status,
      seat: ticket.seat,
    })),
    refunds: refunds.map(showRefund),
  };
}
