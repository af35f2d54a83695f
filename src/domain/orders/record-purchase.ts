import type { Body } from '../../messages.ts';
import { recordAudit } from '../../platform/audit.ts';
import type { TenantId } from '../../platform/ids.ts';
import type { TenantTx } from '../../platform/tenant-tx.ts';

/** What follows a decided order at leisure: the purchase record moves, the audit trail grows, the buyer gets a profile. */
export async function recordPurchase(
  tx: TenantTx,
  tenantId: TenantId,
  now: Date,
  body: Body<'ticket.transactions'>,
): Promise<void> {
  await tx
    .updateTable('event_ticket_transactions')
    .set({ status: body.status, updated_at: now })
    .where('tenant_id', '=', tenantId)
    .where('transaction_id', '=', body.transactionId)
    .where('status', '=', 'pending')
    .execute();
  await recordAudit(tx, tenantId, now, {
    actor: `user:${body.userId}`,
    action: `order.${body.status}`,
    subject: body.orderId,
    details: {
      transactionId: body.transactionId,
      quantity: body.quantity,
      amount: body.amount,
      currency: body.currency,
    },
  });
  const order = await tx
    .selectFrom('orders')
    .select(['customer_name as name', 'customer_email as email', 'customer_phone as phone'])
    .where('tenant_id', '=', tenantId)
    .where('id', '=', body.orderId)
    .executeTakeFirst();
  if (!order) return;
  await tx
    .insertInto('users')
    .values({ tenant_id: tenantId, user_id: body.userId, ...order, created_at: now, updated_at: now })
    .onConflict((conflict) =>
      conflict.columns(['tenant_id', 'user_id']).doUpdateSet({ ...order, updated_at: now }),
    )
    .execute();
}
