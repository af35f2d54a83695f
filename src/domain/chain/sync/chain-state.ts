import type { TicketAccount } from '../../../../programs-client/accounts.ts';
import type { TicketEntry } from '../../../../programs-client/entries.ts';

/** Where a ticket stands on the chain. */
export type ChainState = {
  owner: string;
  status: 'active' | 'checked_in' | 'revoked';
  version: number;
  /** Of the transaction, or of the answer that the account came with. */
  slot: bigint;
};

/** Undefined when the logs were cut: the account must say. */
export function stateOfEntry(entry: TicketEntry, slot: number): ChainState | undefined {
  const owner = entry.to ?? entry.from;
  if (!entry.complete || owner === undefined) return undefined;
  const status =
    entry.kind === 'ticket_checked_in'
      ? 'checked_in'
      : entry.kind === 'ticket_revoked'
        ? 'revoked'
        : 'active';
  return { owner, status, version: entry.version, slot: BigInt(slot) };
}

export function stateOfAccount(account: TicketAccount, slot: number): ChainState {
  return {
    owner: account.holder,
    status: account.status,
    version: account.version,
    slot: BigInt(slot),
  };
}
