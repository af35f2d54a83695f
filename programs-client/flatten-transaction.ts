import { utils } from '@coral-xyz/anchor';
import { type Address, toAddress } from './addresses.ts';
import { knownAddress } from './known-address.ts';
import { UnreadableTransactionError } from './unreadable-transaction-error.ts';

/** A key as web3.js or the RPC gives it: `PublicKey`, base58, or `{pubkey}` of a parsed message. */
type Key = string | { toBytes(): Uint8Array } | { pubkey: string | { toBytes(): Uint8Array } };

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

/**
 * What is looked at of one transaction at most. A cluster runs 64 instructions in one, so that only a node that lies
 * shows more; and the program refuses data longer than its longest instruction, which has 600 bytes.
 */
export const TRANSACTION_LIMITS = {
  keys: 256,
  instructions: 10_000,
  ofProgram: 256,
  accountsOfInstruction: 256,
  dataOfInstruction: 1024,
};

/**
 * The instructions of one program that ran, in the order in which they ran: each before those it called. Data and
 * accounts of other programs' instructions are not looked at: anybody can fill them with what takes long to decode.
 * Throws an `UnreadableTransactionError` beyond the limits above, and where the transaction contradicts itself.
 */
export function flattenTransaction(transaction: TransactionLike, programId: Address): FlatInstruction[] {
  const keys = keysOf(transaction);
  const places = new Set(keys.flatMap((key, place) => (isKey(key, programId) ? [place] : [])));
  const isOurs = ({ programId: named, programIdIndex }: AnyInstruction) =>
    named === undefined ? places.has(indexIn(keys, programIdIndex)) : isKey(named, programId);
  const flat: FlatInstruction[] = [];
  let seen = 0;
  const visit = (instruction: AnyInstruction, path: () => string) => {
    if (++seen > TRANSACTION_LIMITS.instructions)
      throw tooLarge('instructions', TRANSACTION_LIMITS.instructions);
    if (!isOurs(instruction)) return;
    if (flat.length >= TRANSACTION_LIMITS.ofProgram) {
      throw tooLarge('instructions of the program', TRANSACTION_LIMITS.ofProgram);
    }
    flat.push({
      path: path(),
      programId,
      accounts: accountsOf(instruction, keys),
      data: dataOf(instruction),
    });
  };
  const { message } = transaction.transaction;
  const called = new Map(transaction.meta?.innerInstructions?.map((one) => [one.index, one.instructions]));
  (message.compiledInstructions ?? message.instructions ?? []).forEach((outer, index) => {
    visit(outer, () => `${index}`);
    called.get(index)?.forEach((inner, at) => {
      visit(inner, () => `${index}.${at}`);
    });
  });
  return flat;
}

/** The keys that indices refer to: those of the message, then those that it loaded from tables. */
function keysOf({ transaction: { message }, meta }: TransactionLike): readonly Key[] {
  const stored = message.staticAccountKeys ?? message.accountKeys ?? [];
  const { writable = [], readonly = [] } = meta?.loadedAddresses ?? {};
  // A parsed message lists the loaded keys among its own.
  const isParsed = stored.some((key) => typeof key === 'object' && 'pubkey' in key);
  const keys = isParsed ? stored : [...stored, ...writable, ...readonly];
  if (keys.length > TRANSACTION_LIMITS.keys) throw tooLarge('keys', TRANSACTION_LIMITS.keys);
  return keys;
}

function accountsOf(instruction: AnyInstruction, keys: readonly Key[]): Address[] {
  const accounts = instruction.accountKeyIndexes ?? instruction.accounts ?? [];
  const most = TRANSACTION_LIMITS.accountsOfInstruction;
  if (accounts.length > most) throw tooLarge('accounts of an instruction', most);
  return accounts.map((one) => base58(typeof one === 'number' ? (keys[indexIn(keys, one)] as Key) : one));
}

/** Decoding base58 takes the square of its length, so that the length is looked at first. */
function dataOf({ data = '' }: AnyInstruction): Uint8Array {
  const most = TRANSACTION_LIMITS.dataOfInstruction;
  const shortest = typeof data === 'string' ? data.length / BASE58_PER_BYTE : data.length;
  if (shortest > most) throw tooLarge('bytes of data of an instruction', most);
  if (typeof data !== 'string') return data;
  try {
    return utils.bytes.bs58.decode(data);
  } catch {
    throw new UnreadableTransactionError('malformed', 'the data of an instruction is no base58');
  }
}

/** Letters that a byte takes in base58, at most: log 256 / log 58. */
const BASE58_PER_BYTE = 1.3658;

function indexIn(keys: readonly Key[], index: number | undefined): number {
  if (index !== undefined && keys[index] !== undefined) return index;
  throw new UnreadableTransactionError('malformed', 'the transaction names an account that it does not list');
}

function isKey(key: Key, address: Address): boolean {
  if (typeof key === 'string') return key === address;
  return 'pubkey' in key ? isKey(key.pubkey, address) : knownAddress(key.toBytes()) === address;
}

function base58(key: Key): Address {
  if (typeof key !== 'string') return 'pubkey' in key ? base58(key.pubkey) : knownAddress(key.toBytes());
  try {
    return toAddress(key);
  } catch (error) {
    throw new UnreadableTransactionError('malformed', (error as Error).message);
  }
}

function tooLarge(what: string, most: number): UnreadableTransactionError {
  return new UnreadableTransactionError('too_large', `the transaction has more than ${most} ${what}`);
}
