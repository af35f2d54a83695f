import { sql } from 'kysely';
import { type TenantId, toTenantId } from '../../../platform/ids.ts';
import { withSystem, withTenant } from '../../../platform/tenant-tx.ts';
import { moveTickets } from '../../tickets/move-tickets.ts';
import { cacheTickets } from '../../tickets/publish-ticket.ts';
import type { TicketRow } from '../../tickets/queries.ts';
import { agreeOnStatuses } from '../rpc/agree.ts';
import type { Status } from '../rpc/node.ts';
import type { ListenerContext } from './listener-context.ts';
import { healTickets, lockById } from './restate-tickets.ts';
import { takeBack } from './take-back.ts';

/** How many transactions one sweep looks at. */
const SWEEP = 2_048;
/** A rooted transaction has this many confirmations; the node then stops counting. */
const ROOTED = 32;
/** A fork is certain when so many sweeps in a row agree that a transaction is not there. */
const MISSES = 2;

/** What a sweep leaves for the next one; it dies with the process, and no harm is done. */
export type FinalityState = {
  /** How often a transaction was agreed to be absent. */
  misses: Map<string, number>;
  /** Tickets whose copy was read from an account at a slot that is not final yet. */
  waiting: Map<string, TenantId>;
};

export function newFinalityState(): FinalityState {
  return { misses: new Map(), waiting: new Map() };
}

type Provisional = { tenantId: TenantId; signature: string; slot: number };

/**
 * Turns what was provisional into what is final: of transactions that the nodes agree to be finalized, their entries and
 * their tickets' copies, one transaction of the database for each tenant. Takes back what a fork dropped. Nothing is
 * concluded from what one of several nodes does not know. `finalized` is a slot that is final. Returns how many
 * transactions became final.
 */
export async function finalizeTransactions(
  ctx: ListenerContext,
  clusterId: string,
  finalized: number,
  state: FinalityState = newFinalityState(),
): Promise<number> {
  const provisional = await readProvisional(ctx, clusterId, finalized);
  const agreed = await agreeOnStatuses(ctx.rpc, provisional);
  const final: Provisional[] = [];
  const dropped: Provisional[] = [];
  for (const [at, one] of provisional.entries()) {
    const status = agreed[at] ?? 'unknown';
    if (status === 'unknown') continue;
    if (status !== 'absent' && !isFailed(status.known)) {
      state.misses.delete(one.signature);
      if (status.known.confirmationStatus === 'finalized') final.push(one);
      continue;
    }
    const misses = (state.misses.get(one.signature) ?? 0) + 1;
    state.misses.set(one.signature, misses);
    if (misses >= MISSES) dropped.push(one);
  }
  const byTenant = Map.groupBy(final, ({ tenantId }) => tenantId);
  for (const tenantId of new Set([...byTenant.keys(), ...state.waiting.values()]))
    await settle(ctx, { clusterId, tenantId, finalized, state }, byTenant.get(tenantId) ?? []);
  for (const [tenantId, lost] of Map.groupBy(dropped, (one) => one.tenantId)) {
    await takeBack(ctx, { clusterId, tenantId, finalized }, lost);
    for (const { signature } of lost) state.misses.delete(signature);
  }
  return final.length;
}

/** It landed on another fork and failed there: what we recorded of it did not happen. */
function isFailed({ err, confirmationStatus }: Status): boolean {
  return err !== null && err !== undefined && confirmationStatus === 'finalized';
}

async function readProvisional(
  ctx: ListenerContext,
  clusterId: string,
  finalized: number,
): Promise<Provisional[]> {
  const rows = await withSystem(ctx.db, async (tx) => {
    const entries = await tx
      .selectFrom('blockchain_sync')
      .select(['tenant_id', 'signature', 'slot'])
      .where('cluster_id', '=', clusterId)
      .where('commitment', '=', 'provisional')
      .where('slot', '<=', BigInt(finalized))
      .orderBy('slot')
      .limit(SWEEP)
      .execute();
    const own = await tx
      .selectFrom('pending_transactions')
      .select(['tenant_id', 'tx_signature as signature', 'slot'])
      .where('status', '=', 'confirmed')
      .where('slot', '<=', BigInt(finalized))
      .orderBy('slot')
      .limit(SWEEP)
      .execute();
    return [...entries, ...own];
  });
  const bySignature = new Map(
    rows.map(({ tenant_id, signature, slot }) => [
      `${tenant_id} ${signature}`,
      { tenantId: toTenantId(tenant_id), signature, slot: Number(slot ?? 0n) },
    ]),
  );
  return [...bySignature.values()];
}

type Where = { clusterId: string; tenantId: TenantId; finalized: number; state: FinalityState };

async function settle(ctx: ListenerContext, where: Where, final: readonly Provisional[]): Promise<void> {
  const { clusterId, tenantId, finalized, state } = where;
  const signatures = final.map(({ signature }) => signature);
  const now = ctx.clock.now();
  const { rows, behind } = await withTenant(ctx.db, tenantId, async (tx) => {
    await tx
      .updateTable('pending_transactions')
      .set({ status: 'finalized', finalized_at: now, confirmation_count: ROOTED })
      .where('tenant_id', '=', tenantId)
      .where(sql<boolean>`tx_signature = any(${signatures}::text[])`)
      .where('status', '=', 'confirmed')
      .execute();
    const entries = await tx
      .selectFrom('blockchain_sync')
      .select(['ticket_id', 'chain_version'])
      .where('tenant_id', '=', tenantId)
      .where('cluster_id', '=', clusterId)
      .where(sql<boolean>`signature = any(${signatures}::text[])`)
      .where('commitment', '=', 'provisional')
      .execute();
    const versions = new Map<string, number>();
    for (const [id, tenant] of state.waiting) if (tenant === tenantId) versions.set(id, 0);
    for (const { ticket_id, chain_version } of entries)
      if (ticket_id) versions.set(ticket_id, Math.max(versions.get(ticket_id) ?? 0, chain_version ?? 0));
    const tickets = await lockById(tx, tenantId, [...versions.keys()]);
    await tx
      .updateTable('blockchain_sync')
      .set({ commitment: 'finalized' })
      .where('tenant_id', '=', tenantId)
      .where('cluster_id', '=', clusterId)
      .where(sql<boolean>`signature = any(${signatures}::text[])`)
      .where('commitment', '=', 'provisional')
      .execute();
    const open = await tx
      .selectFrom('blockchain_sync')
      .select('ticket_id')
      .where('tenant_id', '=', tenantId)
      .where(sql<boolean>`ticket_id = any(${[...versions.keys()]}::uuid[])`)
      .where('commitment', '=', 'provisional')
      .execute();
    const isOpen = new Set(open.map(({ ticket_id }) => ticket_id));
    const settled: TicketRow[] = [];
    const late: TicketRow[] = [];
    for (const ticket of tickets) {
      state.waiting.delete(ticket.id);
      // What is final is newer than the copy: a rebuild went back too far, or an entry was never applied.
      if ((versions.get(ticket.id) ?? 0) > (ticket.chain_version ?? 0)) late.push(ticket);
      else if (isOpen.has(ticket.id) || ticket.blockchain_sync_status !== 'provisional') continue;
      else if (Number(ticket.owner_slot ?? 0n) > finalized) state.waiting.set(ticket.id, tenantId);
      else settled.push(finalOf(ticket));
    }
    await moveTickets(tx, tenantId, now, settled);
    await ctx.failpoints.hit('listener.settled');
    return { rows: settled.map((row) => ({ ...row, updated_at: now })), behind: late };
  });
  await cacheTickets(ctx, tenantId, rows);
  await healTickets(ctx, {
    tenantId,
    tickets: behind.flatMap((ticket) =>
      ticket.chain_account ? [{ id: ticket.id, account: ticket.chain_account }] : [],
    ),
    minSlot: finalized,
    reason: 'behind_the_chain',
  });
}

function finalOf(ticket: TicketRow): TicketRow {
  const copy = { ...ticket, blockchain_sync_status: 'finalized' };
  if (ticket.status !== 'transferred') return copy;
  // Only where an earlier release left a ticket.
  const step = { status: 'active', status_actor: 'chain:listener', status_reason: 'final' };
  return { ...copy, ...step, version: ticket.version + 1 };
}
