import { sql } from 'kysely';
import type { Body } from '../../messages.ts';
import { newId, type TenantId } from '../../platform/ids.ts';
import type { TenantTx } from '../../platform/tenant-tx.ts';

/** What follows decided orders at leisure: purchase records move, the audit trail grows, buyers get a profile. */
export async function recordPurchases(
  tx: TenantTx,
  tenantId: TenantId,
  now: Date,
  bodies: readonly Body<'ticket.transactions'>[],
): Promise<void> {
  const rows = JSON.stringify(
    bodies.map(({ transactionId, orderId, userId, status, quantity, amount, currency }) => ({
      id: newId(),
      transaction_id: transactionId,
      order_id: orderId,
      user_id: userId,
      status,
      details: { transactionId, quantity, amount, currency },
    })),
  );
  await sql`
    update event_ticket_transactions t set status = r.status, updated_at = ${now}
    from json_to_recordset(${rows}) as r (transaction_id text, status text)
    where t.tenant_id = ${tenantId} and t.transaction_id = r.transaction_id and t.status = 'pending'`.execute(
    tx,
  );
  await sql`
    insert into audit_log (tenant_id, id, at, actor, action, subject, details)
    select ${tenantId}, r.id, ${now}, 'user:' || r.user_id, 'order.' || r.status, r.order_id, r.details
    from json_to_recordset(${rows}) as r (id uuid, user_id text, status text, order_id text, details jsonb)`.execute(
    tx,
  );
  // A profile is what the person said last; rows are taken in one order, so that two transactions cannot deadlock.
  await sql`
    insert into users (tenant_id, user_id, name, email, phone, created_at, updated_at)
    select distinct on (r.user_id) ${tenantId}, r.user_id, o.customer_name, o.customer_email, o.customer_phone, ${now}, ${now}
    from json_to_recordset(${rows}) as r (user_id text, order_id uuid)
    join orders o on o.tenant_id = ${tenantId} and o.id = r.order_id
    order by r.user_id, o.created_at desc, o.id desc
    on conflict (tenant_id, user_id) do update
    set name = excluded.name, email = excluded.email, phone = excluded.phone, updated_at = excluded.updated_at`.execute(
    tx,
  );
}
