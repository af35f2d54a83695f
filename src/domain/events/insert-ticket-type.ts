import { sql } from 'kysely';
import { DomainError } from '../../platform/errors.ts';
import { newId, type TenantId } from '../../platform/ids.ts';
import type { TenantTx } from '../../platform/tenant-tx.ts';
import { openInventory } from '../inventory/open-inventory.ts';
import type { TicketTypeInput } from './schema.ts';

const MAX_TYPES = 999;

/** Adds a ticket type behind the others of its event. The caller holds the event's row, so ordinals do not collide. */
export async function insertTicketType(
  tx: TenantTx,
  tenantId: TenantId,
  now: Date,
  eventId: string,
  input: TicketTypeInput,
): Promise<string> {
  const id = newId();
  const last = await tx
    .selectFrom('ticket_types')
    .select(sql<number>`coalesce(max(ordinal), 0)::integer`.as('ordinal'))
    .where('tenant_id', '=', tenantId)
    .where('event_id', '=', eventId)
    .executeTakeFirstOrThrow();
  if (last.ordinal >= MAX_TYPES) {
    throw new DomainError(
      'conflict',
      'too_many_ticket_types',
      `An event has at most ${MAX_TYPES} ticket types.`,
    );
  }
  await tx
    .insertInto('ticket_types')
    .values({
      tenant_id: tenantId,
      id,
      event_id: eventId,
      ordinal: last.ordinal + 1,
      created_at: now,
      ...ticketTypeColumns(now, input),
    })
    .execute();
  await openInventory(tx, tenantId, now, { eventId, ticketTypeId: id, capacity: input.capacity });
  return id;
}

export function ticketTypeColumns(now: Date, input: Omit<TicketTypeInput, 'capacity'>) {
  return {
    name: input.name,
    description: input.description,
    price_minor: BigInt(input.priceMinor),
    sales_start_at: input.salesStartAt ?? null,
    sales_end_at: input.salesEndAt ?? null,
    per_order_limit: input.perOrderLimit,
    per_customer_limit: input.perCustomerLimit ?? null,
    max_entries: input.maxEntries,
    is_active: input.isActive,
    updated_at: now,
  };
}
