import { sql } from 'kysely';
import type { Message } from '../../../messages.ts';
import type { TenantId } from '../../../platform/ids.ts';
import { enqueue } from '../../../platform/outbox.ts';
import type { TenantTx } from '../../../platform/tenant-tx.ts';
import { chainSteps } from '../../tickets/chain-steps.ts';
import type { TicketRow } from '../../tickets/queries.ts';
import { stepTicket, type TicketChange } from '../../tickets/step-ticket.ts';
import { isLive, type TicketStatus } from '../../tickets/ticket-state.ts';
import { findWallet } from '../../wallets/queries.ts';

/** Where a ticket stands on the chain. */
export type ChainState = {
  owner: string;
  status: 'active' | 'checked_in' | 'revoked';
  version: number;
  slot: bigint;
  at: Date | null;
};

export type Change = {
  tenantId: TenantId;
  now: Date;
  signature: string;
  ticket: TicketRow;
  state: ChainState;
  mint: string;
};

const ACTOR = 'chain:listener';

/**
 * Brings the copy to where the chain stands, provisionally until that is final. Ownership and existence follow the
 * chain; the check-in of the database stays what the gate said. The ticket's row is locked by the caller.
 */
export async function applyState(tx: TenantTx, change: Change): Promise<'applied' | 'already_known'> {
  const { tenantId, now, ticket, state, mint, signature } = change;
  if (ticket.chain_version !== null && state.version <= ticket.chain_version) return 'already_known';
  const copy: TicketChange = {
    nft_mint: mint,
    owner_wallet: state.owner,
    owner_slot: state.slot,
    chain_version: state.version,
    blockchain_sync_status: 'provisional',
  };
  const messages: Message[] = [];
  const fresh = ticket.chain_version === null;
  const newOwner = !fresh && ticket.owner_wallet !== state.owner ? await findNewOwner(tx, change) : undefined;
  const moved: TicketChange = newOwner
    ? { user_id: newOwner.userId, holder_name: newOwner.name, owner_epoch: ticket.owner_epoch + 1 }
    : {};

  const sighting = { status: state.status, fresh, moved: newOwner !== undefined };
  const steps = chainSteps(ticket.status as TicketStatus, sighting);
  if (steps.length === 0) await updateCopy(tx, tenantId, now, ticket.id, { ...copy, ...moved });
  let { status, version } = ticket;
  for (const [i, to] of steps.entries()) {
    const from = { id: ticket.id, status, version };
    const change = i === steps.length - 1 ? { ...copy, ...moved } : {};
    version = await stepTicket(tx, tenantId, now, from, { to, actor: ACTOR, signature }, change);
    status = to;
  }

  const { event_id: eventId, user_id: userId } = ticket;
  if (fresh) {
    const body = { ticketId: ticket.id, eventId, userId, mint, owner: state.owner, signature };
    messages.push({ kind: 'ticket.minted', body });
  }
  messages.push(...catchUp(ticket, state, fresh));
  if (newOwner && ticket.owner_wallet) {
    await completeTransfer(tx, tenantId, now, ticket.id, state.owner);
    const wallets = { fromWallet: ticket.owner_wallet, toWallet: state.owner };
    const body = {
      ticketId: ticket.id,
      eventId,
      fromUserId: userId,
      toUserId: newOwner.userId,
      ...wallets,
      signature,
    };
    messages.push({ kind: 'ticket.transferred', body });
  }
  await enqueue(tx, now, messages);
  return 'applied';
}

/** What the gate or the organiser decided before the ticket was on the chain, the chain still has to hear. */
function catchUp(ticket: TicketRow, state: ChainState, fresh: boolean): Message[] {
  const { id: ticketId, event_id: eventId, status, status_reason } = ticket;
  if (!fresh || state.status !== 'active') return [];
  if (status === 'checked_in') return [{ kind: 'ticket.check_in', body: { ticketId, eventId } }];
  if (isLive(status as TicketStatus)) return [];
  return [{ kind: 'ticket.revoke', body: { ticketId, eventId, reason: status_reason ?? 'other' } }];
}

async function findNewOwner(
  tx: TenantTx,
  { tenantId, ticket, state }: Change,
): Promise<{ userId: string; name: string }> {
  const wallet = await findWallet(tx, tenantId, state.owner);
  const transfer = await tx
    .selectFrom('transfers')
    .select('to_user_id')
    .where('tenant_id', '=', tenantId)
    .where('ticket_id', '=', ticket.id)
    .where('to_wallet', '=', state.owner)
    .where('status', '=', 'requested')
    .executeTakeFirst();
  // A wallet that nobody here has linked: it becomes somebody's when its owner links it.
  const userId = wallet?.userId ?? transfer?.to_user_id ?? `wallet:${state.owner}`;
  const user = await tx
    .selectFrom('users')
    .select('name')
    .where('tenant_id', '=', tenantId)
    .where('user_id', '=', userId)
    .executeTakeFirst();
  return { userId, name: user?.name ?? userId };
}

async function completeTransfer(
  tx: TenantTx,
  tenantId: TenantId,
  now: Date,
  ticketId: string,
  owner: string,
): Promise<void> {
  await tx
    .updateTable('transfers')
    .set({
      status: sql<string>`case when to_wallet = ${owner} then 'completed' else 'failed' end`,
      failure_code: sql<string | null>`case when to_wallet = ${owner} then null else 'owner_changed' end`,
      updated_at: now,
    })
    .where('tenant_id', '=', tenantId)
    .where('ticket_id', '=', ticketId)
    .where('status', 'in', ['offered', 'requested'])
    .execute();
}

export async function updateCopy(
  tx: TenantTx,
  tenantId: TenantId,
  now: Date,
  ticketId: string,
  copy: TicketChange,
): Promise<void> {
  await tx
    .updateTable('tickets')
    .set({ ...copy, updated_at: now })
    .where('tenant_id', '=', tenantId)
    .where('id', '=', ticketId)
    .execute();
}
