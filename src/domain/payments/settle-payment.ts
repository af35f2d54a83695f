import type { AppContext } from '../../context.ts';
import type { TenantId } from '../../platform/ids.ts';
import { forgetHold } from '../inventory/forget-hold.ts';
import { publishAvailability } from '../inventory/publish-availability.ts';
import type { SettledOrder, SettleOrder } from '../orders/settle-order.ts';
import { publishSale } from './publish-sale.ts';
import type { Unsettled } from './queries.ts';

/** Asks the provider how a payment stands and brings the answer into its order. Never charges. */
export async function settlePayment(
  ctx: Pick<AppContext, 'db' | 'cache' | 'clock' | 'log' | 'payments'>,
  settleOrder: SettleOrder,
  tenantId: TenantId,
  due: Unsettled,
  by: string,
  options: { abandon?: boolean } = {},
): Promise<SettledOrder> {
  const { paymentId: reference, providerReference, orderId, eventId } = due;
  const outcome = await ctx.payments.look({ tenantId, reference, providerReference }, options);
  const settled = await settleOrder({ tenantId, orderId, paymentId: reference, eventId, outcome, by });
  ctx.log.info({ tenantId, orderId, by, outcome: settled.outcome }, 'payment settled');
  if (settled.outcome === 'paid') await publishSale(ctx, tenantId, settled.answer, due.userId);
  if (settled.outcome === 'failed' || settled.outcome === 'refund_due')
    await publishAvailability(ctx, tenantId, eventId);
  if (settled.outcome !== 'open' && settled.outcome !== 'unchanged')
    await forgetHold(ctx, tenantId, { orderId });
  return settled;
}
