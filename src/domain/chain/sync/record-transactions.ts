import { type RawBuilder, sql } from 'kysely';
import { decodeTicket, type TicketAccount } from '../../../../programs-client/accounts.ts';
import { DomainError } from '../../../platform/errors.ts';
import { type TenantId, toTenantId } from '../../../platform/ids.ts';
import { enqueue } from '../../../platform/outbox.ts';
import { type TenantTx, withSystem, withTenant } from '../../../platform/tenant-tx.ts';
import { moveTickets } from '../../tickets/move-tickets.ts';
import { cacheTickets } from '../../tickets/publish-ticket.ts';
import type { TicketRow } from '../../tickets/queries.ts';
import { endTransfers, findOwners, type Holding } from './find-owners.ts';
import type { ListenerContext } from './listener-context.ts';
import { type Known, NeedsAccounts, type Note, type Noted, noteKey, planBatch } from './plan-batch.ts';
import { type SeenTransaction, type Sighted, ticketEntries } from './seen-transaction.ts';

const LANES = 3;
/** Below it the second transaction of the database costs more than it saves. */
const LANES_FROM = 100;

/** What a batch means for one tenant. */
type Share = {
  tenantId: TenantId;
  /** What we sent ourselves. */
  own: { signature: string; slot: number }[];
  entries: Sighted[];
  /** The tenant's events by address. */
  events: Map<string, { eventId: string }>;
};

type Account = { account: TicketAccount; slot: number } | null;

/** One transaction that could not be recorded while all others could. */
export type Unrecorded = { seen: SeenTransaction; error: Error };

/**
 * Brings confirmed transactions, in the order of the chain, into the database: each entry once into `blockchain_sync`,
 * and with it, in the same transaction, its effect on the ticket. One transaction of the database per tenant takes the
 * whole batch; one that fails is halved, so that a bad entry hurts nobody else. Recording again changes nothing. Entries
 * of others who use the program are passed over. Returns what could not be recorded.
 * @throws DomainError unavailable when the database or the chain does not answer
 */
export async function recordTransactions(
  ctx: ListenerContext,
  clusterId: string,
  seen: readonly SeenTransaction[],
): Promise<Unrecorded[]> {
  if (seen.length === 0) return [];
  try {
    const shares = await findShares(ctx, seen);
    await Promise.all(shares.map((share) => recordShare(ctx, clusterId, share, new Map())));
    return [];
  } catch (error) {
    if (isAway(error)) throw error;
    const [only] = seen;
    if (only && seen.length === 1) return [{ seen: only, error: error as Error }];
    const half = Math.ceil(seen.length / 2);
    return [
      ...(await recordTransactions(ctx, clusterId, seen.slice(0, half))),
      ...(await recordTransactions(ctx, clusterId, seen.slice(half))),
    ];
  }
}

export function isAway(error: unknown): boolean {
  return error instanceof DomainError && error.kind === 'unavailable';
}

/** Whose the events are, and what of it we sent. */
async function findShares(ctx: ListenerContext, seen: readonly SeenTransaction[]): Promise<Share[]> {
  const entries = ticketEntries(seen);
  const addresses = [...new Set(entries.map(({ entry }) => entry.event))];
  const signatures = seen.map(({ signature }) => signature);
  const { events, own } = await withSystem(ctx.db, async (tx) => ({
    events: await tx
      .selectFrom('chain_events')
      .select(['tenant_id', 'event_id', 'address'])
      .where(sql<boolean>`address = any(${addresses}::text[])`)
      .execute(),
    own: await tx
      .selectFrom('pending_transactions')
      .select(['tenant_id', 'tx_signature'])
      .where(sql<boolean>`tx_signature = any(${signatures}::text[])`)
      .execute(),
  }));
  const shares = new Map<string, Share>();
  const shareOf = (tenant: string): Share => {
    const share = shares.get(tenant) ?? {
      tenantId: toTenantId(tenant),
      own: [],
      entries: [],
      events: new Map(),
    };
    shares.set(tenant, share);
    return share;
  };
  const slots = new Map(seen.map(({ signature, slot }) => [signature, slot]));
  for (const { tenant_id, tx_signature } of own)
    shareOf(tenant_id).own.push({ signature: tx_signature, slot: slots.get(tx_signature) ?? 0 });
  const tenantOf = new Map(events.map((event) => [event.address, event.tenant_id]));
  for (const { address, tenant_id, event_id } of events)
    shareOf(tenant_id).events.set(address, { eventId: event_id });
  for (const sighted of entries) {
    const tenant = tenantOf.get(sighted.entry.event);
    if (tenant) shareOf(tenant).entries.push(sighted);
    else ctx.metrics.listenerEntries.inc({ kind: sighted.entry.kind, outcome: 'of_others' });
  }
  return [...shares.values()].flatMap(inLanes);
}

/**
 * A large share goes side by side over three connections, since PostgreSQL is what it waits for. What is of one ticket
 * stays in one lane, so its order holds.
 */
function inLanes(share: Share): Share[] {
  if (share.entries.length < LANES_FROM) return [share];
  const laneOf = (ticket: string): number => ticket.charCodeAt(ticket.length - 1) % LANES;
  const laneOfOwn = new Map(share.entries.map(({ seen, entry }) => [seen.signature, laneOf(entry.ticket)]));
  return Array.from({ length: LANES }, (_, lane) => ({
    ...share,
    own: share.own.filter(({ signature }) => (laneOfOwn.get(signature) ?? 0) === lane),
    entries: share.entries.filter(({ entry }) => laneOf(entry.ticket) === lane),
  }));
}

async function recordShare(
  ctx: ListenerContext,
  clusterId: string,
  share: Share,
  accounts: Map<string, Account>,
): Promise<void> {
  try {
    await tryShare(ctx, clusterId, share, accounts);
  } catch (error) {
    if (!(error instanceof NeedsAccounts) || error.addresses.some((address) => accounts.has(address)))
      throw error;
    const read = await readAccounts(ctx, share, error.addresses);
    await recordShare(ctx, clusterId, share, new Map([...accounts, ...read]));
  }
}

async function tryShare(
  ctx: ListenerContext,
  clusterId: string,
  share: Share,
  accounts: Map<string, Account>,
): Promise<void> {
  const { tenantId, entries, events } = share;
  const now = ctx.clock.now();
  const plan = await withTenant(ctx.db, tenantId, async (tx) => {
    await confirmOwn(tx, share, now);
    if (entries.length === 0) return undefined;
    const tickets = await lockByAccount(tx, tenantId, [...new Set(entries.map(({ entry }) => entry.ticket))]);
    const noted = await readNotes(tx, tenantId, clusterId, entries);
    const known: Known = { tickets, noted, events, accounts };
    const made = planBatch(entries, known, await findOwners(tx, tenantId, changesOfHands(entries, known)));
    await insertNotes(tx, { tenantId, clusterId, now }, made.notes);
    await ctx.failpoints.hit('listener.recorded');
    await moveTickets(tx, tenantId, now, made.rows);
    await endTransfers(tx, tenantId, now, firstOfEach(made.moves));
    await enqueue(tx, now, made.messages);
    return made;
  });
  if (!plan) return;
  for (const { entry, outcome } of plan.notes) ctx.metrics.listenerEntries.inc({ kind: entry.kind, outcome });
  for (const ticket of plan.minted)
    ctx.metrics.saleToMinted.observe((now.getTime() - ticket.created_at.getTime()) / 1_000);
  await ctx.failpoints.hit('listener.committed');
  const last = new Map(plan.rows.map((row) => [row.id, { ...row, updated_at: now }]));
  const formerUsers = plan.moves.map(({ formerUser }) => formerUser);
  await cacheTickets(ctx, tenantId, [...last.values()], formerUsers);
}

/** What we sent ourselves is confirmed by what the chain shows, never by the answer to the sending. */
async function confirmOwn(tx: TenantTx, { tenantId, own }: Share, now: Date): Promise<void> {
  if (own.length === 0) return;
  const json = JSON.stringify(own);
  const signatures = own.map(({ signature }) => signature);
  const confirm = (which: RawBuilder<boolean>) =>
    // By the array the index is found, which row-level security hides from the join.
    sql`
      update pending_transactions p set
        status = 'confirmed', confirmed_at = ${now}, confirmation_count = 1, slot = n.slot, next_check_at = null
      from json_to_recordset(${json}::json) as n(signature text, slot bigint)
      where p.tenant_id = ${tenantId} and p.tx_signature = any(${signatures}::text[]) and p.tx_signature = n.signature
        and ${which}`.execute(tx);
  const { numAffectedRows } = await confirm(
    sql`(p.status in ('prepared', 'submitted') or (p.status = 'confirmed' and p.slot <> n.slot))`,
  );
  if (numAffectedRows === BigInt(own.length)) return;
  // One that was given up and landed after all counts, unless another has taken its place by now.
  await confirm(sql`p.status in ('failed', 'expired') and not exists (
    select from pending_transactions o
    where o.tenant_id = p.tenant_id and o.purpose = p.purpose and o.subject_id = p.subject_id
      and o.status in ('prepared', 'submitted', 'confirmed'))`);
}

/** In the order of their ids, as everybody locks several. */
async function lockByAccount(
  tx: TenantTx,
  tenantId: TenantId,
  accounts: string[],
): Promise<Map<string, TicketRow>> {
  const rows = await tx
    .selectFrom('tickets')
    .selectAll()
    .where('tenant_id', '=', tenantId)
    .where(sql<boolean>`chain_account = any(${accounts}::text[])`)
    .orderBy('id')
    .forNoKeyUpdate()
    .execute();
  return new Map(rows.map((row) => [row.chain_account as string, row]));
}

/** Read under the locks of the tickets, so that nobody else can record one of these entries meanwhile. */
async function readNotes(
  tx: TenantTx,
  tenantId: TenantId,
  clusterId: string,
  entries: readonly Sighted[],
): Promise<Map<string, Noted>> {
  const signatures = [...new Set(entries.map(({ seen }) => seen.signature))];
  // One look into the index each, whatever the planner thinks of the size of the table.
  const { rows } = await sql<Noted & { signature: string; instruction_path: string; ordinal: number }>`
    select s.signature, s.instruction_path, s.ordinal, s.commitment, s.slot
    from unnest(${signatures}::text[]) as n(signature)
    cross join lateral (
      select * from blockchain_sync b
      where b.tenant_id = ${tenantId} and b.cluster_id = ${clusterId} and b.signature = n.signature
      offset 0) s`.execute(tx);
  return new Map(rows.map((row) => [noteKey(row.signature, row.instruction_path, row.ordinal), row]));
}

/** Wallets that tickets may be in after the batch and were not in before. Most of a batch are mints, which have none. */
function changesOfHands(entries: readonly Sighted[], known: Known): Holding[] {
  const first = new Map<string, string>();
  const changed = new Set<string>();
  const walletsOf = ({ entry }: Sighted): string[] =>
    [entry.to ?? entry.from, known.accounts.get(entry.ticket)?.account.holder].filter(
      (one) => one !== undefined,
    );
  for (const sighted of entries) {
    const { ticket } = sighted.entry;
    for (const wallet of walletsOf(sighted)) {
      const before = first.get(ticket) ?? known.tickets.get(ticket)?.owner_wallet ?? wallet;
      first.set(ticket, before);
      if (wallet !== before) changed.add(ticket);
    }
  }
  const holdings = new Map<string, Holding>();
  if (changed.size === 0) return [];
  for (const sighted of entries) {
    const ticket = known.tickets.get(sighted.entry.ticket);
    if (!ticket || !changed.has(sighted.entry.ticket)) continue;
    for (const wallet of walletsOf(sighted))
      holdings.set(`${ticket.id} ${wallet}`, { ticketId: ticket.id, wallet });
  }
  return [...holdings.values()];
}

/** A transfer that was under way when the batch began is ended by the first change of hands. */
function firstOfEach(moves: readonly Holding[]): Holding[] {
  return [...new Map(moves.toReversed().map((move) => [move.ticketId, move])).values()];
}

async function insertNotes(
  tx: TenantTx,
  { tenantId, clusterId, now }: { tenantId: TenantId; clusterId: string; now: Date },
  notes: readonly Note[],
): Promise<void> {
  if (notes.length === 0) return;
  const rows = notes.map(({ seen, entry, ticketId, version, outcome }) => ({
    signature: seen.signature,
    instruction_path: entry.instructionPath,
    ordinal: entry.ordinal,
    kind: entry.kind,
    slot: seen.slot,
    block_time: seen.blockTime,
    ticket_id: ticketId,
    mint: entry.mint,
    from_wallet: entry.from ?? null,
    to_wallet: entry.to ?? null,
    chain_version: version,
    complete: entry.complete,
    outcome,
  }));
  // What a fork dropped may land again, in another slot and under the same signature.
  await sql`
    insert into blockchain_sync as s (
      tenant_id, cluster_id, signature, instruction_path, ordinal, kind, slot, block_time, ticket_id, mint,
      from_wallet, to_wallet, chain_version, details, commitment, outcome, recorded_at)
    select ${tenantId}, ${clusterId}, n.signature, n.instruction_path, n.ordinal, n.kind, n.slot, n.block_time,
      n.ticket_id, n.mint, n.from_wallet, n.to_wallet, n.chain_version, jsonb_build_object('complete', n.complete),
      'provisional', n.outcome, ${now}
    from json_to_recordset(${JSON.stringify(rows)}::json) as n(
      signature text, instruction_path text, ordinal smallint, kind text, slot bigint, block_time timestamptz,
      ticket_id uuid, mint text, from_wallet text, to_wallet text, chain_version integer, complete boolean,
      outcome text)
    on conflict (tenant_id, cluster_id, signature, instruction_path, ordinal) do update set
      commitment = 'provisional', slot = excluded.slot, recorded_at = excluded.recorded_at,
      outcome = case when s.commitment = 'orphaned' then excluded.outcome else s.outcome end
    where s.commitment = 'orphaned' or (s.commitment = 'provisional' and s.slot <> excluded.slot)`.execute(
    tx,
  );
}

/** At least as new as the newest entry, so that a node that is behind is not believed. */
async function readAccounts(
  ctx: ListenerContext,
  share: Share,
  addresses: readonly string[],
): Promise<Map<string, Account>> {
  const minSlot = Math.max(...share.entries.map(({ seen }) => seen.slot));
  const { slot, value } = await ctx.rpc.ask((node) =>
    node.getAccounts(addresses, { commitment: 'confirmed', minSlot }),
  );
  return new Map(
    addresses.map((address, at): [string, Account] => {
      const found = value[at];
      return [address, found?.owner === ctx.programId ? { account: decodeTicket(found.data), slot } : null];
    }),
  );
}
