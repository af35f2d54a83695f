import { accountSizes, decodeTicket, type TicketAccount } from '../../../programs-client/accounts.ts';
import { type Address, toAddress } from '../../../programs-client/addresses.ts';
import { decodeEntries } from '../../../programs-client/decode-entries.ts';
import type { Entry } from '../../../programs-client/entries.ts';
import type { TransactionLike } from '../../../programs-client/flatten-transaction.ts';
import type { Account } from './account-history.ts';
import type { Landed } from './block.ts';
import type { Ledger } from './ledger.ts';
import { encodeTransaction } from './rpc/encode-transaction.ts';
import type { Commitment } from './view.ts';

export type TicketTruth = TicketAccount & { address: Address };

/** What really is, whatever the nodes say; at `finalized` unless said otherwise. */
export type Truth = {
  account(address: string, commitment?: Commitment): Account | undefined;
  /** Every ticket account of our program. */
  tickets(commitment?: Commitment): TicketTruth[];
  /** Who holds a ticket, by its account's address. */
  holder(ticket: string, commitment?: Commitment): Address | undefined;
  /** What the program did, in order; only what is still on the chain. */
  entries(commitment?: Commitment): (Entry & { signature: string; slot: number })[];
  /** How often each ticket id, in hex, was minted. More than one is the fault that nobody may see. */
  mints(commitment?: Commitment): Map<string, number>;
  /** Transactions on the chain now, failed ones among them. */
  landed(commitment?: Commitment): { count: number; failed: number };
  /** Accepted, dropped, expired and refused ones, forks and what they took, since the start. */
  counts(): Ledger['counts'];
};

export function truthOf(ledger: Ledger, programId: string, confirmedAfter: number): Truth {
  const program = toAddress(programId);
  const slotAt = (commitment: Commitment = 'finalized'): number => {
    if (commitment === 'processed') return ledger.tip.slot;
    const confirmed = Math.max(ledger.rootHeight, ledger.tip.height - confirmedAfter);
    return ledger.blockAt(commitment === 'confirmed' ? confirmed : ledger.rootHeight).slot;
  };
  const upTo = (landed: readonly Landed[], commitment?: Commitment) => {
    const slot = slotAt(commitment);
    return landed.filter((one) => one.slot <= slot);
  };
  const tickets = (commitment?: Commitment): TicketTruth[] =>
    ledger.accounts
      .ownedBy(program, slotAt(commitment))
      .filter(([, { data }]) => data.length === accountSizes.ticket)
      .map(([address, { data }]) => ({ ...decodeTicket(data), address: toAddress(address) }));
  const entries: Truth['entries'] = (commitment) =>
    upTo(ledger.index.naming(program), commitment)
      .filter(({ told }) => !told)
      .flatMap((landed) => {
        const { signature } = landed.transaction;
        const told = encodeTransaction(landed, { maxSupportedTransactionVersion: 1 }) as TransactionLike;
        return decodeEntries(program, told).map((entry) => ({ ...entry, signature, slot: landed.slot }));
      });
  return {
    account: (address, commitment) => ledger.accountAt(address, slotAt(commitment)),
    tickets,
    holder: (ticket, commitment) => tickets(commitment).find((one) => one.address === ticket)?.holder,
    entries,
    mints(commitment) {
      const mints = new Map<string, number>();
      for (const entry of entries(commitment)) {
        if (entry.kind !== 'ticket_minted') continue;
        const id = Buffer.from(entry.ticketId).toString('hex');
        mints.set(id, (mints.get(id) ?? 0) + 1);
      }
      return mints;
    },
    landed(commitment) {
      const all = upTo(ledger.index.all(), commitment);
      return { count: all.length, failed: all.filter(({ effect }) => effect.err !== null).length };
    },
    counts: () => ({ ...ledger.counts }),
  };
}
