import { sql } from 'kysely';
import { decodeTicket } from '../../../../programs-client/accounts.ts';
import { type TenantId, uuidOf } from '../../../platform/ids.ts';
import { enqueue } from '../../../platform/outbox.ts';
import { type TenantTx, withTenant } from '../../../platform/tenant-tx.ts';
import { moveTickets } from '../../tickets/move-tickets.ts';
import { cacheTickets } from '../../tickets/publish-ticket.ts';
import type { TicketRow } from '../../tickets/queries.ts';
import { agreeOnAccounts } from '../rpc/agree.ts';
import { type ChainState, stateOfAccount } from './chain-state.ts';
import { endTransfers, findOwners } from './find-owners.ts';
import { type Followed, followTicket, forgetOnChain } from './follow-ticket.ts';
import type { ListenerContext } from './listener-context.ts';

/** Where the final chain has a ticket: its state, nowhere, or nobody can say yet. */
export type FinalState = { state: ChainState; mint: string } | 'absent' | 'unknown';

/**
 * Where the final chain has these tickets, as of `minSlot` or later, by the address of their account. An account that
 * carries another ticket's id is not theirs and counts as unknown, since somebody has to look.
 */
export async function readFinalStates(
  ctx: ListenerContext,
  tickets: readonly { id: string; account: string }[],
  minSlot: number,
): Promise<Map<string, FinalState>> {
  const agreed = await agreeOnAccounts(
    ctx.rpc,
    tickets.map(({ account }) => account),
    { minSlot },
  );
  return new Map(
    tickets.map(({ id }, at): [string, FinalState] => {
      const found = agreed[at];
      if (found === undefined || typeof found === 'string') return [id, found ?? 'unknown'];
      if (found.known.owner !== ctx.programId) return [id, 'absent'];
      const account = decodeTicket(found.known.data);
      if (uuidOf(account.ticketId) !== id) return [id, 'unknown'];
      return [id, { state: stateOfAccount(account, found.slot), mint: account.mint }];
    }),
  );
}

/**
 * Brings the copies of tickets to where the final chain has them, forward or back, inside of `tx`; their rows are locked
 * first. What is unknown stays as it is. The caller caches the rows that come back once `tx` is committed.
 */
export async function restateTickets(
  tx: TenantTx,
  input: {
    tenantId: TenantId;
    now: Date;
    states: ReadonlyMap<string, FinalState>;
    reason: string;
    /** Which of the locked tickets, as they are now, shall be restated; all by default. */
    only?: (ticket: TicketRow, state: FinalState) => boolean;
  },
): Promise<{ rows: TicketRow[]; restated: TicketRow[]; formerUsers: string[] }> {
  const { tenantId, now, states, reason, only = () => true } = input;
  const tickets = (await lockById(tx, tenantId, [...states.keys()])).filter((ticket) =>
    only(ticket, states.get(ticket.id) ?? 'unknown'),
  );
  const holdings = tickets.flatMap((ticket) => {
    const found = states.get(ticket.id);
    return typeof found === 'object' ? [{ ticketId: ticket.id, wallet: found.state.owner }] : [];
  });
  const ownerOf = await findOwners(tx, tenantId, holdings);
  const changed = tickets.flatMap((ticket): { ticket: TicketRow; followed: Followed }[] => {
    const found = states.get(ticket.id) ?? 'unknown';
    if (found === 'unknown') return [];
    if (found === 'absent') return [{ ticket, followed: forgetOnChain(ticket, reason) }];
    const sight = { ...found, cause: { reason }, final: true };
    return [{ ticket, followed: followTicket(ticket, sight, ownerOf(ticket.id)) }];
  });
  const rows = changed.flatMap(({ followed }) => followed.rows);
  await moveTickets(tx, tenantId, now, rows);
  const moved = changed.filter(({ followed }) => followed.moved).map(({ ticket }) => ticket);
  await endTransfers(
    tx,
    tenantId,
    now,
    holdings.filter(({ ticketId }) => moved.some(({ id }) => id === ticketId)),
  );
  await enqueue(
    tx,
    now,
    changed.flatMap(({ followed }) => followed.messages),
  );
  return {
    rows: changed.map(({ followed }) => ({ ...(followed.rows.at(-1) as TicketRow), updated_at: now })),
    restated: changed.map(({ ticket }) => ticket),
    formerUsers: moved.map((ticket) => ticket.user_id),
  };
}

/** Heals tickets from the final chain. Returns how many were restated; of the others nobody could say yet. */
export async function healTickets(
  ctx: ListenerContext,
  input: {
    tenantId: TenantId;
    tickets: readonly { id: string; account: string }[];
    minSlot: number;
    reason: string;
  },
): Promise<number> {
  if (input.tickets.length === 0) return 0;
  const { tenantId, reason } = input;
  const states = await readFinalStates(ctx, input.tickets, input.minSlot);
  const now = ctx.clock.now();
  const { rows, formerUsers } = await withTenant(ctx.db, tenantId, (tx) =>
    restateTickets(tx, { tenantId, now, states, reason }),
  );
  await cacheTickets(ctx, tenantId, rows, formerUsers);
  return rows.length;
}

/** In the order of their ids, as everybody locks several. */
export async function lockById(
  tx: TenantTx,
  tenantId: TenantId,
  ids: readonly string[],
): Promise<TicketRow[]> {
  return tx
    .selectFrom('tickets')
    .selectAll()
    .where('tenant_id', '=', tenantId)
    .where(sql<boolean>`id = any(${ids}::uuid[])`)
    .orderBy('id')
    .forNoKeyUpdate()
    .execute();
}
