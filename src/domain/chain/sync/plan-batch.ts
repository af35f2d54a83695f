import type { TicketAccount } from '../../../../programs-client/accounts.ts';
import type { Message } from '../../../messages.ts';
import { uuidOf } from '../../../platform/ids.ts';
import type { TicketRow } from '../../tickets/queries.ts';
import { type ChainState, stateOfAccount, stateOfEntry } from './chain-state.ts';
import type { Holding } from './find-owners.ts';
import { followTicket, type Owner } from './follow-ticket.ts';
import type { Sighted } from './seen-transaction.ts';

/** A row of `blockchain_sync` that is there already. */
export type Noted = { commitment: string; slot: bigint };
export type Outcome = 'applied' | 'already_known' | 'corrected' | 'unknown_ticket';
export type Note = Sighted & { ticketId: string | null; version: number | null; outcome: Outcome };

export type Plan = {
  notes: Note[];
  rows: TicketRow[];
  messages: Message[];
  /** Changes of hands, with who had the ticket before. */
  moves: (Holding & { formerUser: string })[];
  /** Tickets that came onto the chain. */
  minted: TicketRow[];
};

export type Known = {
  /** By the address of their account. */
  tickets: ReadonlyMap<string, TicketRow>;
  /** By `noteKey`. */
  noted: ReadonlyMap<string, Noted>;
  /** The events of ours, by address. */
  events: ReadonlyMap<string, { eventId: string }>;
  /** Accounts that were read because logs did not say enough; null for one that is not there. */
  accounts: ReadonlyMap<string, { account: TicketAccount; slot: number } | null>;
};

/** Thrown when the chain has to be asked for accounts before the plan can be made. */
export class NeedsAccounts extends Error {
  readonly addresses: string[];

  constructor(addresses: string[]) {
    super(`${addresses.length} accounts must be read first`);
    this.addresses = addresses;
  }
}

export function noteKey(signature: string, instructionPath: string, ordinal: number): string {
  return `${signature} ${instructionPath} ${ordinal}`;
}

/**
 * What a batch of entries of one tenant, in the order of the chain, makes of its tickets. Pure; an entry that is noted
 * already changes nothing, and one that a fork had dropped counts as new when it landed again.
 * @throws NeedsAccounts
 */
export function planBatch(
  entries: readonly Sighted[],
  known: Known,
  ownerOf: (ticketId: string) => (wallet: string) => Owner,
): Plan {
  const plan: Plan = { notes: [], rows: [], messages: [], moves: [], minted: [] };
  const current = new Map(known.tickets);
  const needed = new Set<string>();
  for (const sighted of entries) {
    const { seen, entry } = sighted;
    const noted = known.noted.get(noteKey(seen.signature, entry.instructionPath, entry.ordinal));
    if (noted && noted.commitment !== 'orphaned') {
      // It landed in another slot than where it was first seen.
      if (noted.commitment === 'provisional' && noted.slot !== BigInt(seen.slot))
        plan.notes.push({ ...sighted, ticketId: null, version: null, outcome: 'already_known' });
      continue;
    }
    const ticket = findOwn(current.get(entry.ticket), sighted, known);
    const version = entry.complete ? entry.version : null;
    if (!ticket) {
      plan.notes.push({ ...sighted, ticketId: null, version, outcome: 'unknown_ticket' });
      continue;
    }
    const found = findState(sighted, ticket, known);
    if (found === 'ask') {
      needed.add(entry.ticket);
      continue;
    }
    const note = { ...sighted, ticketId: ticket.id, version: version ?? found?.state.version ?? null };
    if (!found || found.state.version <= (ticket.chain_version ?? 0)) {
      plan.notes.push({ ...note, outcome: 'already_known' });
      continue;
    }
    const sight = {
      state: found.state,
      mint: entry.mint,
      cause: { signature: seen.signature },
      final: false,
    };
    const { rows, messages, moved, minted } = followTicket(ticket, sight, ownerOf(ticket.id));
    plan.notes.push({ ...note, outcome: found.corrected ? 'corrected' : 'applied' });
    plan.rows.push(...rows);
    plan.messages.push(...messages);
    if (moved)
      plan.moves.push({ ticketId: ticket.id, wallet: found.state.owner, formerUser: ticket.user_id });
    if (minted) plan.minted.push(ticket);
    current.set(entry.ticket, rows.at(-1) as TicketRow);
  }
  if (needed.size > 0) throw new NeedsAccounts([...needed]);
  return { ...plan, rows: withoutDetours(plan.rows) };
}

/** A ticket of another event, or a mint that carries another ticket's id, is not the one that we have there. */
function findOwn(ticket: TicketRow | undefined, { entry }: Sighted, known: Known): TicketRow | undefined {
  if (!ticket || known.events.get(entry.event)?.eventId !== ticket.event_id) return undefined;
  if (entry.kind === 'ticket_minted' && uuidOf(entry.ticketId) !== ticket.id) return undefined;
  return ticket;
}

/** `ask` when the logs were cut, or something between was missed: then the account itself says where the ticket stands. */
function findState(
  { seen, entry }: Sighted,
  ticket: TicketRow,
  known: Known,
): { state: ChainState; corrected: boolean } | 'ask' | undefined {
  const logged = stateOfEntry(entry, seen.slot);
  const gap = logged !== undefined && logged.version > (ticket.chain_version ?? 0) + 1;
  if (logged && !gap) return { state: logged, corrected: false };
  const read = known.accounts.get(entry.ticket);
  if (read === undefined) return 'ask';
  // An account older than the entry is of a node that is behind: what was signed is newer.
  if (read && read.account.event === entry.event && read.account.version >= (logged?.version ?? 1))
    return { state: stateOfAccount(read.account, read.slot), corrected: gap };
  return logged && { state: logged, corrected: true };
}

/** A state that only moved the copy on and was followed by another needs no write of its own. */
function withoutDetours(rows: readonly TicketRow[]): TicketRow[] {
  const next = new Map<string, TicketRow>();
  const kept: TicketRow[] = [];
  for (const row of rows.toReversed()) {
    const later = next.get(row.id);
    if (!later || later.version !== row.version) kept.push(row);
    next.set(row.id, row);
  }
  return kept.reverse();
}
