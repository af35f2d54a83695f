import { VersionedTransaction } from '@solana/web3.js';
import { UnreadableTransactionError } from './unreadable-transaction-error.ts';

/** The largest there is: version 1 allows 4096 bytes, the others 1232. */
export const MOST_WIRE_BYTES = 4096;
const VERSION_1 = 0x81;

/**
 * A transaction as it went over the wire, of any version that web3.js knows (legacy, 0 and 1), with the bytes that its
 * signers signed. Throws an `UnreadableTransactionError` on bytes that are none, and on more than there can be.
 */
export function readWireTransaction(raw: Uint8Array): {
  transaction: VersionedTransaction;
  message: Uint8Array;
} {
  if (raw.length > MOST_WIRE_BYTES) {
    throw new UnreadableTransactionError('too_large', `a transaction has ${MOST_WIRE_BYTES} bytes at most`);
  }
  const transaction = parsed(raw);
  const count = transaction.signatures.length;
  // Version 1 has its signatures behind the message, the others in front of it, after their number.
  const isVersion1 = raw[0] === VERSION_1;
  const keys = transaction.message.staticAccountKeys.length;
  if (count === 0 || count > keys || (!isVersion1 && raw[0] !== count)) {
    throw new UnreadableTransactionError('malformed', 'the transaction has other signatures than signers');
  }
  const message = isVersion1 ? raw.slice(0, raw.length - 64 * count) : raw.slice(1 + 64 * count);
  return { transaction, message };
}

function parsed(raw: Uint8Array): VersionedTransaction {
  try {
    return VersionedTransaction.deserialize(raw);
  } catch (error) {
    const why = (error as Error).message;
    throw new UnreadableTransactionError('malformed', `these bytes are no transaction: ${why}`);
  }
}
