import type { AppContext } from '../../context.ts';
import { type Actor, actorName, requireRole } from '../../platform/actor.ts';
import { recordAudit } from '../../platform/audit.ts';
import { notFound } from '../../platform/errors.ts';
import { withTenant } from '../../platform/tenant-tx.ts';
import { publishAvailability } from '../inventory/publish-availability.ts';
import { insertTicketType } from './insert-ticket-type.ts';
import { findEvent, showEvents } from './queries.ts';
import type { TicketTypeInput, TicketTypeView } from './schema.ts';

export async function createTicketType(
  ctx: AppContext,
  actor: Actor,
  input: TicketTypeInput & { eventId: string },
): Promise<TicketTypeView> {
  requireRole(actor, 'organiser');
  const { tenantId } = actor;
  const now = ctx.clock.now();
  const created = await withTenant(ctx.db, tenantId, async (tx) => {
    const locked = await tx
      .selectFrom('events')
      .select('id')
      .where('tenant_id', '=', tenantId)
      .where('id', '=', input.eventId)
      .forNoKeyUpdate()
      .executeTakeFirst();
    if (!locked) throw notFound('event');
    const id = await insertTicketType(tx, tenantId, now, input.eventId, input);
    await recordAudit(tx, tenantId, now, {
      actor: actorName(actor),
      action: 'ticket_type.created',
      subject: id,
      details: { eventId: input.eventId, priceMinor: input.priceMinor, capacity: input.capacity },
    });
    const event = await findEvent(tx, tenantId, input.eventId);
    const [shown] = await showEvents(tx, tenantId, event ? [event] : []);
    return shown?.ticketTypes.find((type) => type.id === id) as TicketTypeView;
  });
  await publishAvailability(ctx, tenantId, input.eventId);
  return created;
}
