import { sql } from 'kysely';
import type { TenantId } from '../../platform/ids.ts';
import type { TenantTx } from '../../platform/tenant-tx.ts';
import type { EntryView } from './schema.ts';

type Row = {
  id: string;
  event_id: string;
  ticket_type_id: string;
  quantity: number;
  state: EntryView['state'];
  user_id: string;
  offer_expires_at: Date | null;
  code: string | null;
  offered: number | null;
  ahead: number;
  created_at: Date;
};

/** An entry as it stands: an offer that was bought is accepted, whether or not anybody has written that yet. */
export async function findEntry(
  tx: TenantTx,
  tenantId: TenantId,
  id: string,
): Promise<(EntryView & { userId: string }) | undefined> {
  const { rows } = await sql<Row>`
    select w.*, h.code, h.quantity as offered,
      case when w.state = 'offered' and h.state = 'converted' then 'accepted'
        when w.state = 'offered' and h.state <> 'active' then 'expired' else w.state end as state,
      (select count(*)::integer from waiting_list o where o.tenant_id = w.tenant_id and o.ticket_type_id = w.ticket_type_id
        and o.state = 'waiting' and o.id < w.id) as ahead
    from waiting_list w left join holds h on h.tenant_id = w.tenant_id and h.group_id = w.hold_group
    where w.tenant_id = ${tenantId} and w.id = ${id}`.execute(tx);
  const [row] = rows;
  if (!row) return undefined;
  const offered = row.state === 'offered' && row.code !== null && row.offer_expires_at !== null;
  return {
    id: row.id,
    eventId: row.event_id,
    ticketTypeId: row.ticket_type_id,
    quantity: row.quantity,
    state: row.state,
    position: row.state === 'waiting' ? row.ahead + 1 : null,
    offer: offered
      ? {
          reservationId: row.code as string,
          quantity: row.offered as number,
          expiresAt: (row.offer_expires_at as Date).toISOString(),
        }
      : null,
    createdAt: row.created_at.toISOString(),
    userId: row.user_id,
  };
}

/** How many wait for a type, written where the sale sees it under its lock: it then leaves what comes free to them. */
export async function countWaiting(
  tx: TenantTx,
  tenantId: TenantId,
  now: Date,
  ticketTypeId: string,
): Promise<void> {
  await sql`
    update inventory i set waiting = (
        select count(*) from waiting_list w
        where w.tenant_id = i.tenant_id and w.ticket_type_id = i.ticket_type_id and w.state = 'waiting'),
      version = i.version + 1, updated_at = ${now}
    where i.tenant_id = ${tenantId} and i.ticket_type_id = ${ticketTypeId}`.execute(tx);
}

/** Ends the line before a type that is sold in another way from now on. The counter is locked. */
export async function endList(
  tx: TenantTx,
  tenantId: TenantId,
  now: Date,
  ticketTypeId: string,
): Promise<void> {
  await tx
    .updateTable('waiting_list')
    .set({ state: 'expired', updated_at: now })
    .where('tenant_id', '=', tenantId)
    .where('ticket_type_id', '=', ticketTypeId)
    .where('state', '=', 'waiting')
    .execute();
  await countWaiting(tx, tenantId, now, ticketTypeId);
}

type Refusal = 'not_found' | 'event_hidden' | 'not_on_sale' | 'sales_not_open' | 'sales_closed';

/** What keeps a type from being sold now, as the sale itself would say; null when nothing does. */
export async function whyNotOnSale(
  tx: TenantTx,
  tenantId: TenantId,
  now: Date,
  ticketTypeId: string,
): Promise<Refusal | null> {
  const { rows } = await sql<{ refusal: Refusal | null }>`
    select sale_refusal(t, e, ${now}) as refusal
    from ticket_types t join events e on e.tenant_id = t.tenant_id and e.id = t.event_id
    where t.tenant_id = ${tenantId} and t.id = ${ticketTypeId}`.execute(tx);
  return rows[0] ? rows[0].refusal : 'not_found';
}

/** The counter's row, locked: everything about a type's waiting list happens under it. */
export async function lockCounter(
  tx: TenantTx,
  tenantId: TenantId,
  ticketTypeId: string,
): Promise<{ capacity: number; held: number; sold: number } | undefined> {
  return tx
    .selectFrom('inventory')
    .select(['capacity', 'held', 'sold'])
    .where('tenant_id', '=', tenantId)
    .where('ticket_type_id', '=', ticketTypeId)
    .forUpdate()
    .executeTakeFirst();
}

/** An offer that was bought is accepted; one whose hold ended otherwise has expired. */
export async function endOffers(
  tx: TenantTx,
  tenantId: TenantId,
  now: Date,
  ticketTypeId: string,
): Promise<void> {
  await sql`
    update waiting_list w set state = case h.state when 'converted' then 'accepted' else 'expired' end, updated_at = ${now}
    from holds h
    where w.tenant_id = ${tenantId} and w.ticket_type_id = ${ticketTypeId} and w.state = 'offered'
      and h.tenant_id = w.tenant_id and h.group_id = w.hold_group and h.state <> 'active'`.execute(tx);
}

/** Those of the ticket types that somebody waits for. */
export async function awaitedTypes(
  tx: TenantTx,
  tenantId: TenantId,
  ticketTypeIds: string[],
): Promise<string[]> {
  if (ticketTypeIds.length === 0) return [];
  const rows = await tx
    .selectFrom('inventory')
    .select('ticket_type_id')
    .where('tenant_id', '=', tenantId)
    .where('ticket_type_id', 'in', ticketTypeIds)
    .where('waiting', '>', 0)
    .execute();
  return rows.map((row) => row.ticket_type_id);
}
