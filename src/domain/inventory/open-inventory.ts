import type { TenantId } from '../../platform/ids.ts';
import type { TenantTx } from '../../platform/tenant-tx.ts';

/** Puts `capacity` places of a new ticket type on offer. */
export async function openInventory(
  tx: TenantTx,
  tenantId: TenantId,
  now: Date,
  input: { eventId: string; ticketTypeId: string; capacity: number },
): Promise<void> {
  await tx
    .insertInto('inventory')
    .values({
      tenant_id: tenantId,
      ticket_type_id: input.ticketTypeId,
      event_id: input.eventId,
      capacity: input.capacity,
      updated_at: now,
    })
    .execute();
}
