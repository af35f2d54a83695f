import type { TransactionLike } from './flatten-transaction.ts';
import { MOST_WIRE_BYTES, readWireTransaction } from './read-wire-transaction.ts';
import { UnreadableTransactionError } from './unreadable-transaction-error.ts';

/** What `getTransaction` answers with encoding base64: the bytes that were signed, and the outcome as JSON. */
export type Base64Transaction = {
  transaction: readonly [base64: string, encoding: string];
  meta: TransactionLike['meta'];
};

/**
 * Such an answer in the form that `decodeEntries` takes, with the bytes for `verifyTransaction`. The message is what the
 * bytes say; loaded addresses, inner instructions and logs are what the node says.
 * Throws an `UnreadableTransactionError` on bytes that are no transaction that web3.js knows (legacy, 0 or 1).
 */
export function readBase64Transaction({ transaction, meta }: Base64Transaction): TransactionLike & {
  raw: Uint8Array;
} {
  const [base64, encoding] = transaction;
  if (encoding !== 'base64') {
    throw new UnreadableTransactionError('malformed', `the encoding is ${encoding}, not base64`);
  }
  if (base64.length > Math.ceil(MOST_WIRE_BYTES / 3) * 4) {
    throw new UnreadableTransactionError('too_large', `a transaction has ${MOST_WIRE_BYTES} bytes at most`);
  }
  const raw = new Uint8Array(Buffer.from(base64, 'base64'));
  const { staticAccountKeys, compiledInstructions } = readWireTransaction(raw).transaction.message;
  return { transaction: { message: { staticAccountKeys, compiledInstructions } }, meta, raw };
}
