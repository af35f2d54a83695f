import { utils } from '@coral-xyz/anchor';
import { type Address, toAddress } from './addresses.ts';

/** A key as web3.js or the RPC gives it: `PublicKey`, base58, or `{pubkey}` of a parsed message. */
type Key = string | { toBase58(): string } | { pubkey: string | { toBase58(): string } };

type AnyInstruction = {
  programIdIndex?: number;
  programId?: Key;
  accounts?: readonly (number | Key)[];
  accountKeyIndexes?: readonly number[];
  data?: string | Uint8Array;
};

/**
 * What `getTransaction` answers, in any of its forms: web3.js' `VersionedTransactionResponse` and
 * `ParsedTransactionWithMeta`, or the RPC's own JSON with encoding json or jsonParsed.
 */
export type TransactionLike = {
  transaction: {
    message: {
      accountKeys?: readonly Key[];
      staticAccountKeys?: readonly Key[];
      instructions?: readonly AnyInstruction[];
      compiledInstructions?: readonly AnyInstruction[];
    };
  };
  meta: {
    err: unknown;
    logMessages?: readonly string[] | null | undefined;
    innerInstructions?:
      | readonly { index: number; instructions: readonly AnyInstruction[] }[]
      | null
      | undefined;
    loadedAddresses?: { writable: readonly Key[]; readonly: readonly Key[] } | null | undefined;
  } | null;
};

/** One instruction that ran, at whatever depth. */
export type FlatInstruction = { path: string; programId: Address; accounts: Address[]; data: Uint8Array };

/** All instructions that ran, in the order in which they ran: each before those it called. */
export function flattenTransaction({ transaction, meta }: TransactionLike): FlatInstruction[] {
  const { message } = transaction;
  const stored = (message.staticAccountKeys ?? message.accountKeys ?? []).map(base58);
  const { writable = [], readonly = [] } = meta?.loadedAddresses ?? {};
  const loaded = [...writable, ...readonly].map(base58);
  // A parsed message lists the loaded keys among its own.
  const keys = [...stored, ...loaded.filter((key) => !stored.includes(key))];
  const inner = new Map((meta?.innerInstructions ?? []).map((group) => [group.index, group.instructions]));
  return (message.compiledInstructions ?? message.instructions ?? []).flatMap((outer, index) => [
    flat(outer, `${index}`, keys),
    ...(inner.get(index) ?? []).map((called, at) => flat(called, `${index}.${at}`, keys)),
  ]);
}

function flat(instruction: AnyInstruction, path: string, keys: Address[]): FlatInstruction {
  const { programId, programIdIndex, data = '' } = instruction;
  const accounts = instruction.accountKeyIndexes ?? instruction.accounts ?? [];
  return {
    path,
    programId: programId === undefined ? at(keys, programIdIndex) : base58(programId),
    accounts: accounts.map((one) => (typeof one === 'number' ? at(keys, one) : base58(one))),
    data: typeof data === 'string' ? utils.bytes.bs58.decode(data) : data,
  };
}

function at(keys: Address[], index: number | undefined): Address {
  const key = index === undefined ? undefined : keys[index];
  if (key === undefined) throw new Error('the transaction names an account that it does not list');
  return key;
}

function base58(key: Key): Address {
  if (typeof key === 'string') return toAddress(key);
  return 'pubkey' in key ? base58(key.pubkey) : toAddress(key.toBase58());
}
