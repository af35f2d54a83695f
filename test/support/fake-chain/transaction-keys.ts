import type { Account } from './account-history.ts';
import { textOf } from './base58.ts';
import type { Transaction } from './parse-transaction.ts';

/** Every account of a transaction in the order of its indexes: its own, then looked up ones, writable before readonly. */
export type TransactionKeys = {
  all: string[];
  writable: string[];
  loaded: { writable: string[]; readonly: string[] };
};

/** Before its addresses, a lookup table has so many bytes. */
const TABLE_HEAD = 56;

/** @param account what the chain holds at an address; an unknown table's addresses are left out */
export function keysOf(
  transaction: Transaction,
  account: (address: string) => Account | undefined,
): TransactionKeys {
  const { keys, lookups } = transaction;
  const writable = keys.filter((_, index) => isWritable(transaction, index));
  if (lookups.length === 0) return { all: keys, writable, loaded: { writable: [], readonly: [] } };
  const loaded = {
    writable: lookups.flatMap((one) => addressesIn(account(one.accountKey), one.writableIndexes)),
    readonly: lookups.flatMap((one) => addressesIn(account(one.accountKey), one.readonlyIndexes)),
  };
  return {
    all: [...keys, ...loaded.writable, ...loaded.readonly],
    writable: [...writable, ...loaded.writable],
    loaded,
  };
}

export function isSigner({ header }: Transaction, index: number): boolean {
  return index < header.numRequiredSignatures;
}

/** For a transaction's own keys. */
export function isWritable({ header, keys }: Transaction, index: number): boolean {
  const { numRequiredSignatures, numReadonlySignedAccounts, numReadonlyUnsignedAccounts } = header;
  if (index < numRequiredSignatures) return index < numRequiredSignatures - numReadonlySignedAccounts;
  return index < keys.length - numReadonlyUnsignedAccounts;
}

function addressesIn(table: Account | undefined, indexes: number[]): string[] {
  return indexes.flatMap((index) => {
    const at = TABLE_HEAD + 32 * index;
    const address = table?.data.subarray(at, at + 32);
    return address?.length === 32 ? [textOf(address)] : [];
  });
}
