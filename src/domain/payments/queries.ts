import type { AppContext } from '../../context.ts';
import type { TenantId } from '../../platform/ids.ts';
import { withTenant } from '../../platform/tenant-tx.ts';

export type Unsettled = {
  orderId: string;
  paymentId: string;
  transactionId: string;
  eventId: string;
  userId: string;
  providerReference: string | undefined;
};

/** While a payment is open the reconciler asks for it. */
export const openStatuses = ['created', 'unknown', 'requires_action'];

/** A payment whose outcome is open, by its order or its own id; undefined when it was settled. */
export async function findUnsettled(
  ctx: Pick<AppContext, 'db'>,
  tenantId: TenantId,
  by: { orderId: string } | { paymentId: string },
): Promise<Unsettled | undefined> {
  const payment = await findPayment(ctx, tenantId, by);
  return payment && openStatuses.includes(payment.status) ? payment : undefined;
}

/** A payment with its order. */
export async function findPayment(
  ctx: Pick<AppContext, 'db'>,
  tenantId: TenantId,
  by: { orderId: string } | { paymentId: string },
): Promise<(Unsettled & { status: string }) | undefined> {
  const row = await withTenant(ctx.db, tenantId, (tx) =>
    tx
      .selectFrom('orders as o')
      .innerJoin('payments as p', (join) =>
        join.onRef('p.tenant_id', '=', 'o.tenant_id').onRef('p.order_id', '=', 'o.id'),
      )
      .select([
        'o.id as orderId',
        'p.id as paymentId',
        'p.status',
        'p.provider_reference as providerReference',
        'o.transaction_id as transactionId',
        'o.event_id as eventId',
        'o.user_id as userId',
      ])
      .where('o.tenant_id', '=', tenantId)
      .where((eb) => ('orderId' in by ? eb('o.id', '=', by.orderId) : eb('p.id', '=', by.paymentId)))
      .executeTakeFirst(),
  );
  return row && { ...row, providerReference: row.providerReference ?? undefined };
}

/**
 * Under which name the provider knows a payment, kept before money can move.
 * @throws Error when the payment was settled meanwhile: its order is over, so no money may move
 */
export async function keepReference(
  ctx: Pick<AppContext, 'db' | 'clock'>,
  tenantId: TenantId,
  paymentId: string,
  providerReference: string,
): Promise<void> {
  const kept = await withTenant(ctx.db, tenantId, (tx) =>
    tx
      .updateTable('payments')
      .set({ provider_reference: providerReference, updated_at: ctx.clock.now() })
      .where('tenant_id', '=', tenantId)
      .where('id', '=', paymentId)
      .where('status', 'in', openStatuses)
      .executeTakeFirst(),
  );
  if (kept.numUpdatedRows === 0n) throw new Error('the payment was settled before it was charged');
}
