import type { Selectable } from 'kysely';
import type { TenantId } from '../../platform/ids.ts';
import type { Events } from '../../platform/schema.ts';
import type { TenantTx } from '../../platform/tenant-tx.ts';
import type { EventView, TicketTypeView } from './schema.ts';

export async function findEvent(
  tx: TenantTx,
  tenantId: TenantId,
  id: string,
): Promise<Selectable<Events> | undefined> {
  return tx
    .selectFrom('events')
    .selectAll()
    .where('tenant_id', '=', tenantId)
    .where('id', '=', id)
    .executeTakeFirst();
}

/** Events as they are shown, each with its ticket types in their order. */
export async function showEvents(
  tx: TenantTx,
  tenantId: TenantId,
  events: Selectable<Events>[],
): Promise<EventView[]> {
  if (events.length === 0) return [];
  const types = await readTicketTypes(
    tx,
    tenantId,
    events.map((event) => event.id),
  );
  return events.map((event) => {
    const own = types.filter((type) => type.eventId === event.id);
    return {
      id: event.id,
      title: event.title,
      description: event.description,
      venue: event.venue,
      venueAddress: event.venue_address,
      startsAt: event.starts_at.toISOString(),
      endsAt: event.ends_at.toISOString(),
      doorsOpenAt: event.doors_open_at?.toISOString() ?? null,
      currency: event.currency,
      transferPolicy: event.transfer_policy as EventView['transferPolicy'],
      resaleCapBps: event.resale_cap_bps,
      isActive: event.is_active,
      totalCapacity: own.reduce((sum, type) => sum + type.capacity, 0),
      version: event.version,
      createdAt: event.created_at.toISOString(),
      updatedAt: event.updated_at.toISOString(),
      ticketTypes: own,
    };
  });
}

async function readTicketTypes(
  tx: TenantTx,
  tenantId: TenantId,
  eventIds: string[],
): Promise<TicketTypeView[]> {
  const rows = await tx
    .selectFrom('ticket_types as t')
    .innerJoin('inventory as i', (join) =>
      join.onRef('i.tenant_id', '=', 't.tenant_id').onRef('i.ticket_type_id', '=', 't.id'),
    )
    .innerJoin('events as e', (join) =>
      join.onRef('e.tenant_id', '=', 't.tenant_id').onRef('e.id', '=', 't.event_id'),
    )
    .selectAll('t')
    .select(['i.capacity', 'e.currency'])
    .where('t.tenant_id', '=', tenantId)
    .where('t.event_id', 'in', eventIds)
    .orderBy('t.ordinal')
    .execute();
  return rows.map((row) => ({
    id: row.id,
    eventId: row.event_id,
    name: row.name,
    description: row.description,
    priceMinor: Number(row.price_minor),
    currency: row.currency,
    capacity: row.capacity,
    salesStartAt: row.sales_start_at?.toISOString() ?? null,
    salesEndAt: row.sales_end_at?.toISOString() ?? null,
    perOrderLimit: row.per_order_limit,
    perCustomerLimit: row.per_customer_limit,
    isSeated: row.is_seated,
    maxEntries: row.max_entries,
    isActive: row.is_active,
    version: row.version,
  }));
}
