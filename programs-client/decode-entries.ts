import type { Address } from './addresses.ts';
import type { Entry } from './entries.ts';
import { entryOf } from './entry-of.ts';
import { flattenTransaction, type TransactionLike } from './flatten-transaction.ts';
import { programLogs } from './program-logs.ts';
import { decodeEventData, decodeInstruction, instructionNamed } from './wire.ts';

export type { Entry } from './entries.ts';

/**
 * What the program did in a transaction, in the order in which it did it. The instructions that ran, inner ones too,
 * say what happened and to which accounts; the logs add versions, times and amounts, and where they are cut or missing
 * the entry says `complete: false`. A failed transaction has no entries, nor has one whose outcome is not known.
 * Throws an `UnreadableTransactionError` for what is beyond `TRANSACTION_LIMITS` or contradicts itself.
 */
export function decodeEntries(programId: Address, transaction: TransactionLike): Entry[] {
  const { meta } = transaction;
  if (meta === null || meta.err != null) return [];
  const invocations = programLogs(programId, meta.logMessages ?? []);
  return flattenTransaction(transaction, programId).flatMap(({ path, accounts, data }, nth) => {
    const instruction = decodeInstruction(data);
    if (instruction === undefined) return [];
    const { name, args } = instruction;
    const named = instructionNamed(name).accounts.map((one, at) => [one.name, accounts[at]]);
    const logged = (invocations[nth] ?? []).map(decodeEventData).find((event) => event !== undefined);
    return [entryOf({ programId, name, path, args, accounts: Object.fromEntries(named), logged })];
  });
}
