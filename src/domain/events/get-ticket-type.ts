import type { AppContext } from '../../context.ts';
import { type Actor, isStaff } from '../../platform/actor.ts';
import { notFound } from '../../platform/errors.ts';
import { type TenantTx, withTenant } from '../../platform/tenant-tx.ts';
import { findEvent, showEvents } from './queries.ts';
import type { TicketTypeView } from './schema.ts';

/** A ticket type of an inactive event exists for staff only. */
export async function getTicketType(
  ctx: AppContext,
  actor: Actor,
  input: { id: string },
): Promise<TicketTypeView> {
  return withTenant(ctx.db, actor.tenantId, (tx) => readTicketType(tx, actor, input.id));
}

/** The same within a transaction. */
export async function readTicketType(tx: TenantTx, actor: Actor, id: string): Promise<TicketTypeView> {
  const row = await tx
    .selectFrom('ticket_types')
    .select('event_id')
    .where('tenant_id', '=', actor.tenantId)
    .where('id', '=', id)
    .executeTakeFirst();
  const event = row && (await findEvent(tx, actor.tenantId, row.event_id));
  if (!event || (!event.is_active && !isStaff(actor))) throw notFound('ticket type');
  const [shown] = await showEvents(tx, actor.tenantId, [event]);
  const type = shown?.ticketTypes.find((one) => one.id === id);
  if (!type) throw notFound('ticket type');
  return type;
}
