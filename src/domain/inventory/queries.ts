import type { Message } from '../../messages.ts';
import type { TenantId } from '../../platform/ids.ts';
import type { TenantTx } from '../../platform/tenant-tx.ts';

/** Whether anything of the event, or of one of its ticket types, was ever sold or is held now. */
export async function hasSales(
  tx: TenantTx,
  tenantId: TenantId,
  eventId: string,
  ticketTypeId?: string,
): Promise<boolean> {
  const row = await tx
    .selectFrom('inventory')
    .select('ticket_type_id')
    .where('tenant_id', '=', tenantId)
    .where('event_id', '=', eventId)
    .$if(ticketTypeId !== undefined, (query) => query.where('ticket_type_id', '=', ticketTypeId as string))
    .where((eb) => eb.or([eb('issued', '>', 0), eb('held', '>', 0)]))
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

/** Messages that tell of places that were given back, one per ticket type, each with the counter's version. */
export async function capacityMessages(
  tx: TenantTx,
  tenantId: TenantId,
  freed: { event_id: string; ticket_type_id: string; quantity: number }[],
  cause: { transactionId: string; operation: 'release' | 'edit' },
): Promise<Message[]> {
  if (freed.length === 0) return [];
  const rows = await tx
    .selectFrom('inventory')
    .select(['ticket_type_id', 'version'])
    .where('tenant_id', '=', tenantId)
    .where(
      'ticket_type_id',
      'in',
      freed.map((line) => line.ticket_type_id),
    )
    .execute();
  const versions = new Map(rows.map((row) => [row.ticket_type_id, Number(row.version)]));
  return freed.map((line) => ({
    kind: 'ticket.capacity.updates',
    body: {
      eventId: line.event_id,
      ticketTypeId: line.ticket_type_id,
      capacityChange: line.quantity,
      version: versions.get(line.ticket_type_id) ?? 0,
      ...cause,
    },
  }));
}

/** Takes tickets out of the counters: their places are on sale again with this commit. */
export async function freeSold(
  tx: TenantTx,
  tenantId: TenantId,
  now: Date,
  freed: { ticketTypeId: string; quantity: number }[],
): Promise<void> {
  for (const { ticketTypeId, quantity } of freed.toSorted((a, b) =>
    a.ticketTypeId < b.ticketTypeId ? -1 : 1,
  )) {
    await tx
      .updateTable('inventory')
      .set((eb) => ({ sold: eb('sold', '-', quantity), version: eb('version', '+', 1n), updated_at: now }))
      .where('tenant_id', '=', tenantId)
      .where('ticket_type_id', '=', ticketTypeId)
      .execute();
  }
}

export async function hasOtherCapacity(
  tx: TenantTx,
  tenantId: TenantId,
  ticketTypeId: string,
  capacity: number,
): Promise<boolean> {
  const row = await tx
    .selectFrom('inventory')
    .select('capacity')
    .where('tenant_id', '=', tenantId)
    .where('ticket_type_id', '=', ticketTypeId)
    .executeTakeFirst();
  return row?.capacity !== capacity;
}

/**
 * Locks the counters of an event, or of one of its ticket types, until the transaction ends. Whoever edits or deletes
 * those comes here first: a sale has its places before it refers to what they belong to, and the other way round the two
 * would wait for each other.
 */
export async function lockCounters(
  tx: TenantTx,
  tenantId: TenantId,
  of: { column: 'event_id' | 'ticket_type_id'; id: string },
): Promise<void> {
  await tx
    .selectFrom('inventory')
    .select('ticket_type_id')
    .where('tenant_id', '=', tenantId)
    .where(of.column, '=', of.id)
    .orderBy('ticket_type_id')
    .forUpdate()
    .execute();
}

/** The reservations, locks and offers that nobody has ended, of an event or of one of its ticket types. */
export async function openHolds(
  tx: TenantTx,
  tenantId: TenantId,
  of: { column: 'event_id' | 'ticket_type_id'; id: string },
): Promise<{ code: string; expires_at: Date }[]> {
  return tx
    .selectFrom('holds as h')
    .innerJoin('inventory as i', (join) =>
      join.onRef('i.tenant_id', '=', 'h.tenant_id').onRef('i.ticket_type_id', '=', 'h.ticket_type_id'),
    )
    .select(['h.code', 'h.expires_at'])
    .where('i.tenant_id', '=', tenantId)
    .where(`i.${of.column}`, '=', of.id)
    .where('h.state', '=', 'active')
    .where('h.code', 'is not', null)
    .$narrowType<{ code: string }>()
    .execute();
}
