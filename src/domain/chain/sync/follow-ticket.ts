import type { Message } from '../../../messages.ts';
import type { TicketRow } from '../../tickets/queries.ts';
import { canStep, isLive, type TicketStatus } from '../../tickets/ticket-state.ts';
import type { ChainState } from './chain-state.ts';

export type Owner = { userId: string; name: string };

/** What the chain said of a ticket, once. */
export type Sight = {
  state: ChainState;
  mint: string;
  /** Why: the transaction's signature, or what made us look. */
  reason: string;
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
  const { state, mint, reason, final } = sight;
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
  const rows = walk(
    ticket,
    copy,
    stepsTo(ticket.status as TicketStatus, { state, minted, moved, final }),
    reason,
  );
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
    rows: walk(ticket, blank, steps, reason),
    messages: isLive(status) ? [{ kind: 'ticket.mint', body }] : [],
    moved: false,
    minted: false,
  };
}

/** One state per step; what is known of the chain comes with the last. */
function walk(ticket: TicketRow, copy: TicketRow, steps: TicketStatus[], reason: string): TicketRow[] {
  if (steps.length === 0) return [copy];
  return steps.map((status, at) => {
    const last = at === steps.length - 1;
    return {
      ...(last ? copy : ticket),
      status,
      status_actor: ACTOR,
      status_reason: last ? reason : null,
      version: ticket.version + at + 1,
    };
  });
}

/** No step when the ticket stays where it is in the database and only its copy of the chain moves on. */
function stepsTo(
  from: TicketStatus,
  { state, minted, moved, final }: { state: ChainState; minted: boolean; moved: boolean; final: boolean },
): TicketStatus[] {
  const wanted: TicketStatus | undefined =
    state.status === 'revoked'
      ? 'revoked'
      : minted || (final && from === 'transferred')
        ? 'active'
        : moved && !final
          ? 'transferred'
          : undefined;
  if (wanted === undefined || wanted === from) return [];
  if (canStep(from, wanted)) return [wanted];
  return from === 'sold' && canStep('minting', wanted) ? ['minting', wanted] : [];
}

function tell(
  ticket: TicketRow,
  { state, mint, reason }: Sight,
  { minted, owner }: { minted: boolean; owner: Owner | undefined },
): Message[] {
  const { id: ticketId, event_id: eventId, user_id: userId, owner_wallet: fromWallet } = ticket;
  const messages: Message[] = [];
  if (minted)
    messages.push({
      kind: 'ticket.minted',
      body: { ticketId, eventId, userId, mint, owner: state.owner, signature: reason },
    });
  messages.push(...catchUp(ticket, state, minted));
  if (owner && fromWallet)
    messages.push({
      kind: 'ticket.transferred',
      body: {
        ...{ ticketId, eventId, fromUserId: userId, toUserId: owner.userId },
        ...{ fromWallet, toWallet: state.owner, signature: reason },
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
