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
  ahead: number;
  created_at: Date;
};

export async function findEntry(
  tx: TenantTx,
  tenantId: TenantId,
  id: string,
): Promise<(EntryView & { userId: string }) | undefined> {
  const { rows } = await sql<Row>`
    select w.*, (select h.code from holds h where h.tenant_id = w.tenant_id and h.group_id = w.hold_group limit 1) as code,
      (select count(*)::integer from waiting_list o where o.tenant_id = w.tenant_id and o.ticket_type_id = w.ticket_type_id
        and o.state = 'waiting' and o.id < w.id) as ahead
    from waiting_list w where w.tenant_id = ${tenantId} and w.id = ${id}`.execute(tx);
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
      ? { reservationId: row.code as string, expiresAt: (row.offer_expires_at as Date).toISOString() }
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
