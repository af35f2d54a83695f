import type { Entry, TicketEntry } from '../../../../programs-client/entries.ts';

/** A transaction of our program that succeeded, with what it did. */
export type SeenTransaction = {
  signature: string;
  slot: number;
  blockTime: Date | null;
  entries: Entry[];
};

/** One entry of a ticket, with the transaction that it is of. */
export type Sighted = { seen: SeenTransaction; entry: TicketEntry };

export function ticketEntries(transactions: readonly SeenTransaction[]): Sighted[] {
  return transactions.flatMap((seen) =>
    seen.entries.flatMap((entry) => ('ticket' in entry ? [{ seen, entry }] : [])),
  );
}
