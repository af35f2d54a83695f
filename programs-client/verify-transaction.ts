import { createPublicKey, verify } from 'node:crypto';
import { utils } from '@coral-xyz/anchor';
import type { Address } from './addresses.ts';
import { hasSmallOrder } from './is-on-curve.ts';
import { knownAddress } from './known-address.ts';
import { readWireTransaction } from './read-wire-transaction.ts';
import { remembering } from './remembering.ts';
import { UnreadableTransactionError } from './unreadable-transaction-error.ts';

export type VerifiedTransaction = {
  /** In base58; the first is the transaction's name. */
  signatures: string[];
  /** Whose signatures these are, in the same order. The first pays the fee. */
  signers: Address[];
  /** All keys that stand in the message itself, the signers first. Those from lookup tables do not. */
  staticKeys: Address[];
  version: 'legacy' | 0 | 1;
};

/**
 * Proves that a transaction was signed by the keys that it names, whatever node has shown it: every signature is checked
 * over the message. That a cluster has run it, and with what outcome, this does not prove.
 * Throws an `UnreadableTransactionError`: `forged` if a signature is not that of its key, `malformed` or `too_large` on
 * bytes that no cluster takes for a transaction.
 * @param raw the transaction's bytes, signatures and message; `readBase64Transaction` has them
 */
export function verifyTransaction(raw: Uint8Array): VerifiedTransaction {
  const { transaction, message } = readWireTransaction(raw);
  requireCanonical(transaction.message, message);
  const staticKeys = transaction.message.staticAccountKeys.map((key) => key.toBytes());
  const { signatures, version } = transaction;
  signatures.forEach((signature, at) => {
    const key = staticKeys[at] as Uint8Array;
    if (!isSignedBy(key, message, signature)) {
      throw new UnreadableTransactionError('forged', `the signature of ${knownAddress(key)} is not its own`);
    }
  });
  const keys = staticKeys.map(knownAddress);
  return {
    signatures: signatures.map((one) => utils.bytes.bs58.encode(one)),
    signers: keys.slice(0, signatures.length),
    staticKeys: keys,
    version,
  };
}

/** web3.js reads over bytes behind a message and lengths that are longer than need be; clusters refuse both. */
function requireCanonical(
  parsed: ReturnType<typeof readWireTransaction>['transaction']['message'],
  message: Uint8Array,
): void {
  // Of version 1, whose lengths have one form, web3.js itself lets nothing remain.
  if (parsed.version === 1 || isWrittenAs(parsed, message)) return;
  throw new UnreadableTransactionError('malformed', 'the message is not what its content is written as');
}

function isWrittenAs(parsed: { serialize(): Uint8Array }, message: Uint8Array): boolean {
  try {
    return Buffer.compare(parsed.serialize(), message) === 0;
  } catch {
    // Longer than web3.js writes, and than clusters take.
    return false;
  }
}

/** Keys of small order are refused as clusters do: with such a key anybody can make signatures that fit, and
 * OpenSSL 3.0 (Node 20) takes them. */
function isSignedBy(key: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (hasSmallOrder(key) || hasSmallOrder(signature.subarray(0, 32))) return false;
  return verify(null, message, keyOf(key), signature);
}

/** What stands before the 32 bytes of an ed25519 key in its DER form. */
const SPKI_HEAD = Buffer.from('302a300506032b6570032100', 'hex');

/** Payers and authorities sign one transaction after another. */
const keyOf = remembering((key) =>
  createPublicKey({ key: Buffer.concat([SPKI_HEAD, key]), format: 'der', type: 'spki' }),
);
