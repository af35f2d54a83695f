import { decodeTicket, type TicketAccount } from '../../../../programs-client/accounts.ts';
import type { Entry, TicketEntry } from '../../../../programs-client/entries.ts';
import { type TenantId, toTenantId } from '../../../platform/ids.ts';
import { type TenantTx, withSystem, withTenant } from '../../../platform/tenant-tx.ts';
import { publishTicket } from '../../tickets/publish-ticket.ts';
import { applyState, type ChainState } from './apply-state.ts';
import type { ListenerContext } from './listener-context.ts';

/** A transaction of our program that succeeded, with what it did. */
export type SeenTransaction = {
  clusterId: string;
  signature: string;
  slot: number;
  blockTime: Date | null;
  entries: Entry[];
};

type Place = SeenTransaction & { tenantId: TenantId };

/**
 * Brings a confirmed transaction into the database: each entry once into `blockchain_sync`, and with it, in the same
 * transaction, its effect on the ticket. Recording it again changes nothing. Entries of others who use the program
 * are passed over.
 */
export async function recordTransaction(ctx: ListenerContext, seen: SeenTransaction): Promise<void> {
  await confirmOwn(ctx, seen);
  for (const entry of seen.entries) {
    if (!('ticket' in entry)) continue;
    const tenantId = await findTenant(ctx, entry.event);
    if (tenantId) await record(ctx, { ...seen, tenantId }, entry);
    else ctx.log.debug({ event: entry.event, signature: seen.signature }, 'an entry of another installation');
  }
}

/** The transactions that we sent ourselves are confirmed by what the chain shows, never by the answer to sending. */
async function confirmOwn(ctx: ListenerContext, seen: SeenTransaction): Promise<void> {
  const own = await withSystem(ctx.db, (tx) =>
    tx
      .selectFrom('pending_transactions')
      .select('tenant_id')
      .where('tx_signature', '=', seen.signature)
      .executeTakeFirst(),
  );
  if (!own) return;
  const now = ctx.clock.now();
  await withTenant(ctx.db, toTenantId(own.tenant_id), (tx) =>
    tx
      .updateTable('pending_transactions')
      .set({
        status: 'confirmed',
        confirmed_at: now,
        confirmation_count: 1,
        slot: BigInt(seen.slot),
        next_check_at: null,
      })
      .where('tenant_id', '=', own.tenant_id)
      .where('tx_signature', '=', seen.signature)
      .where('status', 'not in', ['confirmed', 'finalized'])
      .execute(),
  );
}

async function findTenant(ctx: ListenerContext, eventAddress: string): Promise<TenantId | undefined> {
  const row = await withSystem(ctx.db, (tx) =>
    tx.selectFrom('chain_events').select('tenant_id').where('address', '=', eventAddress).executeTakeFirst(),
  );
  return row && toTenantId(row.tenant_id);
}

async function record(ctx: ListenerContext, place: Place, entry: TicketEntry): Promise<void> {
  let account = entry.complete ? undefined : await readAccount(ctx, entry.ticket);
  let outcome = await tryRecord(ctx, place, entry, account);
  if (outcome === 'gap') {
    // Something between was missed: the account itself says where the ticket stands.
    account = await readAccount(ctx, entry.ticket);
    outcome = await tryRecord(ctx, place, entry, account, true);
  }
  ctx.metrics.listenerEntries.inc({ kind: entry.kind, outcome });
}

async function tryRecord(
  ctx: ListenerContext,
  place: Place,
  entry: TicketEntry,
  account: TicketAccount | undefined,
  corrected = false,
): Promise<string> {
  const { tenantId, slot, signature } = place;
  const now = ctx.clock.now();
  const state = account ? stateOfAccount(account, slot) : stateOfEntry(entry, slot);
  const result = await withTenant(ctx.db, tenantId, async (tx) => {
    const ticket = await findByAccount(tx, tenantId, entry.ticket);
    if (ticket && !corrected && state && isGap(ticket.chain_version, state.version))
      return { outcome: 'gap' };
    const fresh = await insertSync(tx, place, entry, state?.version ?? null, ticket?.id ?? null, now);
    if (!fresh) return { outcome: 'already_known' };
    await ctx.failpoints.hit('listener.recorded');
    const outcome = !ticket
      ? 'unknown_ticket'
      : state
        ? await applyState(tx, { tenantId, now, signature, ticket, state, mint: entry.mint })
        : 'already_known';
    const noted = outcome === 'applied' && corrected ? 'corrected' : outcome;
    await tx
      .updateTable('blockchain_sync')
      .set({ outcome: noted })
      .where('tenant_id', '=', tenantId)
      .where('cluster_id', '=', place.clusterId)
      .where('signature', '=', signature)
      .where('instruction_path', '=', entry.instructionPath)
      .where('ordinal', '=', entry.ordinal)
      .execute();
    return { outcome: noted, ticketId: ticket?.id };
  });
  if (result.ticketId) await publishTicket(ctx, tenantId, result.ticketId);
  return result.outcome;
}

/** A first sight of a ticket may be any version: what came before is in the account. */
function isGap(known: number | null, seen: number): boolean {
  return seen > (known ?? 0) + 1;
}

function stateOfEntry(entry: TicketEntry, slot: number): ChainState | undefined {
  if (!entry.complete) return undefined;
  const { version, unixTime } = entry;
  const owner = entry.to ?? entry.from;
  if (owner === undefined) return undefined;
  const status =
    entry.kind === 'ticket_checked_in'
      ? 'checked_in'
      : entry.kind === 'ticket_revoked'
        ? 'revoked'
        : 'active';
  return { owner, status, version, slot: BigInt(slot), at: new Date(unixTime * 1000) };
}

export function stateOfAccount(account: TicketAccount, slot: number): ChainState {
  return {
    owner: account.holder,
    status: account.status,
    version: account.version,
    slot: BigInt(slot),
    at: null,
  };
}

async function readAccount(ctx: ListenerContext, address: string): Promise<TicketAccount | undefined> {
  const { value } = await ctx.rpc.ask((node) => node.getAccounts([address], { commitment: 'confirmed' }));
  const [account] = value;
  return account?.owner === ctx.programId ? decodeTicket(account.data) : undefined;
}

async function findByAccount(tx: TenantTx, tenantId: TenantId, account: string) {
  return tx
    .selectFrom('tickets')
    .selectAll()
    .where('tenant_id', '=', tenantId)
    .where('chain_account', '=', account)
    .forNoKeyUpdate()
    .executeTakeFirst();
}

async function insertSync(
  tx: TenantTx,
  place: Place,
  entry: TicketEntry,
  version: number | null,
  ticketId: string | null,
  now: Date,
): Promise<boolean> {
  const inserted = await tx
    .insertInto('blockchain_sync')
    .values({
      tenant_id: place.tenantId,
      cluster_id: place.clusterId,
      signature: place.signature,
      instruction_path: entry.instructionPath,
      ordinal: entry.ordinal,
      kind: entry.kind,
      slot: BigInt(place.slot),
      block_time: place.blockTime,
      ticket_id: ticketId,
      mint: entry.mint,
      from_wallet: entry.from ?? null,
      to_wallet: entry.to ?? null,
      chain_version: version,
      details: JSON.stringify({ complete: entry.complete }),
      commitment: 'provisional',
      outcome: 'already_known',
      recorded_at: now,
    })
    // A transaction that a fork dropped may land again, in another slot and under the same signature.
    .onConflict((conflict) =>
      conflict
        .columns(['tenant_id', 'cluster_id', 'signature', 'instruction_path', 'ordinal'])
        .doUpdateSet({ commitment: 'provisional', slot: BigInt(place.slot), recorded_at: now })
        .where('blockchain_sync.commitment', '=', 'orphaned'),
    )
    .executeTakeFirst();
  return inserted.numInsertedOrUpdatedRows === 1n;
}
