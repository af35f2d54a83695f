import type { AppContext } from '../../context.ts';
import { type Actor, actorName, requireRole } from '../../platform/actor.ts';
import { recordAudit } from '../../platform/audit.ts';
import { DomainError, notFound } from '../../platform/errors.ts';
import { type TenantTx, withTenant } from '../../platform/tenant-tx.ts';
import { hasSales, lockCounters } from '../inventory/queries.ts';
import { eventColumns, startsInPast } from './create-event.ts';
import type { EventEdit, EventTerms } from './edit-schema.ts';
import { expectUnchanged } from './expect-unchanged.ts';
import { findEvent, showEvents } from './queries.ts';
import { type EventView, RUNS_FORWARDS, runsForwards } from './schema.ts';

/**
 * Changes what the edit names and leaves the rest. Currency and rules of transfer are fixed once something was sold
 * under them, and a start can only be moved to a time that is still to come.
 */
export async function updateEvent(
  ctx: AppContext,
  actor: Actor,
  input: { id: string; ifMatch: string | undefined; edit: EventEdit },
): Promise<EventView> {
  requireRole(actor, 'organiser');
  const { tenantId } = actor;
  const { id, totalCapacity, version, createdAt, updatedAt, ticketTypes, ...changes } = input.edit;
  const shown = { id, totalCapacity, createdAt, updatedAt, ticketTypes };
  const now = ctx.clock.now();
  return withTenant(ctx.db, tenantId, async (tx) => {
    // Nothing is sold between the look for sales and the new terms.
    await lockCounters(tx, tenantId, { column: 'event_id', id: input.id });
    await tx
      .selectFrom('events')
      .select('id')
      .where('tenant_id', '=', tenantId)
      .where('id', '=', input.id)
      .forNoKeyUpdate()
      .execute();
    const before = await readEvent(tx, actor, input.id);
    expectUnchanged(before, { ifMatch: input.ifMatch, version, shown });
    if (Object.keys(changes).length === 0) return before;
    const terms = Object.assign(termsOf(before), changes);
    if (!runsForwards(terms)) throw notTogether(RUNS_FORWARDS);
    if (terms.startsAt.toISOString() !== before.startsAt && terms.startsAt <= now) throw startsInPast();
    const promised =
      terms.currency !== before.currency ||
      terms.transferPolicy !== before.transferPolicy ||
      terms.resaleCapBps !== before.resaleCapBps;
    if (promised && (await hasSales(tx, tenantId, input.id))) {
      const message =
        'Something was sold or is held: currency, transfer policy and resale cap are promises now.';
      throw new DomainError('conflict', 'terms_fixed', message);
    }
    await tx
      .updateTable('events')
      // An event that was put off after its end has tickets to expire once more.
      .set({
        ...eventColumns(now, terms),
        version: before.version + 1,
        ...(terms.endsAt > now ? { expired_at: null } : {}),
      })
      .where('tenant_id', '=', tenantId)
      .where('id', '=', input.id)
      .execute();
    await recordAudit(tx, tenantId, now, {
      actor: actorName(actor),
      action: 'event.updated',
      subject: input.id,
      details: { version: before.version + 1, fields: Object.keys(changes) },
    });
    return readEvent(tx, actor, input.id);
  });
}

async function readEvent(tx: TenantTx, { tenantId }: Actor, id: string): Promise<EventView> {
  const event = await findEvent(tx, tenantId, id);
  const [shown] = await showEvents(tx, tenantId, event ? [event] : []);
  if (!shown) throw notFound('event');
  return shown;
}

function termsOf(shown: EventView): EventTerms {
  const { id, totalCapacity, version, createdAt, updatedAt, ticketTypes, ...terms } = shown;
  return {
    ...terms,
    startsAt: new Date(shown.startsAt),
    endsAt: new Date(shown.endsAt),
    doorsOpenAt: toDate(shown.doorsOpenAt),
  };
}

export function toDate(instant: string | null): Date | null {
  return instant === null ? null : new Date(instant);
}

/** Fields that are right by themselves, and wrong with what is stored of the others. */
export function notTogether(message: string): DomainError {
  const text = 'The request does not have the required form.';
  return new DomainError('invalid', 'validation_failed', text, {
    errors: [{ path: 'body', code: 'not_allowed', message }],
  });
}
