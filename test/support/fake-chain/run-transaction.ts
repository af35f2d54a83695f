import type { Account } from './account-history.ts';
import type { Effect } from './block.ts';
import type { Transaction } from './parse-transaction.ts';
import type { Runtime } from './runtime.ts';
import { tokenBalances } from './token-balances.ts';
import { keysOf, type TransactionKeys } from './transaction-keys.ts';

export type Change = { before: Account | undefined; after: Account | undefined };

/** What a transaction did to the accounts, and what the chain tells of it. */
export type Ran = { keys: TransactionKeys; effect: Effect; changes: Map<string, Change> };

/**
 * Runs a transaction on the newest state. Undefined for one that does not get into a block, since nobody pays for it:
 * bad signatures, a payer without money.
 */
export function runTransaction(runtime: Runtime, transaction: Transaction, verify: boolean): Ran | undefined {
  const account = (address: string) => runtime.account(address);
  const keys = keysOf(transaction, account);
  const before = new Map(keys.all.map((address) => [address, account(address)]));
  const preTokenBalances = tokenBalances(keys.all, (address) => before.get(address) ?? account(address));
  const execution = runtime.run(transaction, verify);
  const [payer = ''] = keys.all;
  if (execution.err !== null && account(payer)?.lamports === before.get(payer)?.lamports) return undefined;
  // Of one that failed, the fee alone remains.
  const written = execution.err === null ? keys.writable : [payer];
  const changes = new Map(
    written.map((address) => [address, { before: before.get(address), after: account(address) }]),
  );
  const after = (address: string): Account | undefined => {
    const change = changes.get(address);
    return change ? change.after : before.get(address);
  };
  const effect: Effect = {
    ...execution,
    preBalances: keys.all.map((address) => before.get(address)?.lamports ?? 0n),
    postBalances: keys.all.map((address) => after(address)?.lamports ?? 0n),
    preTokenBalances,
    postTokenBalances: tokenBalances(keys.all, (address) => after(address) ?? account(address)),
  };
  return { keys, effect, changes };
}
