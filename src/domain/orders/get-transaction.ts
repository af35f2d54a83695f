import type { AppContext } from '../../context.ts';
import { type Actor, isStaff } from '../../platform/actor.ts';
import { tenantKey } from '../../platform/cache.ts';
import { notFound } from '../../platform/errors.ts';
import { withTenant } from '../../platform/tenant-tx.ts';
import type { TransactionView } from './schema.ts';

const TTL_SECONDS = 60;

/** The purchase record. Its buyer sees it, and staff. */
export async function getTransaction(
  ctx: AppContext,
  actor: Actor,
  input: { transactionId: string },
): Promise<TransactionView> {
  const key = tenantKey(actor.tenantId, 'transaction', input.transactionId);
  const cached = await ctx.cache.get(key);
  const found =
    cached !== undefined
      ? (JSON.parse(cached) as TransactionView)
      : await read(ctx, actor, input.transactionId);
  if (!found || (found.userId !== actor.subject && !isStaff(actor))) throw notFound('transaction');
  if (cached === undefined && found.status !== 'pending')
    await ctx.cache.set(key, JSON.stringify(found), TTL_SECONDS);
  return found;
}

async function read(
  ctx: AppContext,
  actor: Actor,
  transactionId: string,
): Promise<TransactionView | undefined> {
  const row = await withTenant(ctx.db, actor.tenantId, (tx) =>
    tx
      .selectFrom('event_ticket_transactions')
      .selectAll()
      .where('tenant_id', '=', actor.tenantId)
      .where('transaction_id', '=', transactionId)
      .executeTakeFirst(),
  );
  return (
    row && {
      transactionId: row.transaction_id,
      orderId: row.order_id,
      userId: row.user_id,
      eventId: row.event_id,
      quantity: row.quantity,
      amountMinor: Number(row.amount_minor),
      currency: row.currency,
      status: row.status as TransactionView['status'],
      createdAt: row.created_at.toISOString(),
      updatedAt: row.updated_at.toISOString(),
    }
  );
}
