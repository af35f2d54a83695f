import type { AppContext } from '../../context.ts';
import { type Actor, actorName, requireRole } from '../../platform/actor.ts';
import { recordAudit } from '../../platform/audit.ts';
import { DomainError } from '../../platform/errors.ts';
import { newId } from '../../platform/ids.ts';
import { withTenant } from '../../platform/tenant-tx.ts';
import { insertTicketType } from './insert-ticket-type.ts';
import { findEvent, showEvents } from './queries.ts';
import type { EventInput, EventView } from './schema.ts';

/** An event starts in the future when it is made: what is over already is a slip of the pen. */
export async function createEvent(ctx: AppContext, actor: Actor, input: EventInput): Promise<EventView> {
  requireRole(actor, 'organiser');
  const { tenantId } = actor;
  const now = ctx.clock.now();
  if (input.startsAt <= now) throw startsInPast();
  const id = newId();
  return withTenant(ctx.db, tenantId, async (tx) => {
    await tx
      .insertInto('events')
      .values({ tenant_id: tenantId, id, created_at: now, ...eventColumns(now, input) })
      .execute();
    for (const type of input.ticketTypes) await insertTicketType(tx, tenantId, now, id, type);
    await recordAudit(tx, tenantId, now, {
      actor: actorName(actor),
      action: 'event.created',
      subject: id,
      details: { title: input.title },
    });
    const event = await findEvent(tx, tenantId, id);
    const [shown] = await showEvents(tx, tenantId, event ? [event] : []);
    return shown as EventView;
  });
}

export function startsInPast(): DomainError {
  return new DomainError('invalid', 'starts_in_past', 'startsAt must lie in the future.');
}

export function eventColumns(now: Date, input: Omit<EventInput, 'ticketTypes'>) {
  return {
    title: input.title,
    description: input.description,
    venue: input.venue,
    venue_address: input.venueAddress,
    starts_at: input.startsAt,
    ends_at: input.endsAt,
    doors_open_at: input.doorsOpenAt ?? null,
    currency: input.currency,
    transfer_policy: input.transferPolicy,
    resale_cap_bps: input.resaleCapBps,
    is_active: input.isActive,
    updated_at: now,
  };
}
