import type { AppContext } from '../../context.ts';
import { type Actor, actorName, requireRole } from '../../platform/actor.ts';
import { recordAudit } from '../../platform/audit.ts';
import { DomainError, notFound } from '../../platform/errors.ts';
import { enqueue } from '../../platform/outbox.ts';
import { withTenant } from '../../platform/tenant-tx.ts';
import { capacityEdit, changeCapacity } from '../inventory/change-capacity.ts';
import { publishAvailability } from '../inventory/publish-availability.ts';
import { hasOtherCapacity, lockCounters } from '../inventory/queries.ts';
import type { SoldOutGate } from '../inventory/sold-out-gate.ts';
import { ticketTypeColumns } from './insert-ticket-type.ts';
import { findEvent, showEvents } from './queries.ts';
import type { TicketTypeUpdate, TicketTypeView } from './schema.ts';
import { versionConflict } from './update-event.ts';

/** Replaces what can be edited, in mid-sale too: a hold keeps its price, and the capacity cannot fall below what is taken. */
export async function updateTicketType(
  ctx: AppContext,
  gate: SoldOutGate,
  actor: Actor,
  input: TicketTypeUpdate & { id: string },
): Promise<TicketTypeView> {
  requireRole(actor, 'organiser');
  const { tenantId } = actor;
  const now = ctx.clock.now();
  const updated = await withTenant(ctx.db, tenantId, async (tx) => {
    await lockCounters(tx, tenantId, { column: 'ticket_type_id', id: input.id });
    const before = await tx
      .selectFrom('ticket_types')
      .select(['event_id', 'version', 'is_seated'])
      .where('tenant_id', '=', tenantId)
      .where('id', '=', input.id)
      .forNoKeyUpdate()
      .executeTakeFirst();
    if (!before) throw notFound('ticket type');
    if (input.version !== undefined && input.version !== before.version)
      throw versionConflict(before.version);
    if (before.is_seated && (await hasOtherCapacity(tx, tenantId, input.id, input.capacity))) {
      throw new DomainError(
        'conflict',
        'capacity_by_seats',
        'The capacity is the number of its seats: change the seat map.',
      );
    }
    await tx
      .updateTable('ticket_types')
      .set({ ...ticketTypeColumns(now, input), version: before.version + 1 })
      .where('tenant_id', '=', tenantId)
      .where('id', '=', input.id)
      .execute();
    const { change, version } = await changeCapacity(tx, tenantId, now, {
      ticketTypeId: input.id,
      capacity: input.capacity,
    });
    if (change !== 0) {
      const edit = { eventId: before.event_id, ticketTypeId: input.id, capacityChange: change, version };
      await enqueue(tx, now, [capacityEdit(edit)]);
    }
    await recordAudit(tx, tenantId, now, {
      actor: actorName(actor),
      action: 'ticket_type.updated',
      subject: input.id,
      details: { priceMinor: input.priceMinor, capacity: input.capacity },
    });
    const event = await findEvent(tx, tenantId, before.event_id);
    const [shown] = await showEvents(tx, tenantId, event ? [event] : []);
    return shown?.ticketTypes.find((type) => type.id === input.id) as TicketTypeView;
  });
  gate.open(tenantId, input.id);
  await publishAvailability(ctx, tenantId, updated.eventId);
  return updated;
}
