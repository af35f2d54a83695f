import { MalformedTransaction, parseTransaction } from '../parse-transaction.ts';
import { priceOf } from '../read-instructions.ts';
import { COMPUTE_BUDGET } from '../runtime.ts';
import { invalidParams } from './rpc-error.ts';

const SET_LIMIT = 2;
const DEFAULT_UNITS = 200_000;

/** Lamports for a message in base64: 5,000 a signature, and what it bids for its compute units. */
export function parseMessageFee(base64: string): number {
  const message = Buffer.from(base64, 'base64');
  const signers = message[(message[0] ?? 0) & 0x80 ? 1 : 0] ?? 0;
  const head = Buffer.from([signers & 0x7f]);
  try {
    const transaction = parseTransaction(Buffer.concat([head, Buffer.alloc(64 * signers), message]));
    const { instructions, keys } = transaction;
    const others = instructions.filter((one) => keys[one.programIdIndex] !== COMPUTE_BUDGET);
    const limit = instructions.find(
      ({ programIdIndex, data }) => keys[programIdIndex] === COMPUTE_BUDGET && data[0] === SET_LIMIT,
    );
    const units = limit?.data.readUInt32LE(1) ?? DEFAULT_UNITS * others.length;
    return 5_000 * signers + Math.ceil((priceOf(transaction) * units) / 1_000_000);
  } catch (error) {
    if (error instanceof MalformedTransaction) throw invalidParams(error.message);
    throw error;
  }
}
