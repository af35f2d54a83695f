import type { AppContext } from '../../context.ts';
import { type Actor, actorName, requireRole } from '../../platform/actor.ts';
import { recordAudit } from '../../platform/audit.ts';
import { DomainError, notFound } from '../../platform/errors.ts';
import { withTenant } from '../../platform/tenant-tx.ts';
import { hasSales, lockCounters } from '../inventory/queries.ts';
import { eventColumns } from './create-event.ts';
import { findEvent, showEvents } from './queries.ts';
import type { EventUpdate, EventView } from './schema.ts';

/** Replaces what can be edited. Currency and rules of transfer are fixed once something was sold under them. */
export async function updateEvent(
  ctx: AppContext,
  actor: Actor,
  input: EventUpdate & { id: string },
): Promise<EventView> {
  requireRole(actor, 'organiser');
  const { tenantId } = actor;
  const now = ctx.clock.now();
  return withTenant(ctx.db, tenantId, async (tx) => {
    // Nothing is sold between the look for sales and the new terms.
    await lockCounters(tx, tenantId, { column: 'event_id', id: input.id });
    const before = await tx
      .selectFrom('events')
      .select(['version', 'currency', 'transfer_policy', 'resale_cap_bps'])
      .where('tenant_id', '=', tenantId)
      .where('id', '=', input.id)
      .forNoKeyUpdate()
      .executeTakeFirst();
    if (!before) throw notFound('event');
    if (input.version !== undefined && input.version !== before.version)
      throw versionConflict(before.version);
    const promised =
      input.currency !== before.currency ||
      input.transferPolicy !== before.transfer_policy ||
      input.resaleCapBps !== before.resale_cap_bps;
    if (promised && (await hasSales(tx, tenantId, input.id))) {
      const message =
        'Something was sold or is held: currency, transfer policy and resale cap are promises now.';
      throw new DomainError('conflict', 'terms_fixed', message);
    }
    await tx
      .updateTable('events')
      // An event that was put off after its end has tickets to expire once more.
      .set({
        ...eventColumns(now, input),
        version: before.version + 1,
        ...(input.endsAt > now ? { expired_at: null } : {}),
      })
      .where('tenant_id', '=', tenantId)
      .where('id', '=', input.id)
      .execute();
    await recordAudit(tx, tenantId, now, {
      actor: actorName(actor),
      action: 'event.updated',
      subject: input.id,
      details: { version: before.version + 1 },
    });
    const event = await findEvent(tx, tenantId, input.id);
    const [shown] = await showEvents(tx, tenantId, event ? [event] : []);
    return shown as EventView;
  });
}

export function versionConflict(current: number): DomainError {
  return new DomainError('conflict', 'version_conflict', 'It was changed by somebody else meanwhile.', {
    extra: { currentVersion: current },
  });
}
