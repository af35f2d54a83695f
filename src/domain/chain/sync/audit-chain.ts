import bs58 from 'bs58';
import { sql } from 'kysely';
import { accountDiscriminators, accountSizes } from '../../../../programs-client/accounts.ts';
import { type TenantId, toTenantId } from '../../../platform/ids.ts';
import { type TenantTx, withSystem, withTenant } from '../../../platform/tenant-tx.ts';
import { cacheTickets } from '../../tickets/publish-ticket.ts';
import type { TicketRow } from '../../tickets/queries.ts';
import type { Filter } from '../rpc/node.ts';
import { compareTicket, type Drift, type OnChain } from './compare-ticket.ts';
import type { ListenerContext } from './listener-context.ts';
import { type FinalState, readFinalStates, restateTickets } from './restate-tickets.ts';

/** What a comparison found, in numbers of tickets. */
export type Audit = {
  events: number;
  tickets: number;
  /** On the chain further or other than the copy said; corrected. */
  corrected: number;
  /** Final in the copy, and not on the chain; reported. */
  missing: number;
  /** On the chain under an event of ours, and known to nobody here; reported. */
  unknown: number;
  /** Nobody could say yet; the next audit looks again. */
  undecided: number;
};

type EventRow = { tenantId: TenantId; eventId: string; address: string; places: number };

/** From the holder on: what a ticket's account says that can change. */
const SLICE = { offset: 94, length: 46 };
/** More accounts than this in one answer are asked for in parts. */
const PLACES_AT_ONCE = 50_000;
/** As the account numbers them; 0 is none. */
const STATUSES = [undefined, 'active', 'checked_in', 'revoked'] as const;
const PAGE = 2_000;

/**
 * Compares every ticket with its finalized account, event by event. Where they differ the chain is right: the copy is
 * corrected and noted in `blockchain_sync` as kind `audit`. What cannot be corrected is reported there: tickets of the
 * chain that nobody here knows, and such as are gone. Safe at any time and beside a listener.
 * @throws DomainError unavailable when no node answers
 */
export async function auditChain(
  ctx: ListenerContext,
  clusterId: string,
  signal?: AbortSignal,
): Promise<Audit> {
  const audit: Audit = { events: 0, tickets: 0, corrected: 0, missing: 0, unknown: 0, undecided: 0 };
  for (const event of await readEvents(ctx)) {
    if (signal?.aborted) return audit;
    await auditEvent(ctx, clusterId, event, audit);
    audit.events++;
  }
  await withSystem(ctx.db, (tx) =>
    sql`update chain_clusters set audited_at = now(), audit = ${JSON.stringify(audit)}::jsonb
        where id = ${clusterId}`.execute(tx),
  );
  return audit;
}

async function readEvents(ctx: ListenerContext): Promise<EventRow[]> {
  const rows = await withSystem(ctx.db, (tx) =>
    tx
      .selectFrom('chain_events')
      .select(['tenant_id', 'event_id', 'address', 'next_index'])
      .orderBy('event_id')
      .execute(),
  );
  return rows.map((row) => ({
    tenantId: toTenantId(row.tenant_id),
    eventId: row.event_id,
    address: row.address,
    places: row.next_index,
  }));
}

async function auditEvent(
  ctx: ListenerContext,
  clusterId: string,
  event: EventRow,
  audit: Audit,
): Promise<void> {
  const { slot, found } = await readAccounts(ctx, event);
  const unmatched = new Set(found.keys());
  for (let after: string | undefined; ; ) {
    const page = await readPage(ctx, event, after);
    for (const ticket of page) if (ticket.chain_account) unmatched.delete(ticket.chain_account);
    audit.tickets += page.length;
    const drifted = page.filter((ticket) =>
      compareTicket(ticket, found.get(ticket.chain_account ?? ''), slot),
    );
    if (drifted.length > 0) await correct(ctx, { clusterId, event, slot, audit }, drifted);
    after = page.at(-1)?.id;
    if (page.length < PAGE) break;
  }
  if (unmatched.size > 0) await reportUnknown(ctx, { clusterId, event, slot, audit }, [...unmatched]);
}

/** The tickets of an event as of one finalized slot or later, by the address of their account. */
async function readAccounts(
  ctx: ListenerContext,
  event: EventRow,
): Promise<{ slot: number; found: Map<string, OnChain> }> {
  const parts = event.places > PLACES_AT_ONCE ? 256 : 1;
  const found = new Map<string, OnChain>();
  let oldest = Number.POSITIVE_INFINITY;
  for (let part = 0; part < parts; part++) {
    const filters: Filter[] = [
      { dataSize: accountSizes.ticket },
      { memcmp: { offset: 0, bytes: bs58.encode(accountDiscriminators.ticket) } },
      { memcmp: { offset: 10, bytes: event.address } },
    ];
    // By the lowest byte of the index.
    if (parts > 1) filters.push({ memcmp: { offset: 42, bytes: bs58.encode(Uint8Array.of(part)) } });
    const { slot, value } = await ctx.rpc.ask((node) =>
      node.getProgramAccounts(ctx.programId, { filters, slice: SLICE }),
    );
    oldest = Math.min(oldest, slot);
    for (const { address, account } of value) found.set(address, readSlice(account.data));
  }
  return { slot: oldest, found };
}

/** @throws Error for a layout that is not known */
function readSlice(data: Uint8Array): OnChain {
  const status = STATUSES[data[41] ?? 0];
  if (data.length !== SLICE.length || status === undefined)
    throw new Error('an account of a ticket has another layout than expected');
  const version = new DataView(data.buffer, data.byteOffset).getUint32(42, true);
  return { owner: bs58.encode(data.subarray(0, 32)), status, version };
}

async function readPage(
  ctx: ListenerContext,
  { tenantId, eventId }: EventRow,
  after: string | undefined,
): Promise<TicketRow[]> {
  return withTenant(ctx.db, tenantId, (tx) => {
    let query = tx
      .selectFrom('tickets')
      .selectAll()
      .where('tenant_id', '=', tenantId)
      .where('event_id', '=', eventId)
      .where('chain_account', 'is not', null)
      .orderBy('id')
      .limit(PAGE);
    if (after !== undefined) query = query.where('id', '>', after);
    return query.execute();
  });
}

type Where = { clusterId: string; event: EventRow; slot: number; audit: Audit };

/** What differs is looked at once more, by all nodes and under the ticket's lock: it may have caught up meanwhile. */
async function correct(ctx: ListenerContext, where: Where, drifted: readonly TicketRow[]): Promise<void> {
  const { clusterId, event, slot, audit } = where;
  const { tenantId } = event;
  const tickets = drifted.map(({ id, chain_account }) => ({ id, account: chain_account as string }));
  const states = await readFinalStates(ctx, tickets, slot);
  const now = ctx.clock.now();
  const ids = drifted.map(({ id }) => id);
  const closed = await findClosed(ctx, tenantId, ids);
  const { rows, formerUsers, notes, undecided } = await withTenant(ctx.db, tenantId, async (tx) => {
    const notes: Noted[] = [];
    let undecided = 0;
    const only = (ticket: TicketRow, state: FinalState): boolean => {
      const drift = driftOf(ticket, state, slot);
      if (drift === undefined || closed.has(ticket.id)) return false;
      if (drift === 'undecided') undecided++;
      else if (drift !== 'unsettled') notes.push({ ticket, drift, state });
      return drift !== 'undecided' && drift !== 'missing';
    };
    const restated = await restateTickets(tx, { tenantId, now, states, reason: 'audit', only });
    const missing = notes.filter(({ drift }) => drift === 'missing').map(({ ticket }) => ticket.id);
    await markMismatch(tx, tenantId, now, missing);
    await noteDrift(tx, { tenantId, clusterId, now, slot }, notes);
    return { ...restated, notes, undecided };
  });
  await cacheTickets(ctx, tenantId, rows, formerUsers);
  audit.undecided += undecided;
  for (const { ticket, drift } of notes) {
    if (drift === 'missing') audit.missing++;
    else audit.corrected++;
    ctx.metrics.chainDrift.inc({ kind: drift });
    ctx.log.error({ tenantId, ticketId: ticket.id, drift }, 'a ticket did not say what the chain says');
  }
}

function driftOf(ticket: TicketRow, state: FinalState, slot: number): Drift | 'undecided' | undefined {
  if (state === 'unknown') return 'undecided';
  if (state === 'absent') return compareTicket(ticket, undefined, slot);
  return compareTicket(ticket, state.state, slot);
}

/** Tickets that were closed with their event have no account any more, and rightly so. */
async function findClosed(ctx: ListenerContext, tenantId: TenantId, ids: string[]): Promise<Set<string>> {
  const rows = await withTenant(ctx.db, tenantId, (tx) =>
    tx
      .selectFrom('blockchain_sync')
      .select('ticket_id')
      .where('tenant_id', '=', tenantId)
      .where(sql<boolean>`ticket_id = any(${ids}::uuid[])`)
      .where('kind', '=', 'ticket_closed')
      .where('commitment', '<>', 'orphaned')
      .execute(),
  );
  return new Set(rows.flatMap(({ ticket_id }) => ticket_id ?? []));
}

type Noted = { ticket: TicketRow; drift: Drift; state: FinalState };

/** It stays as it is, since minting it again could make a second one; people have to look. */
async function markMismatch(tx: TenantTx, tenantId: TenantId, now: Date, ids: string[]): Promise<void> {
  await tx
    .updateTable('tickets')
    .set({ blockchain_sync_status: 'mismatch', updated_at: now })
    .where('tenant_id', '=', tenantId)
    .where(sql<boolean>`id = any(${ids}::uuid[])`)
    .execute();
}

/** Once for each state that was found: an audit that finds the same again adds nothing. */
async function noteDrift(
  tx: TenantTx,
  where: { tenantId: TenantId; clusterId: string; now: Date; slot: number },
  notes: readonly Noted[],
): Promise<void> {
  const rows = notes.map(({ ticket, drift, state }) => ({
    account: ticket.chain_account as string,
    path: typeof state === 'object' ? String(state.state.version) : 'missing',
    ticket_id: ticket.id,
    from_wallet: ticket.owner_wallet,
    to_wallet: typeof state === 'object' ? state.state.owner : null,
    chain_version: typeof state === 'object' ? state.state.version : null,
    drift,
    outcome: drift === 'missing' ? 'reported' : 'corrected',
  }));
  await insertNotes(tx, where, rows);
}

async function insertNotes(
  tx: TenantTx,
  { tenantId, clusterId, now, slot }: { tenantId: TenantId; clusterId: string; now: Date; slot: number },
  rows: readonly Record<string, unknown>[],
): Promise<void> {
  if (rows.length === 0) return;
  await sql`
    insert into blockchain_sync (
      tenant_id, cluster_id, signature, instruction_path, ordinal, kind, slot, ticket_id, from_wallet, to_wallet,
      chain_version, details, commitment, outcome, recorded_at)
    select ${tenantId}, ${clusterId}, 'audit:' || n.account, n.path, 0, 'audit', ${slot}, n.ticket_id, n.from_wallet,
      n.to_wallet, n.chain_version, jsonb_build_object('drift', n.drift), 'finalized', n.outcome, ${now}
    from json_to_recordset(${JSON.stringify(rows)}::json) as n(
      account text, path text, ticket_id uuid, from_wallet text, to_wallet text, chain_version integer, drift text,
      outcome text)
    on conflict do nothing`.execute(tx);
}

/** Accounts under an event of ours that no ticket here has: the organiser's key minted them elsewhere, or a row is lost. */
async function reportUnknown(
  ctx: ListenerContext,
  where: Where,
  addresses: readonly string[],
): Promise<void> {
  const { clusterId, event, slot, audit } = where;
  const { tenantId } = event;
  const now = ctx.clock.now();
  const rows = addresses.map((account) => ({
    account,
    path: 'unknown',
    drift: 'unknown',
    outcome: 'unknown_ticket',
  }));
  await withTenant(ctx.db, tenantId, (tx) => insertNotes(tx, { tenantId, clusterId, now, slot }, rows));
  audit.unknown += addresses.length;
  ctx.metrics.chainDrift.inc({ kind: 'unknown' }, addresses.length);
  ctx.log.error(
    { tenantId, eventId: event.eventId, accounts: addresses.slice(0, 10) },
    'tickets on the chain that nobody here knows',
  );
}
