import type { AppContext } from '../../context.ts';
import type { Db } from '../../platform/db.ts';
import { type TenantId, toTenantId } from '../../platform/ids.ts';
import { withSystem, withTenant } from '../../platform/tenant-tx.ts';
import type { SettleOrder } from '../orders/settle-order.ts';
import { findUnsettled } from './queries.ts';
import { settlePayment } from './settle-payment.ts';

const BATCH = 100;
/** A buyer who has not come back from the bank by then will not: the payment is called off. */
const ABANDON_AFTER_MS = 20 * 60_000;
const PUT_OFF_MS = 5 * 60_000;

type Context = Pick<AppContext, 'db' | 'cache' | 'clock' | 'log' | 'payments'>;

/**
 * Asks the provider for the outcome of payments that nobody brought home: the API died in between, the answer was
 * lost, the buyer never came back. Returns how many were asked for. Never charges.
 */
export async function reconcilePayments(ctx: Context, relay: Db, settleOrder: SettleOrder): Promise<number> {
  const due = await withSystem(relay, (tx) =>
    tx
      .selectFrom('payments')
      .select(['tenant_id', 'id'])
      .where('next_poll_at', '<=', ctx.clock.now())
      .orderBy('next_poll_at')
      .limit(BATCH)
      .execute(),
  );
  for (const { tenant_id, id } of due) {
    try {
      await reconcile(ctx, tenant_id, id, settleOrder);
    } catch (error) {
      ctx.log.warn(
        { tenantId: tenant_id, paymentId: id, err: (error as Error).message },
        'a payment could not be reconciled',
      );
      await putOff(ctx, toTenantId(tenant_id), id);
    }
  }
  return due.length;
}

/** One that fails stands at the head of the queue: it must not keep the others waiting. */
async function putOff(ctx: Context, tenantId: TenantId, paymentId: string): Promise<void> {
  await withTenant(ctx.db, tenantId, (tx) =>
    tx
      .updateTable('payments')
      .set({ next_poll_at: new Date(ctx.clock.now().getTime() + PUT_OFF_MS) })
      .where('tenant_id', '=', tenantId)
      .where('id', '=', paymentId)
      .where('next_poll_at', 'is not', null)
      .execute(),
  );
}

async function reconcile(
  ctx: Context,
  tenant: string,
  paymentId: string,
  settleOrder: SettleOrder,
): Promise<void> {
  const tenantId = toTenantId(tenant);
  const due = await findUnsettled(ctx, tenantId, { paymentId });
  if (!due) return;
  const { created_at } = await withTenant(ctx.db, tenantId, (tx) =>
    tx
      .selectFrom('payments')
      .select('created_at')
      .where('tenant_id', '=', tenantId)
      .where('id', '=', paymentId)
      .executeTakeFirstOrThrow(),
  );
  const abandon = ctx.clock.now().getTime() - created_at.getTime() > ABANDON_AFTER_MS;
  const { providerReference } = due;
  const outcome = await ctx.payments.look({ tenantId, reference: paymentId, providerReference }, { abandon });
  await settlePayment(ctx, settleOrder, tenantId, due, outcome, 'worker:reconciler');
}
