export const ticketStatuses = [
  'reserved',
  'sold',
  'minting',
  'active',
  'transferred',
  'checked_in',
  'cancelled',
  'refunded',
  'revoked',
  'expired',
] as const;
export type TicketStatus = (typeof ticketStatuses)[number];

const ENDS = ['cancelled', 'refunded', 'revoked', 'expired'] as const;

/**
 * The legal steps of a ticket; the table `ticket_state_rules` holds the same and refuses the others.
 * `reserved` is a place in a hold, before the ticket exists. `transferred` is a change of owner that the chain
 * confirmed; the ticket is `active` again in the same transaction (`chain-steps.ts`). `active → minting` happens only
 * when a fork dropped the mint.
 */
export const ticketSteps: Record<TicketStatus, readonly TicketStatus[]> = {
  reserved: ['sold'],
  sold: ['minting', ...ENDS],
  minting: ['active', ...ENDS],
  active: ['minting', 'transferred', 'checked_in', ...ENDS],
  transferred: ['active', 'checked_in', ...ENDS],
  checked_in: ['revoked'],
  cancelled: [],
  refunded: [],
  revoked: [],
  expired: [],
};

export function canStep(from: TicketStatus, to: TicketStatus): boolean {
  return ticketSteps[from].includes(to);
}

/** A code of such a ticket can still mean something at a gate. */
export function isLive(status: TicketStatus): boolean {
  return ['sold', 'minting', 'active', 'transferred', 'checked_in'].includes(status);
}
