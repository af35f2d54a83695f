import { sql } from 'kysely';
import type { Message } from '../../../messages.ts';
import type { TenantId } from '../../../platform/ids.ts';
import { enqueue } from '../../../platform/outbox.ts';
import { type TenantTx, withTenant } from '../../../platform/tenant-tx.ts';
import { cacheTickets } from '../../tickets/publish-ticket.ts';
import type { TicketRow } from '../../tickets/queries.ts';
import type { ListenerContext } from './listener-context.ts';
import { type FinalState, readFinalStates, restateTickets } from './restate-tickets.ts';

type Dropped = { signature: string; slot: number };
type Entry = {
  signature: string;
  instruction_path: string;
  ordinal: number;
  ticket_id: string | null;
  chain_version: number | null;
  to_wallet: string | null;
  account: string | null;
};

/**
 * A fork took these transactions back: their tickets go to where the final chain has them, in the transaction of the
 * database that notes it, and what we wanted starts over. An entry whose effect the final account shows did happen, the
 * nodes only forgot the transaction: it is final. Where the nodes cannot say yet nothing changes, and the next sweep
 * asks again. Returns how many transactions were taken back.
 */
export async function takeBack(
  ctx: ListenerContext,
  where: { clusterId: string; tenantId: TenantId; finalized: number },
  dropped: readonly Dropped[],
): Promise<number> {
  const { clusterId, tenantId, finalized } = where;
  const signatures = dropped.map(({ signature }) => signature);
  const entries = await withTenant(ctx.db, tenantId, (tx) =>
    readEntries(tx, tenantId, clusterId, signatures),
  );
  const tickets = new Map(
    entries.flatMap(({ ticket_id, account }) =>
      ticket_id && account ? [[ticket_id, { id: ticket_id, account }]] : [],
    ),
  );
  const minSlot = Math.max(finalized, ...dropped.map(({ slot }) => slot));
  const states = await readFinalStates(ctx, [...tickets.values()], minSlot);
  const unsure = new Set(
    entries.filter((entry) => stateOf(entry, states) === 'unknown').map(({ signature }) => signature),
  );
  const sure = entries.filter(({ signature }) => !unsure.has(signature));
  const happened = sure.filter((entry) => didHappen(entry, stateOf(entry, states)));
  const kept = new Set(happened.map(({ signature }) => signature));
  const lost = signatures.filter((signature) => !unsure.has(signature) && !kept.has(signature));
  const isLost = new Set(lost);
  const lostTickets = new Set(
    sure.filter(({ signature }) => isLost.has(signature)).map(({ ticket_id }) => ticket_id),
  );
  const now = ctx.clock.now();
  const touched = new Map([...states].filter(([id]) => sure.some(({ ticket_id }) => ticket_id === id)));
  const { rows, formerUsers } = await withTenant(ctx.db, tenantId, async (tx) => {
    // A later entry that is not judged yet stays applied; what stood on a lost one is lost with it.
    const only = (ticket: TicketRow, found: FinalState): boolean =>
      lostTickets.has(ticket.id) ||
      (typeof found === 'object' && found.state.version >= (ticket.chain_version ?? 0));
    const reason = 'dropped_by_fork';
    const restated = await restateTickets(tx, { tenantId, now, states: touched, reason, only });
    const again = await endOwn(tx, tenantId, now, lost);
    await confirmFinal(tx, tenantId, now, [...kept]);
    await note(tx, { tenantId, clusterId }, lost, { commitment: 'orphaned', outcome: 'compensated' });
    await note(tx, { tenantId, clusterId }, [...kept], { commitment: 'finalized' });
    await enqueue(tx, now, again);
    await ctx.failpoints.hit('listener.taken_back');
    return restated;
  });
  await cacheTickets(ctx, tenantId, rows, formerUsers);
  for (const signature of lost) {
    ctx.metrics.chainForks.inc();
    ctx.log.error({ tenantId, signature }, 'a fork dropped a confirmed transaction');
  }
  return lost.length;
}

function stateOf({ ticket_id }: Entry, states: ReadonlyMap<string, FinalState>): FinalState | undefined {
  return ticket_id === null ? undefined : states.get(ticket_id);
}

/** The final account is where the entry left it, or further. */
function didHappen({ chain_version, to_wallet }: Entry, found: FinalState | undefined): boolean {
  if (typeof found !== 'object' || chain_version === null) return false;
  const { version, owner } = found.state;
  return (
    version > chain_version || (version === chain_version && (to_wallet === null || to_wallet === owner))
  );
}

async function readEntries(
  tx: TenantTx,
  tenantId: TenantId,
  clusterId: string,
  signatures: string[],
): Promise<Entry[]> {
  return tx
    .selectFrom('blockchain_sync as s')
    .leftJoin('tickets as t', (join) =>
      join.onRef('t.tenant_id', '=', 's.tenant_id').onRef('t.id', '=', 's.ticket_id'),
    )
    .select([
      's.signature',
      's.instruction_path',
      's.ordinal',
      's.ticket_id',
      's.chain_version',
      's.to_wallet',
    ])
    .select('t.chain_account as account')
    .where('s.tenant_id', '=', tenantId)
    .where('s.cluster_id', '=', clusterId)
    .where(sql<boolean>`s.signature = any(${signatures}::text[])`)
    .where('s.commitment', '=', 'provisional')
    .execute();
}

/** What we had sent can never land as it was recorded; the jobs that wanted it start over. */
async function endOwn(tx: TenantTx, tenantId: TenantId, now: Date, lost: string[]): Promise<Message[]> {
  const ended = await tx
    .updateTable('pending_transactions')
    .set({ status: 'expired', error_code: 'dropped_by_fork', next_check_at: null })
    .where('tenant_id', '=', tenantId)
    .where(sql<boolean>`tx_signature = any(${lost}::text[])`)
    .where('status', '=', 'confirmed')
    .returning(['purpose', 'subject_id', 'ticket_id'])
    .execute();
  const messages: Message[] = [];
  for (const { purpose, subject_id, ticket_id } of ended) {
    if (!ticket_id) continue;
    const ticket = await tx
      .selectFrom('tickets')
      .select(['event_id', 'status_reason'])
      .where('tenant_id', '=', tenantId)
      .where('id', '=', ticket_id)
      .executeTakeFirstOrThrow();
    const body = { ticketId: ticket_id, eventId: ticket.event_id };
    if (purpose === 'check_in') messages.push({ kind: 'ticket.check_in', body });
    if (purpose === 'revoke')
      messages.push({ kind: 'ticket.revoke', body: { ...body, reason: ticket.status_reason ?? 'other' } });
    if (purpose === 'transfer' && (await reopenTransfer(tx, tenantId, now, subject_id)))
      messages.push({ kind: 'ticket.transfer', body: { ...body, transferId: subject_id } });
  }
  return messages;
}

/** A completed transfer is wished again, unless another one of the ticket is under way by now. */
async function reopenTransfer(tx: TenantTx, tenantId: TenantId, now: Date, id: string): Promise<boolean> {
  const reopened = await sql`
    update transfers f set status = 'requested', updated_at = ${now}
    where f.tenant_id = ${tenantId} and f.id = ${id} and f.status = 'completed' and not exists (
      select from transfers o
      where o.tenant_id = f.tenant_id and o.ticket_id = f.ticket_id and o.status in ('offered', 'requested'))`.execute(
    tx,
  );
  return reopened.numAffectedRows === 1n;
}

async function confirmFinal(tx: TenantTx, tenantId: TenantId, now: Date, kept: string[]): Promise<void> {
  await tx
    .updateTable('pending_transactions')
    .set({ status: 'finalized', finalized_at: now })
    .where('tenant_id', '=', tenantId)
    .where(sql<boolean>`tx_signature = any(${kept}::text[])`)
    .where('status', '=', 'confirmed')
    .execute();
}

async function note(
  tx: TenantTx,
  { tenantId, clusterId }: { tenantId: TenantId; clusterId: string },
  signatures: string[],
  change: { commitment: string; outcome?: string },
): Promise<void> {
  await tx
    .updateTable('blockchain_sync')
    .set(change)
    .where('tenant_id', '=', tenantId)
    .where('cluster_id', '=', clusterId)
    .where(sql<boolean>`signature = any(${signatures}::text[])`)
    .where('commitment', '=', 'provisional')
    .execute();
}
