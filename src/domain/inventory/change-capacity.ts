import { sql } from 'kysely';
import { DomainError } from '../../platform/errors.ts';
import type { TenantId } from '../../platform/ids.ts';
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
  const { rows } = await sql<{ change: number; version: bigint }>`
    with before as (
      select capacity from inventory where tenant_id = ${tenantId} and ticket_type_id = ${input.ticketTypeId} for update)
    update inventory i
    set capacity = ${input.capacity}, version = i.version + (i.capacity <> ${input.capacity})::int, updated_at = ${now}
    from before
    where i.tenant_id = ${tenantId} and i.ticket_type_id = ${input.ticketTypeId} and i.held + i.sold <= ${input.capacity}
    returning ${input.capacity}::integer - before.capacity as change, i.version`.execute(tx);
  const changed = rows[0];
  if (changed) return changed;
  throw new DomainError(
    'conflict',
    'capacity_below_sold',
    'More places are sold or held than the new capacity.',
  );
}
