import type { AppContext } from '../../context.ts';
import { type Actor, actorName, requireRole } from '../../platform/actor.ts';
import { recordAudit } from '../../platform/audit.ts';
import { tenantKey } from '../../platform/cache.ts';
import { deleteUnlessReferenced } from '../../platform/delete-unless-referenced.ts';
import { notFound } from '../../platform/errors.ts';
import { withTenant } from '../../platform/tenant-tx.ts';
import { lockCounters, openHolds } from '../inventory/queries.ts';
import type { Deletion } from './delete-event.ts';

/** As with events: gone when nothing was ordered and nobody holds places, otherwise no longer on sale. */
export async function deleteTicketType(
  ctx: AppContext,
  actor: Actor,
  input: { id: string },
): Promise<Deletion> {
  requireRole(actor, 'organiser');
  const { tenantId } = actor;
  const now = ctx.clock.now();
  const { eventId, codes, deletion } = await withTenant(ctx.db, tenantId, async (tx) => {
    await lockCounters(tx, tenantId, { column: 'ticket_type_id', id: input.id });
    const held = await openHolds(tx, tenantId, { column: 'ticket_type_id', id: input.id });
    const type = await tx
      .selectFrom('ticket_types')
      .select('event_id')
      .where('tenant_id', '=', tenantId)
      .where('id', '=', input.id)
      .forUpdate()
      .executeTakeFirst();
    if (!type) throw notFound('ticket type');
    const isHeld = held.some((hold) => hold.expires_at > now);
    const deleted = !isHeld && (await deleteUnlessReferenced(tx, 'ticket_types', tenantId, input.id));
    if (!deleted) {
      await tx
        .updateTable('ticket_types')
        .set((eb) => ({ is_active: false, updated_at: now, version: eb('version', '+', 1) }))
        .where('tenant_id', '=', tenantId)
        .where('id', '=', input.id)
        .execute();
    }
    const outcome = deleted ? ('deleted' as const) : ('deactivated' as const);
    await recordAudit(tx, tenantId, now, {
      actor: actorName(actor),
      action: `ticket_type.${outcome}`,
      subject: input.id,
      details: {},
    });
    const codes = deleted ? held.map(({ code }) => code) : [];
    return { eventId: type.event_id, codes, deletion: { id: input.id, outcome } };
  });
  await ctx.cache.delete(
    tenantKey(tenantId, 'event', eventId),
    ...codes.map((code) => tenantKey(tenantId, 'reservation', code)),
  );
  return deletion;
}
