import type { Message } from '../../../messages.ts';
import { chainSteps } from '../../tickets/chain-steps.ts';
import type { TicketRow } from '../../tickets/queries.ts';
import { isLive, type TicketStatus } from '../../tickets/ticket-state.ts';
import type { ChainState } from './chain-state.ts';

export type Owner = { userId: string; name: string };

export type Cause = { signature: string } | { reason: string };

/** What the chain said of a ticket, once. */
export type Sight = {
  state: ChainState;
  mint: string;
  /** The transaction that brought it there, or what made us look at the account. */
  cause: Cause;
  /** Nothing can take it back: it was read from a finalized account. */
  final: boolean;
};

export type Followed = {
  /** The states to write, in their order; each but the last is a step of its own. Empty when nothing is new. */
  rows: TicketRow[];
  messages: Message[];
  moved: boolean;
  minted: boolean;
};

const ACTOR = 'chain:listener';

/**
 * What becomes of a ticket when the chain shows it in `sight.state`. Ownership and existence follow the chain; the
 * check-in of the database stays what the gate said. Pure: nothing is read or written.
 * @param ownerOf whose a wallet is; asked only when the ticket changed hands
 */
export function followTicket(ticket: TicketRow, sight: Sight, ownerOf: (wallet: string) => Owner): Followed {
  const { state, mint, cause, final } = sight;
  const minted = ticket.chain_version === null;
  const moved = !minted && ticket.owner_wallet !== state.owner;
  const owner = moved ? ownerOf(state.owner) : undefined;
  const copy: TicketRow = {
    ...ticket,
    nft_mint: mint,
    owner_wallet: state.owner,
    owner_slot: state.slot,
    chain_version: state.version,
    blockchain_sync_status: final ? 'finalized' : 'provisional',
    ...(owner ? { user_id: owner.userId, holder_name: owner.name, owner_epoch: ticket.owner_epoch + 1 } : {}),
  };
  const sighting = { status: state.status, fresh: minted, moved };
  const rows = walk(ticket, copy, chainSteps(ticket.status as TicketStatus, sighting), cause);
  return { rows, messages: tell(ticket, sight, { minted, owner }), moved, minted };
}

/** The same for a ticket that the final chain does not have: it waits for its mint again. */
export function forgetOnChain(ticket: TicketRow, reason: string): Followed {
  const blank: TicketRow = {
    ...ticket,
    nft_mint: null,
    owner_wallet: null,
    owner_slot: null,
    chain_version: null,
    blockchain_sync_status: 'pending',
  };
  const status = ticket.status as TicketStatus;
  const steps: TicketStatus[] =
    status === 'active' ? ['minting'] : status === 'transferred' ? ['active', 'minting'] : [];
  const body = { eventId: ticket.event_id, ticketIds: [ticket.id] };
  return {
    rows: walk(ticket, blank, steps, { reason }),
    messages: isLive(status) ? [{ kind: 'ticket.mint', body }] : [],
    moved: false,
    minted: false,
  };
}

/** One state per step; what is known of the chain comes with the last. */
function walk(ticket: TicketRow, copy: TicketRow, steps: TicketStatus[], cause: Cause): TicketRow[] {
  if (steps.length === 0) return [copy];
  return steps.map((status, at) => ({
    ...(at === steps.length - 1 ? copy : ticket),
    status,
    status_actor: ACTOR,
    status_reason: 'reason' in cause ? cause.reason : null,
    status_signature: 'signature' in cause ? cause.signature : null,
    status_gate: null,
    version: ticket.version + at + 1,
  }));
}

function tell(
  ticket: TicketRow,
  { state, mint, cause }: Sight,
  { minted, owner }: { minted: boolean; owner: Owner | undefined },
): Message[] {
  const { id: ticketId, event_id: eventId, user_id: userId, owner_wallet: fromWallet } = ticket;
  const signature = 'signature' in cause ? cause.signature : cause.reason;
  const messages: Message[] = [];
  if (minted)
    messages.push({
      kind: 'ticket.minted',
      body: { ticketId, eventId, userId, mint, owner: state.owner, signature },
    });
  messages.push(...catchUp(ticket, state, minted));
  if (owner && fromWallet)
    messages.push({
      kind: 'ticket.transferred',
      body: {
        ...{ ticketId, eventId, fromUserId: userId, toUserId: owner.userId },
        ...{ fromWallet, toWallet: state.owner, signature },
      },
    });
  return messages;
}

/** What the gate or the organiser decided before the ticket was on the chain, the chain still has to hear. */
function catchUp(ticket: TicketRow, state: ChainState, minted: boolean): Message[] {
  const { id: ticketId, event_id: eventId, status, status_reason } = ticket;
  if (!minted || state.status !== 'active') return [];
  if (status === 'checked_in') return [{ kind: 'ticket.check_in', body: { ticketId, eventId } }];
  if (isLive(status as TicketStatus)) return [];
  return [{ kind: 'ticket.revoke', body: { ticketId, eventId, reason: status_reason ?? 'other' } }];
}
