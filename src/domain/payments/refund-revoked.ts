import type { AppContext } from '../../context.ts';
import type { TenantId } from '../../platform/ids.ts';
import { enqueue } from '../../platform/outbox.ts';
import type { TenantTx } from '../../platform/tenant-tx.ts';
import { leftToRefund, requestRefund } from './request-refund.ts';

/** Reasons for which a revoked ticket is paid back; a fraud is not. */
const PAID_BACK = ['cancelled', 'refunded'];

/**
 * Pays the share of a ticket back that staff revoked for the buyer's sake when that was still possible: today they are
 * sent to the refund. Tickets that a refund ended are no concern here.
 */
export async function refundRevoked(
  ctx: Pick<AppContext, 'clock'>,
  tx: TenantTx,
  tenantId: TenantId,
  input: { ticketId: string; reason: string },
): Promise<void> {
  if (!PAID_BACK.includes(input.reason)) return;
  const row = await tx
    .selectFrom('tickets as t')
    .innerJoin('orders as o', (join) =>
      join.onRef('o.tenant_id', '=', 't.tenant_id').onRef('o.id', '=', 't.order_id'),
    )
    .select([
      'o.id as orderId',
      'o.amount_minor',
      'o.subtotal_minor',
      't.price_minor',
      't.user_id',
      'o.user_id as buyer',
    ])
    .where('t.tenant_id', '=', tenantId)
    .where('t.id', '=', input.ticketId)
    .where('t.status', '=', 'revoked')
    .executeTakeFirst();
  // What was given away is no longer the buyer's to be paid for.
  if (!row || row.subtotal_minor === 0n || row.user_id !== row.buyer) return;
  const now = ctx.clock.now();
  const share = (row.amount_minor * row.price_minor) / row.subtotal_minor;
  const left = await leftToRefund(tx, tenantId, row.orderId);
  const amountMinor = share < left ? share : left;
  const refund = {
    orderId: row.orderId,
    amountMinor,
    reason: `ticket ${input.reason}`,
    by: 'worker:payments',
  };
  const promised = await requestRefund(tx, tenantId, now, refund);
  if (promised) await enqueue(tx, now, [promised.message]);
}
