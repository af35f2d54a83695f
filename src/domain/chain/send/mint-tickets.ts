import { sql } from 'kysely';
import type { TenantId } from '../../../platform/ids.ts';
import type { Failure } from './classify-failure.ts';
import type { Claim } from './draft.ts';
import { type EventOnChain, ensureEvent, growEvent, isFinalAccount } from './ensure-event.ts';
import { givePlaces, MINTABLE, type Place } from './give-places.ts';
import { parkJob } from './park-job.ts';
import { resolveTakenPlace } from './resolve-taken-place.ts';
import type { SendingContext } from './sending-context.ts';
import { refusalOf, submitTransactions } from './submit-transactions.ts';
import { writeMints } from './write-mints.ts';

/**
 * Puts sold tickets of one event on the chain, all at once. May be called any number of times: a ticket's place in the
 * event, and so the address of its mint, is given once; one transaction of it is alive at a time; and the chain takes a
 * place only once. What the program refuses for good is parked. The result names the tickets that could not be sent
 * for now, each with the reason.
 * @throws DomainError unavailable when the chain does not answer
 */
export async function mintTickets(
  ctx: SendingContext,
  input: { tenantId: TenantId; eventId: string; ticketIds: readonly string[] },
): Promise<Map<string, Error>> {
  const { tenantId, eventId, ticketIds } = input;
  const accounts = await ensureEvent(ctx, tenantId, eventId);
  const { places, maxSupply } = await givePlaces(ctx, tenantId, eventId, accounts.event, ticketIds);
  const last = Math.max(-1, ...places.map(({ index }) => index));
  if (last >= maxSupply) await growEvent(ctx, tenantId, eventId, accounts, last);
  return mintPlaces(ctx, { tenantId, eventId, accounts }, places);
}

type EventAt = { tenantId: TenantId; eventId: string; accounts: EventOnChain };

async function mintPlaces(
  ctx: SendingContext,
  at: EventAt,
  places: readonly Place[],
): Promise<Map<string, Error>> {
  const { tenantId, accounts } = at;
  const drafts = await writeMints(ctx, tenantId, accounts, places);
  const outcomes = await submitTransactions(ctx, tenantId, drafts, claimTickets(tenantId, places));
  const later = new Map<string, Error>();
  for (const [i, outcome] of outcomes.entries()) {
    if (typeof outcome !== 'object') continue;
    const own = (drafts[i]?.subjects ?? []).map(
      ({ id }) => places.find(({ ticketId }) => ticketId === id) as Place,
    );
    // Of two, one is at fault: each on its own says which.
    if (own.length > 1)
      for (const place of own) for (const entry of await mintPlaces(ctx, at, [place])) later.set(...entry);
    else
      for (const place of own) {
        const error = await settle(ctx, at, place, outcome);
        if (error) later.set(place.ticketId, error);
      }
  }
  return later;
}

/** A ticket is on its way from the moment its bytes are kept; until then a refund or another worker may come first. */
function claimTickets(tenantId: TenantId, places: readonly { ticketId: string }[]): Claim {
  return async (tx, now, wanted) => {
    const ids = places.map(({ ticketId }) => ticketId).filter((id) => wanted.has(id));
    const { rows } = await sql<{ id: string }>`
      select t.id from tickets t
      where t.tenant_id = ${tenantId} and t.id = any(${ids}::uuid[])
        and t.chain_version is null and t.status = any(${MINTABLE}::text[])
        and not exists (select from pending_transactions p where p.tenant_id = t.tenant_id and p.purpose = 'mint'
          and p.subject_id = t.id and p.status in ('prepared', 'submitted', 'confirmed'))
      order by t.id
      for no key update of t`.execute(tx);
    const claimed = rows.map(({ id }) => id);
    await sql`update tickets
      set status = 'minting', status_actor = 'worker:mint', status_reason = null, status_signature = null,
        status_gate = null, version = version + 1, blockchain_sync_status = 'pending', updated_at = ${now}
      where tenant_id = ${tenantId} and id = any(${claimed}::uuid[]) and status = 'sold'`.execute(tx);
    return new Set(claimed);
  };
}

/** What could not be sent with care is parked, gets out of another ticket's way, or waits: then the reason. */
async function settle(
  ctx: SendingContext,
  { tenantId, eventId, accounts }: EventAt,
  { ticketId, index }: Place,
  outcome: Failure,
): Promise<Error | undefined> {
  if (outcome.code === 'AlreadyExists') {
    const resolved = await resolveTakenPlace(ctx, tenantId, ticketId);
    return resolved === 'ours' ? undefined : refusalOf({ ...outcome, kind: 'not_now' });
  }
  if (outcome.code === 'IndexOutOfRange') {
    await growEvent(ctx, tenantId, eventId, accounts, index);
    return refusalOf({ ...outcome, kind: 'not_now' });
  }
  if (outcome.kind === 'not_now') return refusalOf(outcome);
  // A fork took the event away, or the node that was asked has not seen it yet.
  if (outcome.code === 'BadAccount' && !(await isFinalAccount(ctx, accounts.event)))
    return refusalOf({ ...outcome, kind: 'not_now' });
  await parkJob(ctx, tenantId, { purpose: 'mint', subjectId: ticketId, ticketId, eventId }, outcome.code);
  return undefined;
}
