import type { AppContext } from '../../context.ts';
import { notFound } from '../../platform/errors.ts';
import { withTenant } from '../../platform/tenant-tx.ts';
import type { SettleOrder } from '../orders/settle-order.ts';
import { providerUnavailable } from './provider-unavailable.ts';
import { findPayment, openStatuses } from './queries.ts';
import { recheckRefund } from './send-refund.ts';
import { settlePayment } from './settle-payment.ts';

/**
 * A webhook of the provider. It is a hint to look: what it says is not believed, the provider is asked, so notices may
 * come twice, late, early or in any order. Each is handled once.
 * @throws DomainError unavailable when the provider cannot be asked and nobody but this notice would have it asked again
 */
export async function receiveNotice(
  ctx: AppContext,
  settleOrder: SettleOrder,
  input: { provider: string; body: string; headers: Headers },
): Promise<{ outcome: 'handled' | 'known' | 'ignored' }> {
  if (input.provider !== ctx.payments.name) throw notFound('payment provider');
  const notice = await ctx.payments.readNotice(input.body, input.headers);
  if (!notice) return { outcome: 'ignored' };
  const { tenantId, eventId, kind, reference } = notice;
  const known = await withTenant(ctx.db, tenantId, (tx) =>
    tx
      .selectFrom('payment_events')
      .select('event_id')
      .where('tenant_id', '=', tenantId)
      .where('provider', '=', input.provider)
      .where('event_id', '=', eventId)
      .executeTakeFirst(),
  );
  if (known) return { outcome: 'known' };
  const payment = await findPayment(ctx, tenantId, { paymentId: reference });
  if (!payment) {
    ctx.log.warn({ tenantId, eventId, kind }, 'a notice about a payment that we do not have');
    return { outcome: 'ignored' };
  }
  if (notice.refundId !== undefined) {
    await recheckRefund(ctx, tenantId, notice.refundId);
  } else {
    const { providerReference } = payment;
    const outcome = await ctx.payments.look({ tenantId, reference, providerReference }, { early: true });
    if (outcome.status === 'unknown') {
      // What is open the reconciler asks for; what the provider never named to us never was charged.
      if (openStatuses.includes(payment.status) || providerReference === undefined)
        return { outcome: 'ignored' };
      throw providerUnavailable();
    }
    await settlePayment(ctx, settleOrder, tenantId, payment, outcome, `webhook:${input.provider}`);
  }
  // Noted last: a crash before this makes the provider send it again, which is harmless.
  await withTenant(ctx.db, tenantId, (tx) =>
    tx
      .insertInto('payment_events')
      .values({
        tenant_id: tenantId,
        provider: input.provider,
        event_id: eventId,
        kind,
        payment_id: payment.paymentId,
        received_at: ctx.clock.now(),
      })
      .onConflict((conflict) => conflict.doNothing())
      .execute(),
  );
  return { outcome: 'handled' };
}
