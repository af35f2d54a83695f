import { sql } from 'kysely';
import type { Message } from '../../messages.ts';
import { DomainError } from '../../platform/errors.ts';
import { newId, type TenantId } from '../../platform/ids.ts';
import type { TenantTx } from '../../platform/tenant-tx.ts';

/**
 * Sets the capacity of a ticket type in mid-sale; what is sold or held stays. Returns the change and the new version.
 * @throws DomainError conflict when more is taken than the new capacity
 */
export async function changeCapacity(
  tx: TenantTx,
  tenantId: TenantId,
  now: Date,
  input: { ticketTypeId: string; capacity: number },
): Promise<{ change: number; version: bigint }> {
  const { ticketTypeId, capacity } = input;
  const before = await tx
    .selectFrom('inventory')
    .select('capacity')
    .where('tenant_id', '=', tenantId)
    .where('ticket_type_id', '=', ticketTypeId)
    .forUpdate()
    .executeTakeFirstOrThrow();
  // A hold that ran out takes no place, also where nobody has cleaned it up yet.
  await sql`select reclaim_expired_holds(${tenantId}, ${ticketTypeId}, ${now})`.execute(tx);
  const { rows } = await sql<{ version: bigint }>`
    update inventory i
    set capacity = ${capacity}, version = i.version + (i.capacity <> ${capacity})::int, updated_at = ${now}
    where i.tenant_id = ${tenantId} and i.ticket_type_id = ${ticketTypeId} and i.held + i.sold <= ${capacity}
    returning i.version`.execute(tx);
  const changed = rows[0];
  if (changed) return { change: capacity - before.capacity, version: changed.version };
  throw new DomainError(
    'conflict',
    'capacity_below_sold',
    'More places are sold or held than the new capacity.',
  );
}

/** The message that tells of it. */
export function capacityEdit(edit: {
  eventId: string;
  ticketTypeId: string;
  capacityChange: number;
  version: bigint;
}): Message {
  return {
    kind: 'ticket.capacity.updates',
    body: { ...edit, version: Number(edit.version), transactionId: `edit-${newId()}`, operation: 'edit' },
  };
}
