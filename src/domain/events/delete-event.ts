import type { AppContext } from '../../context.ts';
import { type Actor, actorName, requireRole } from '../../platform/actor.ts';
import { recordAudit } from '../../platform/audit.ts';
import { tenantKey } from '../../platform/cache.ts';
import { deleteUnlessReferenced } from '../../platform/delete-unless-referenced.ts';
import { notFound } from '../../platform/errors.ts';
import { withTenant } from '../../platform/tenant-tx.ts';
import { lockCounters, openHolds } from '../inventory/queries.ts';

export type Deletion = { id: string; outcome: 'deleted' | 'deactivated' };

/**
 * Without an order and without anybody who holds places now, the event goes without a trace. Otherwise it is only hidden:
 * tickets stay valid, a payment under way ends as it would have, and who holds places is told that it is not on sale.
 */
export async function deleteEvent(ctx: AppContext, actor: Actor, input: { id: string }): Promise<Deletion> {
  requireRole(actor, 'organiser');
  const { tenantId } = actor;
  const now = ctx.clock.now();
  const { codes, ...deletion } = await withTenant(ctx.db, tenantId, async (tx) => {
    await lockCounters(tx, tenantId, { column: 'event_id', id: input.id });
    const event = await tx
      .selectFrom('events')
      .select('id')
      .where('tenant_id', '=', tenantId)
      .where('id', '=', input.id)
      .forUpdate()
      .executeTakeFirst();
    if (!event) throw notFound('event');
    // A type that was added meanwhile has a counter too; with the event in hand there comes no other.
    await lockCounters(tx, tenantId, { column: 'event_id', id: input.id });
    const held = await openHolds(tx, tenantId, { column: 'event_id', id: input.id });
    const isHeld = held.some((hold) => hold.expires_at > now);
    const deleted = !isHeld && (await deleteUnlessReferenced(tx, 'events', tenantId, input.id));
    if (!deleted) {
      await tx
        .updateTable('events')
        .set((eb) => ({ is_active: false, updated_at: now, version: eb('version', '+', 1) }))
        .where('tenant_id', '=', tenantId)
        .where('id', '=', input.id)
        .execute();
    }
    const outcome = deleted ? 'deleted' : 'deactivated';
    await recordAudit(tx, tenantId, now, {
      actor: actorName(actor),
      action: `event.${outcome}`,
      subject: input.id,
      details: {},
    });
    return { id: input.id, outcome, codes: deleted ? held.map(({ code }) => code) : [] } as const;
  });
  await ctx.cache.delete(
    tenantKey(tenantId, 'event', input.id),
    ...codes.map((code) => tenantKey(tenantId, 'reservation', code)),
  );
  return deletion;
}
