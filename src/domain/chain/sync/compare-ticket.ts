import type { TicketRow } from '../../tickets/queries.ts';

/** What can change of a ticket on the chain. */
export type OnChain = { owner: string; status: 'active' | 'checked_in' | 'revoked'; version: number };

/**
 * `behind`: the chain went further; `other`: it says otherwise; `missing`: it does not have what was final. `unsettled` is
 * no drift: the copy is right, and nobody had called it final yet.
 */
export type Drift = 'behind' | 'other' | 'missing' | 'unsettled';

/**
 * In what way the copy of a ticket differs from the final chain as of `slot`; undefined where it does not, or where it
 * is only ahead of what is final.
 */
export function compareTicket(
  ticket: TicketRow,
  found: OnChain | undefined,
  slot: number,
): Drift | undefined {
  const { chain_version: version, owner_wallet: owner, owner_slot, blockchain_sync_status: status } = ticket;
  const final = status === 'finalized' && Number(owner_slot ?? 0n) <= slot;
  if (!found) return version !== null && final ? 'missing' : undefined;
  if (found.version > (version ?? 0)) return 'behind';
  if (version !== null && found.version < version) return final ? 'other' : undefined;
  if (found.owner !== owner) return 'other';
  if (found.status === 'revoked' && ticket.status !== 'revoked' && isHeld(ticket.status)) return 'other';
  return status === 'finalized' || version === null ? undefined : 'unsettled';
}

function isHeld(status: string): boolean {
  return status === 'active' || status === 'transferred' || status === 'checked_in';
}
