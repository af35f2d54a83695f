import type { AppContext, ChargeOutcome } from '../../context.ts';
import type { TenantId } from '../../platform/ids.ts';
import { forgetHold } from '../inventory/forget-hold.ts';
import { publishAvailability } from '../inventory/publish-availability.ts';
import type { SettledOrder, SettleOrder } from '../orders/settle-order.ts';
import { publishSale } from './publish-sale.ts';
import type { Unsettled } from './queries.ts';

/** Brings what the provider says of a payment into its order, and everybody's view of that up to date. */
export async function settlePayment(
  ctx: Pick<AppContext, 'db' | 'cache' | 'clock' | 'log'>,
  settleOrder: SettleOrder,
  tenantId: TenantId,
  due: Unsettled,
  outcome: ChargeOutcome,
  by: string,
): Promise<SettledOrder> {
  const { paymentId, orderId, eventId } = due;
  const settled = await settleOrder({ tenantId, orderId, paymentId, eventId, outcome, by });
  ctx.log.info({ tenantId, orderId, by, outcome: settled.outcome }, 'payment settled');
  if (settled.outcome === 'paid') await publishSale(ctx, tenantId, settled.answer, due.userId);
  if (settled.outcome === 'failed' || settled.outcome === 'refund_due')
    await publishAvailability(ctx, tenantId, eventId);
  if (settled.outcome !== 'open' && settled.outcome !== 'unchanged')
    await forgetHold(ctx, tenantId, { orderId });
  return settled;
}
