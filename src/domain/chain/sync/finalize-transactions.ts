import { decodeTicket } from '../../../../programs-client/accounts.ts';
import { type TenantId, toTenantId } from '../../../platform/ids.ts';
import { enqueue } from '../../../platform/outbox.ts';
import { type TenantTx, withSystem, withTenant } from '../../../platform/tenant-tx.ts';
import { publishTicket } from '../../tickets/publish-ticket.ts';
import { lockTicket } from '../../tickets/queries.ts';
import { stepTicket } from '../../tickets/step-ticket.ts';
import type { Status } from '../rpc/node.ts';
import { updateCopy } from './apply-state.ts';
import type { ListenerContext } from './listener-context.ts';
import { stateOfAccount } from './record-transaction.ts';

/** What one status request may ask for. */
const BATCH = 256;
/** A rooted transaction has this many confirmations; the node then stops counting. */
const ROOTED = 32;
/** A fork is certain when two sweeps in a row miss a transaction whose slot is final. */
const missedOnce = new Set<string>();

type Provisional = { tenantId: TenantId; signature: string; slot: bigint };

/**
 * Turns what was provisional into what is final: of transactions the chain has finalized, their entries and their
 * tickets' copies; takes back what a fork dropped. Returns how many transactions became final.
 */
export async function finalizeTransactions(ctx: ListenerContext, clusterId: string): Promise<number> {
  const provisional = await readProvisional(ctx, clusterId);
  if (provisional.length === 0) return 0;
  const { statuses, finalized } = await ctx.rpc.ask(async (node) => ({
    statuses: (await node.getStatuses(provisional.map(({ signature }) => signature))).value,
    finalized: BigInt(await node.getSlot('finalized')),
  }));
  let done = 0;
  for (const [i, entry] of provisional.entries()) {
    const status = statuses[i] ?? null;
    if (status?.confirmationStatus === 'finalized') {
      await finalize(ctx, clusterId, entry);
      done++;
    } else if (status) await countConfirmations(ctx, entry, status);
    else if (entry.slot <= finalized) await noteMissing(ctx, clusterId, entry);
  }
  return done;
}

async function readProvisional(ctx: ListenerContext, clusterId: string): Promise<Provisional[]> {
  const rows = await withSystem(ctx.db, async (tx) => {
    const entries = await tx
      .selectFrom('blockchain_sync')
      .select(['tenant_id', 'signature', 'slot'])
      .where('cluster_id', '=', clusterId)
      .where('commitment', '=', 'provisional')
      .orderBy('slot')
      .limit(BATCH)
      .execute();
    const own = await tx
      .selectFrom('pending_transactions')
      .select(['tenant_id', 'tx_signature as signature', 'slot'])
      .where('status', '=', 'confirmed')
      .orderBy('confirmed_at')
      .limit(BATCH)
      .execute();
    return [...entries, ...own.map((row) => ({ ...row, slot: row.slot ?? 0n }))];
  });
  const bySignature = new Map(rows.map((row) => [row.signature, row]));
  return [...bySignature.values()]
    .slice(0, BATCH)
    .map(({ tenant_id, signature, slot }) => ({ tenantId: toTenantId(tenant_id), signature, slot }));
}

async function finalize(
  ctx: ListenerContext,
  clusterId: string,
  { tenantId, signature }: Provisional,
): Promise<void> {
  missedOnce.delete(signature);
  const now = ctx.clock.now();
  const touched = await withTenant(ctx.db, tenantId, async (tx) => {
    await tx
      .updateTable('pending_transactions')
      .set({ status: 'finalized', finalized_at: now, confirmation_count: ROOTED })
      .where('tenant_id', '=', tenantId)
      .where('tx_signature', '=', signature)
      .where('status', '=', 'confirmed')
      .execute();
    const entries = await tx
      .updateTable('blockchain_sync')
      .set({ commitment: 'finalized' })
      .where('tenant_id', '=', tenantId)
      .where('cluster_id', '=', clusterId)
      .where('signature', '=', signature)
      .where('commitment', '=', 'provisional')
      .returning(['ticket_id', 'chain_version'])
      .execute();
    for (const entry of entries)
      if (entry.ticket_id) await settleTicket(tx, tenantId, now, entry.ticket_id, entry.chain_version);
    return entries.map((entry) => entry.ticket_id).filter((id) => id !== null);
  });
  for (const id of touched) await publishTicket(ctx, tenantId, id);
}

/** The copy is final when the newest thing known of the ticket is. */
async function settleTicket(
  tx: TenantTx,
  tenantId: TenantId,
  now: Date,
  ticketId: string,
  version: number | null,
): Promise<void> {
  const ticket = await lockTicket(tx, tenantId, ticketId);
  if (!ticket || ticket.chain_version !== version) return;
  const copy = { blockchain_sync_status: 'finalized' };
  if (ticket.status !== 'transferred') await updateCopy(tx, tenantId, now, ticketId, copy);
  else
    await stepTicket(
      tx,
      tenantId,
      now,
      ticket,
      { to: 'active', actor: 'chain:listener', reason: 'final' },
      copy,
    );
}

async function countConfirmations(
  ctx: ListenerContext,
  { tenantId, signature }: Provisional,
  status: Status,
): Promise<void> {
  missedOnce.delete(signature);
  await withTenant(ctx.db, tenantId, (tx) =>
    tx
      .updateTable('pending_transactions')
      .set({ confirmation_count: status.confirmations ?? ROOTED })
      .where('tenant_id', '=', tenantId)
      .where('tx_signature', '=', signature)
      .where('status', '=', 'confirmed')
      .execute(),
  );
}

async function noteMissing(ctx: ListenerContext, clusterId: string, entry: Provisional): Promise<void> {
  if (!missedOnce.has(entry.signature)) {
    missedOnce.add(entry.signature);
    return;
  }
  missedOnce.delete(entry.signature);
  ctx.log.error(
    { tenantId: entry.tenantId, signature: entry.signature },
    'a fork dropped a confirmed transaction',
  );
  await compensate(ctx, clusterId, entry);
}

/** A fork took the transaction back: its tickets go to where the final chain has them. */
async function compensate(
  ctx: ListenerContext,
  clusterId: string,
  { tenantId, signature }: Provisional,
): Promise<void> {
  const now = ctx.clock.now();
  const tickets = await withTenant(ctx.db, tenantId, async (tx) => {
    await tx
      .updateTable('pending_transactions')
      .set({ status: 'expired', error_code: 'dropped_by_fork', next_check_at: null })
      .where('tenant_id', '=', tenantId)
      .where('tx_signature', '=', signature)
      .where('status', '=', 'confirmed')
      .execute();
    return tx
      .updateTable('blockchain_sync')
      .set({ commitment: 'orphaned', outcome: 'compensated' })
      .where('tenant_id', '=', tenantId)
      .where('cluster_id', '=', clusterId)
      .where('signature', '=', signature)
      .where('commitment', '=', 'provisional')
      .returning(['ticket_id'])
      .execute();
  });
  for (const { ticket_id } of tickets) {
    if (!ticket_id) continue;
    await rebuild(ctx, tenantId, now, ticket_id);
    await publishTicket(ctx, tenantId, ticket_id);
  }
}

async function rebuild(ctx: ListenerContext, tenantId: TenantId, now: Date, ticketId: string): Promise<void> {
  const address = await withTenant(
    ctx.db,
    tenantId,
    async (tx) => (await lockTicket(tx, tenantId, ticketId))?.chain_account,
  );
  if (!address) return;
  const { slot, value } = await ctx.rpc.ask((node) =>
    node.getAccounts([address], { commitment: 'finalized' }),
  );
  const account = value[0]?.owner === ctx.programId ? decodeTicket(value[0].data) : undefined;
  await withTenant(ctx.db, tenantId, async (tx) => {
    const ticket = await lockTicket(tx, tenantId, ticketId);
    if (!ticket) return;
    const step = { actor: 'chain:listener', reason: 'dropped_by_fork' };
    if (!account) {
      const blank = { nft_mint: null, owner_wallet: null, owner_slot: null, chain_version: null };
      const copy = { ...blank, blockchain_sync_status: 'pending' };
      if (ticket.status !== 'active') return updateCopy(tx, tenantId, now, ticketId, copy);
      await stepTicket(tx, tenantId, now, ticket, { ...step, to: 'minting' }, copy);
      const body = { eventId: ticket.event_id, ticketIds: [ticketId] };
      return enqueue(tx, now, [{ kind: 'ticket.mint', body }]);
    }
    const state = stateOfAccount(account, slot);
    const wallet = await tx
      .selectFrom('wallets')
      .select('user_id')
      .where('tenant_id', '=', tenantId)
      .where('address', '=', state.owner)
      .executeTakeFirst();
    const moved = state.owner !== ticket.owner_wallet;
    const copy = {
      owner_wallet: state.owner,
      owner_slot: state.slot,
      chain_version: state.version,
      blockchain_sync_status: 'finalized',
      ...(moved
        ? { user_id: wallet?.user_id ?? `wallet:${state.owner}`, owner_epoch: ticket.owner_epoch + 1 }
        : {}),
    };
    if (ticket.status !== 'transferred') return updateCopy(tx, tenantId, now, ticketId, copy);
    await stepTicket(tx, tenantId, now, ticket, { ...step, to: 'active' }, copy);
  });
}
