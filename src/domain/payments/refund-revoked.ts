import type { AppContext } from '../../context.ts';
import type { TenantId } from '../../platform/ids.ts';
import { enqueue } from '../../platform/outbox.ts';
import type { TenantTx } from '../../platform/tenant-tx.ts';
import { leftToRefund, requestRefund } from './request-refund.ts';

/** Reasons for which a revoked ticket is paid back; a fraud is not. */
const PAID_BACK = ['cancelled', 'refunded'];

/**
 * Pays the shares of tickets back that staff revoked for the buyer's sake when that was still possible: today they are
 * sent to the refund. Tickets that a refund ended are no concern here.
 */
export async function refundRevoked(
  ctx: Pick<AppContext, 'clock'>,
  tx: TenantTx,
  tenantId: TenantId,
  revoked: readonly { ticketId: string; reason: string }[],
): Promise<void> {
  const reasons = new Map(
    revoked
      .filter(({ reason }) => PAID_BACK.includes(reason))
      .map(({ ticketId, reason }) => [ticketId, reason]),
  );
  if (reasons.size === 0) return;
  const rows = await tx
    .selectFrom('tickets as t')
    .innerJoin('orders as o', (join) =>
      join.onRef('o.tenant_id', '=', 't.tenant_id').onRef('o.id', '=', 't.order_id'),
    )
    .select([
      't.id',
      'o.id as orderId',
      'o.amount_minor',
      'o.subtotal_minor',
      't.price_minor',
      't.user_id',
      'o.user_id as buyer',
    ])
    .where('t.tenant_id', '=', tenantId)
    .where('t.id', 'in', [...reasons.keys()])
    .where('t.status', '=', 'revoked')
    // The promises lock payments: in one order everywhere.
    .orderBy('o.id')
    .orderBy('t.id')
    .execute();
  const now = ctx.clock.now();
  for (const row of rows) {
    // What was given away is no longer the buyer's to be paid for.
    if (row.subtotal_minor === 0n || row.user_id !== row.buyer) continue;
    const share = (row.amount_minor * row.price_minor) / row.subtotal_minor;
    const left = await leftToRefund(tx, tenantId, row.orderId);
    const amountMinor = share < left ? share : left;
    const refund = {
      orderId: row.orderId,
      amountMinor,
      reason: `ticket ${reasons.get(row.id)}`,
      by: 'worker:payments',
    };
    const promised = await requestRefund(tx, tenantId, now, refund);
    if (promised) await enqueue(tx, now, [promised.message]);
  }
}
