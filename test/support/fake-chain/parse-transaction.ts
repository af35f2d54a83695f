import { encodeBase58, textOf } from './base58.ts';

export type Instruction = { programIdIndex: number; accounts: number[]; data: Buffer };
export type Lookup = { accountKey: string; writableIndexes: number[]; readonlyIndexes: number[] };
export type Header = {
  numRequiredSignatures: number;
  numReadonlySignedAccounts: number;
  numReadonlyUnsignedAccounts: number;
};

/** A transaction off the wire, with addresses and signatures in base58. */
export type Transaction = {
  bytes: Buffer;
  /** The first signature, which is the transaction's name. */
  signature: string;
  signatures: string[];
  /** Version 1 does not come off the wire here; only a stranger's listed transaction has it. */
  version: 'legacy' | 0 | 1;
  header: Header;
  keys: string[];
  blockhash: string;
  instructions: Instruction[];
  lookups: Lookup[];
};

/** Not the bytes of a transaction; the message is what Agave says. */
export class MalformedTransaction extends Error {}

/** The largest transaction, in bytes. */
export const MAX_BYTES = 1232;

/**
 * Takes a legacy or version 0 transaction apart. Stricter than it must be for us: the runtime below ends the whole
 * process on bytes that it cannot read.
 */
export function parseTransaction(bytes: Buffer): Transaction {
  const reader = new Reader(bytes);
  const signatures = reader.many(() => encodeBase58(reader.take(64)));
  const messageAt = reader.at;
  const version = versionAt(reader);
  const header = {
    numRequiredSignatures: reader.byte(),
    numReadonlySignedAccounts: reader.byte(),
    numReadonlyUnsignedAccounts: reader.byte(),
  };
  const keys = reader.many(() => textOf(reader.take(32)));
  const blockhash = textOf(reader.take(32));
  const instructions = reader.many(() => ({
    programIdIndex: reader.byte(),
    accounts: [...reader.take(reader.length())],
    data: reader.take(reader.length()),
  }));
  const lookups = version === 0 ? reader.many(() => readLookup(reader)) : [];
  const [signature = ''] = signatures;
  const transaction = { signature, signatures, version, header, keys, blockhash, instructions, lookups };
  sanitize(transaction, messageAt);
  return { ...transaction, bytes: bytes.subarray(0, reader.at) };
}

function versionAt(reader: Reader): 'legacy' | 0 {
  if (reader.peek() < 0x80) return 'legacy';
  const version = reader.byte() & 0x7f;
  if (version !== 0) throw malformed(`invalid value: integer \`${version}\`, expected a supported version`);
  return 0;
}

function readLookup(reader: Reader): Lookup {
  const accountKey = textOf(reader.take(32));
  const writableIndexes = [...reader.take(reader.length())];
  return { accountKey, writableIndexes, readonlyIndexes: [...reader.take(reader.length())] };
}

/** The rules of Agave's own `sanitize`, as far as no account has to be looked at. */
function sanitize(transaction: Omit<Transaction, 'bytes'>, messageAt: number): void {
  const { header, keys, instructions, signatures, lookups } = transaction;
  const looked = lookups.flatMap((one) => [...one.writableIndexes, ...one.readonlyIndexes]).length;
  const total = keys.length + looked;
  const sound =
    messageAt > 1 &&
    signatures.length === header.numRequiredSignatures &&
    header.numReadonlySignedAccounts < header.numRequiredSignatures &&
    header.numRequiredSignatures + header.numReadonlyUnsignedAccounts <= keys.length &&
    total <= 256 &&
    lookups.every((one) => one.writableIndexes.length + one.readonlyIndexes.length > 0) &&
    instructions.every(
      ({ programIdIndex, accounts }) =>
        programIdIndex > 0 && programIdIndex < keys.length && accounts.every((index) => index < total),
    );
  if (!sound) {
    throw new MalformedTransaction(
      'invalid transaction: Transaction failed to sanitize accounts offsets correctly',
    );
  }
}

class Reader {
  at = 0;
  private readonly bytes: Buffer;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  take(count: number): Buffer {
    if (this.at + count > this.bytes.length) throw malformed('io error: failed to fill whole buffer');
    this.at += count;
    return this.bytes.subarray(this.at - count, this.at);
  }

  byte(): number {
    return this.take(1)[0] ?? 0;
  }

  peek(): number {
    return this.bytes[this.at] ?? 0;
  }

  /** Seven bits a byte, the lowest first, three bytes at most, and never a byte more than needed. */
  length(): number {
    let value = 0;
    for (let place = 0; place < 3; place++) {
      const byte = this.byte();
      if (byte === 0 && place > 0) break;
      value |= (byte & 0x7f) << (7 * place);
      if (byte < 0x80) return value;
    }
    throw malformed('invalid length');
  }

  many<T>(read: () => T): T[] {
    return Array.from({ length: this.length() }, read);
  }
}

function malformed(why: string): MalformedTransaction {
  return new MalformedTransaction(
    `failed to deserialize solana_transaction::versioned::VersionedTransaction: ${why}`,
  );
}
