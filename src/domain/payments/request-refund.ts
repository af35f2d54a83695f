import type { Message } from '../../messages.ts';
import { DomainError } from '../../platform/errors.ts';
import { newId, type TenantId } from '../../platform/ids.ts';
import type { TenantTx } from '../../platform/tenant-tx.ts';
import type { RefundView } from './schema.ts';

export type RefundOrder = { orderId: string; amountMinor: bigint; reason: string; by: string };

/**
 * Promises money back, in the transaction that decides it; a worker keeps the promise. What was promised before counts,
 * so no race and no repetition pays more than was paid. Undefined when nothing was paid.
 * @throws DomainError conflict when more is asked than is left
 */
export async function requestRefund(
  tx: TenantTx,
  tenantId: TenantId,
  now: Date,
  { orderId, amountMinor, reason, by }: RefundOrder,
): Promise<{ refund: RefundView; message: Message } | undefined> {
  if (amountMinor === 0n) return undefined;
  const payment = await tx
    .updateTable('payments')
    .set((eb) => ({ refunded_minor: eb('refunded_minor', '+', amountMinor), updated_at: now }))
    .where('tenant_id', '=', tenantId)
    .where('order_id', '=', orderId)
    .where('status', '=', 'succeeded')
    .where((eb) => eb(eb('refunded_minor', '+', amountMinor), '<=', eb.ref('amount_minor')))
    .returning(['id', 'currency'])
    .executeTakeFirst();
  if (!payment) {
    throw new DomainError('conflict', 'refund_too_large', 'Not so much of this order is left to refund.');
  }
  const row = await tx
    .insertInto('refunds')
    .values({
      tenant_id: tenantId,
      id: newId(),
      order_id: orderId,
      payment_id: payment.id,
      amount_minor: amountMinor,
      currency: payment.currency,
      reason,
      requested_by: by,
      status: 'requested',
      next_attempt_at: now,
      created_at: now,
      updated_at: now,
    })
    .returningAll()
    .executeTakeFirstOrThrow();
  const body = {
    refundId: row.id,
    orderId,
    amountMinor: Number(amountMinor),
    currency: row.currency,
    reason,
  };
  return { refund: showRefund(row), message: { kind: 'payment.refund', body } };
}

/** What of an order's payment was not promised back yet; the payment is locked, so it stays so. */
export async function leftToRefund(tx: TenantTx, tenantId: TenantId, orderId: string): Promise<bigint> {
  const payment = await tx
    .selectFrom('payments')
    .select(['amount_minor', 'refunded_minor'])
    .where('tenant_id', '=', tenantId)
    .where('order_id', '=', orderId)
    .where('status', '=', 'succeeded')
    .forNoKeyUpdate()
    .executeTakeFirst();
  return payment ? payment.amount_minor - payment.refunded_minor : 0n;
}

export function showRefund(row: {
  id: string;
  order_id: string;
  amount_minor: bigint;
  currency: string;
  reason: string;
  status: string;
  created_at: Date;
}): RefundView {
  return {
    id: row.id,
    orderId: row.order_id,
    amountMinor: Number(row.amount_minor),
    currency: row.currency,
    reason: row.reason,
    status: row.status as RefundView['status'],
    createdAt: row.created_at.toISOString(),
  };
}
