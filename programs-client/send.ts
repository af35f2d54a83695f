/** Messages and signatures apart, so that signing can live elsewhere (a file, a KMS, an HSM). */
import type { TransactionInstruction } from '@solana/web3.js';
import { type Address, addressBytes, toAddress } from './addresses.ts';
import { knownBytes } from './known-bytes.ts';

/** The largest transaction the network takes, in bytes, signatures included. */
export const MAX_TRANSACTION_BYTES = 1232;

type Member = { bytes: Uint8Array; signer: boolean; writable: boolean };

/**
 * The message bytes that every signer signs: the bytes that web3.js' `TransactionMessage` compiles to, in a tenth of its
 * time, which it spends on base58. Throws a `RangeError` if no transaction can hold them.
 * @param blockhash in base58
 * @param version 'legacy' is two bytes shorter and understood everywhere; 0 is needed for lookup tables only
 */
export function compileMessage(
  instructions: TransactionInstruction[],
  payer: Address,
  blockhash: string,
  version: 'legacy' | 0 = 'legacy',
): Uint8Array {
  const members = ordered(membersOf(instructions, payer));
  const place = new Map(members.map(({ bytes }, at) => [nameOf(bytes), at]));
  const indexOf = (bytes: Uint8Array) => place.get(nameOf(bytes)) ?? 0;
  const count = (test: (member: Member) => boolean) => members.filter(test).length;
  const signers = count(({ signer }) => signer);
  const parts = [
    version === 0 ? [0x80] : [],
    [signers, count((one) => one.signer && !one.writable), count((one) => !one.signer && !one.writable)],
    length(members.length),
    ...members.map(({ bytes }) => bytes),
    addressBytes(toAddress(blockhash)),
    length(instructions.length),
    ...instructions.flatMap(({ programId, keys, data }) => [
      [indexOf(programId.toBytes())],
      length(keys.length),
      keys.map(({ pubkey }) => indexOf(pubkey.toBytes())),
      length(data.length),
      data,
    ]),
    version === 0 ? [0] : [],
  ];
  const message = Buffer.concat(
    parts.map((part) => (part instanceof Uint8Array ? part : Uint8Array.from(part))),
  );
  if (1 + 64 * signers + message.length > MAX_TRANSACTION_BYTES) {
    throw new RangeError(`the instructions do not fit into a transaction of ${MAX_TRANSACTION_BYTES} bytes`);
  }
  return Uint8Array.from(message);
}

/** Who has to sign a message, the fee payer first. Throws on bytes that are no legacy message nor one of version 0. */
export function requiredSigners(message: Uint8Array): Address[] {
  return signerKeys(message).map(toAddress);
}

/**
 * The transaction's bytes, ready to be sent. Throws if a required signature is missing or one has not 64 bytes.
 * @param signatures ed25519 signatures of the message, by signer
 */
export function attachSignatures(message: Uint8Array, signatures: Record<string, Uint8Array>): Uint8Array {
  const given = Object.entries(signatures).map(([signer, bytes]) => ({ key: knownBytes(signer), bytes }));
  const ordered = signerKeys(message).map((key) => {
    const signature = given.find((one) => Buffer.compare(one.key, key) === 0)?.bytes;
    if (signature?.length !== 64) throw new Error(`the signature of ${toAddress(key)} is missing`);
    return signature;
  });
  return new Uint8Array(Buffer.concat([Uint8Array.of(ordered.length), ...ordered, message]));
}

/** A message begins with its version, if it is not legacy, three counts, the first that of signers, and the keys. */
function signerKeys(message: Uint8Array): Uint8Array[] {
  const versioned = message[0] === 0x80 ? 1 : 0;
  const [signers = 0, , , members = 0] = message.subarray(versioned);
  const keysAt = versioned + 4;
  // As many members as one byte counts: a transaction has no room for more.
  if (signers === 0 || signers > members || members > 127 || message.length < keysAt + 32 * members + 33) {
    throw new Error('these bytes are no legacy message nor one of version 0');
  }
  return Array.from({ length: signers }, (_, at) => message.slice(keysAt + 32 * at, keysAt + 32 * (at + 1)));
}

/** Every account once, with the most that any instruction asks of it. */
function membersOf(instructions: TransactionInstruction[], payer: Address): Member[] {
  const members = new Map<string, Member>();
  const add = (bytes: Uint8Array, signer: boolean, writable: boolean) => {
    const name = nameOf(bytes);
    const known = members.get(name) ?? { bytes, signer: false, writable: false };
    members.set(name, { bytes, signer: known.signer || signer, writable: known.writable || writable });
  };
  add(addressBytes(payer), true, true);
  for (const { programId, keys } of instructions) {
    add(programId.toBytes(), false, false);
    for (const { pubkey, isSigner, isWritable } of keys) add(pubkey.toBytes(), isSigner, isWritable);
  }
  return [...members.values()];
}

/** Signers first, and within each half what is written to first. The payer stays in front. */
function ordered(members: Member[]): Member[] {
  const rank = ({ signer, writable }: Member) => (signer ? 0 : 2) + (writable ? 0 : 1);
  return members.toSorted((a, b) => rank(a) - rank(b));
}

/** Seven bits a byte, the lowest first. */
function length(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...length(value >> 7)];
}

function nameOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}
