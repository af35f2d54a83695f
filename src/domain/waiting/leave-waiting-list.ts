import { sql } from 'kysely';
import type { AppContext } from '../../context.ts';
import { type Actor, isStaff } from '../../platform/actor.ts';
import { DomainError, notFound } from '../../platform/errors.ts';
import type { TenantId } from '../../platform/ids.ts';
import { type TenantTx, withTenant } from '../../platform/tenant-tx.ts';
import { publishAvailability } from '../inventory/publish-availability.ts';
import { offerPlaces } from './offer-places.ts';
import { countWaiting, endOffers, findEntry, lockCounter } from './queries.ts';
import type { EntryView } from './schema.ts';

/** Out of the line, or an offer declined: its places go to the next. */
export async function leaveWaitingList(
  ctx: AppContext,
  actor: Actor,
  input: { id: string },
): Promise<EntryView> {
  const { tenantId } = actor;
  const now = ctx.clock.now();
  const entry = await withTenant(ctx.db, tenantId, async (tx) => {
    const found = await findEntry(tx, tenantId, input.id);
    if (!found || (found.userId !== actor.subject && !isStaff(actor))) throw notFound('waiting list entry');
    await lockCounter(tx, tenantId, found.ticketTypeId);
    await endOffers(tx, tenantId, now, found.ticketTypeId);
    const left = await tx
      .updateTable('waiting_list')
      .set({ state: 'left', updated_at: now })
      .where('tenant_id', '=', tenantId)
      .where('id', '=', input.id)
      .where('state', 'in', ['waiting', 'offered'])
      .returning('hold_group')
      .executeTakeFirst();
    if (!left) throw new DomainError('conflict', 'entry_over', `The entry is ${found.state}.`);
    if (left.hold_group) await releaseOffer(tx, tenantId, now, left.hold_group);
    await countWaiting(tx, tenantId, now, found.ticketTypeId);
    const { userId: _userId, ...shown } = (await findEntry(tx, tenantId, input.id)) as EntryView & {
      userId: string;
    };
    return shown;
  });
  if ((await offerPlaces(ctx, tenantId, entry.ticketTypeId)) === 0)
    await publishAvailability(ctx, tenantId, entry.eventId);
  return entry;
}

/** @throws DomainError conflict while an order is paying for it: its outcome decides */
async function releaseOffer(tx: TenantTx, tenantId: TenantId, now: Date, holdGroup: string): Promise<void> {
  await sql`select release_hold(${tenantId}, ${now}, ${holdGroup})`.execute(tx);
  const kept = await tx
    .selectFrom('holds')
    .select('id')
    .where('tenant_id', '=', tenantId)
    .where('group_id', '=', holdGroup)
    .where('state', '=', 'active')
    .executeTakeFirst();
  if (kept) throw new DomainError('conflict', 'offer_in_payment', 'The offer is being paid for.');
}
