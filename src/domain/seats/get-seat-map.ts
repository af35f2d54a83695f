import type { AppContext } from '../../context.ts';
import { type Actor, isStaff } from '../../platform/actor.ts';
import { notFound } from '../../platform/errors.ts';
import { withTenant } from '../../platform/tenant-tx.ts';
import { findEvent } from '../events/queries.ts';
import { readSeatMap } from './queries.ts';
import type { SeatMapView } from './schema.ts';

/** The seat map with the state of each seat, as of this moment. */
export async function getSeatMap(
  ctx: AppContext,
  actor: Actor,
  input: { eventId: string },
): Promise<SeatMapView> {
  const { tenantId } = actor;
  return withTenant(ctx.db, tenantId, async (tx) => {
    const event = await findEvent(tx, tenantId, input.eventId);
    if (!event || (!event.is_active && !isStaff(actor))) throw notFound('event');
    const map = await readSeatMap(tx, tenantId, input.eventId, ctx.clock.now());
    if (map.sections.length === 0) throw notFound('seat map of this event');
    return map;
  });
}
