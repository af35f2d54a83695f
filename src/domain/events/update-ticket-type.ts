import type { AppContext } from '../../context.ts';
import { type Actor, actorName, requireRole } from '../../platform/actor.ts';
import { recordAudit } from '../../platform/audit.ts';
import { DomainError } from '../../platform/errors.ts';
import { enqueue } from '../../platform/outbox.ts';
import { withTenant } from '../../platform/tenant-tx.ts';
import { capacityEdit, changeCapacity } from '../inventory/change-capacity.ts';
import { publishAvailability } from '../inventory/publish-availability.ts';
import { lockCounters } from '../inventory/queries.ts';
import type { SoldOutGate } from '../inventory/sold-out-gate.ts';
import type { TicketTypeEdit, TicketTypeTerms } from './edit-schema.ts';
import { expectUnchanged } from './expect-unchanged.ts';
import { readTicketType } from './get-ticket-type.ts';
import { ticketTypeColumns } from './insert-ticket-type.ts';
import { SELLS_FORWARDS, sellsForwards, type TicketTypeView } from './schema.ts';
import { notTogether, toDate } from './update-event.ts';

/**
 * Changes what the edit names and leaves the rest, in mid-sale too: a hold keeps its price, and the capacity cannot fall
 * below what is taken.
 */
export async function updateTicketType(
  ctx: AppContext,
  gate: SoldOutGate,
  actor: Actor,
  input: { id: string; ifMatch: string | undefined; edit: TicketTypeEdit },
): Promise<TicketTypeView> {
  requireRole(actor, 'organiser');
  const { tenantId } = actor;
  const { id, eventId, currency, isSeated, version, ...changes } = input.edit;
  const shown = { id, eventId, currency, isSeated };
  const now = ctx.clock.now();
  const updated = await withTenant(ctx.db, tenantId, async (tx) => {
    await lockCounters(tx, tenantId, { column: 'ticket_type_id', id: input.id });
    await tx
      .selectFrom('ticket_types')
      .select('id')
      .where('tenant_id', '=', tenantId)
      .where('id', '=', input.id)
      .forNoKeyUpdate()
      .execute();
    const before = await readTicketType(tx, actor, input.id);
    expectUnchanged(before, { ifMatch: input.ifMatch, version, shown });
    if (Object.keys(changes).length === 0) return before;
    const terms = Object.assign(termsOf(before), changes);
    if (!sellsForwards(terms)) throw notTogether(SELLS_FORWARDS);
    const { capacity, priceMinor } = terms;
    if (before.isSeated && capacity !== before.capacity) {
      const message = 'The capacity is the number of its seats: change the seat map.';
      throw new DomainError('conflict', 'capacity_by_seats', message);
    }
    await tx
      .updateTable('ticket_types')
      .set({ ...ticketTypeColumns(now, terms), version: before.version + 1 })
      .where('tenant_id', '=', tenantId)
      .where('id', '=', input.id)
      .execute();
    const counter = await changeCapacity(tx, tenantId, now, { ticketTypeId: input.id, capacity });
    if (counter.change !== 0) {
      const edit = { eventId: before.eventId, ticketTypeId: input.id, capacityChange: counter.change };
      await enqueue(tx, now, [capacityEdit({ ...edit, version: counter.version })]);
    }
    await recordAudit(tx, tenantId, now, {
      actor: actorName(actor),
      action: 'ticket_type.updated',
      subject: input.id,
      details: {
        priceMinor,
        capacity,
        fields: Object.keys(changes),
      },
    });
    return readTicketType(tx, actor, input.id);
  });
  gate.open(tenantId, input.id);
  await publishAvailability(ctx, tenantId, updated.eventId);
  return updated;
}

function termsOf(shown: TicketTypeView): TicketTypeTerms {
  const { id, eventId, currency, isSeated, version, ...terms } = shown;
  return { ...terms, salesStartAt: toDate(shown.salesStartAt), salesEndAt: toDate(shown.salesEndAt) };
}
