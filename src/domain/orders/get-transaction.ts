import type { AppContext } from '../../context.ts';
import { type Actor, isStaff } from '../../platform/actor.ts';
import { tenantKey } from '../../platform/cache.ts';
import { notFound } from '../../platform/errors.ts';
import { withTenant } from '../../platform/tenant-tx.ts';
import { type OrderStatus, recordStatuses } from './order-state.ts';
import type { TransactionView } from './schema.ts';

const TTL_SECONDS = 60;

/**
 * The purchase record. Its buyer sees it, and staff. How it stands is told by the order, which changes in the commit
 * that decides it; the record's own column follows by message. A decided record never changes, so only such are cached.
 */
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
      .selectFrom('event_ticket_transactions as t')
      .innerJoin('orders as o', (join) =>
        join.onRef('o.tenant_id', '=', 't.tenant_id').onRef('o.id', '=', 't.order_id'),
      )
      .leftJoin('order_state_transitions as d', (join) =>
        join
          .onRef('d.tenant_id', '=', 't.tenant_id')
          .onRef('d.order_id', '=', 't.order_id')
          .on('d.to_status', 'in', ['paid', 'failed']),
      )
      .selectAll('t')
      .select(['o.status as orderStatus', 'd.at as decidedAt'])
      .where('t.tenant_id', '=', actor.tenantId)
      .where('t.transaction_id', '=', transactionId)
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
      status: recordStatuses[row.orderStatus as OrderStatus],
      createdAt: row.created_at.toISOString(),
      updatedAt: (row.decidedAt ?? row.created_at).toISOString(),
    }
  );
}
