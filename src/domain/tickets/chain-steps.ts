import type { TicketStatus } from './ticket-state.ts';

/** What the chain showed of a ticket, seen from the copy that we had of it. */
export type Sighting = {
  status: 'active' | 'checked_in' | 'revoked';
  /** There was no copy before: the ticket is new on the chain. */
  fresh: boolean;
  /** There was one, and another wallet was the owner. */
  moved: boolean;
};

/**
 * The steps that a ticket takes when the chain shows it so, each a legal one from the one before; none when it stays
 * where it is and only its copy of the chain moves on. `transferred` is passed through and leaves its trace in the
 * history: whoever holds a confirmed, valid ticket holds an active one. What the gate or the organiser decided stays.
 */
export function chainSteps(from: TicketStatus, { status, fresh, moved }: Sighting): TicketStatus[] {
  if (status === 'revoked') return revokedFrom[from] ?? [];
  if (fresh) return mintedFrom[from] ?? [];
  return (moved && movedFrom[from]) || [];
}

type Path = Partial<Record<TicketStatus, TicketStatus[]>>;

const mintedFrom: Path = {
  sold: ['minting', 'active'],
  minting: ['active'],
  transferred: ['active'],
};

/** From `transferred` only where an earlier release left a ticket; that move ends before the next begins. */
const movedFrom: Path = {
  active: ['transferred', 'active'],
  transferred: ['active', 'transferred', 'active'],
};

const revokedFrom: Path = {
  sold: ['minting', 'revoked'],
  minting: ['revoked'],
  active: ['revoked'],
  transferred: ['revoked'],
  checked_in: ['revoked'],
};
