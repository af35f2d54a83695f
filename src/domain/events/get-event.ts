import type { AppContext } from '../../context.ts';
import { type Actor, isStaff } from '../../platform/actor.ts';
import { notFound } from '../../platform/errors.ts';
import { withTenant } from '../../platform/tenant-tx.ts';
import { findEvent, showEvents } from './queries.ts';
import type { EventView } from './schema.ts';

/** An inactive event exists for staff only. */
export async function getEvent(ctx: AppContext, actor: Actor, input: { id: string }): Promise<EventView> {
  return withTenant(ctx.db, actor.tenantId, async (tx) => {
    const event = await findEvent(tx, actor.tenantId, input.id);
    if (!event || (!event.is_active && !isStaff(actor))) throw notFound('event');
    const [shown] = await showEvents(tx, actor.tenantId, [event]);
    return shown as EventView;
  });
}
