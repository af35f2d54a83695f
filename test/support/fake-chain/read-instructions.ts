import type { Transaction } from './parse-transaction.ts';
import { COMPUTE_BUDGET } from './runtime.ts';

const MEMOS = ['MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr', 'Memo1UhkJRfHyvLMcVucJwxXeuD728EqVDDwQDxFMNo'];
const SET_PRICE = 3;

/** The memos of a transaction as the signature list shows them; null without any. */
export function memoOf({ instructions, keys }: Transaction): string | null {
  const memos = instructions.filter((one) => MEMOS.includes(keys[one.programIdIndex] ?? ''));
  return memos.length === 0
    ? null
    : memos.map(({ data }) => `[${data.length}] ${data.toString('utf8')}`).join('; ');
}

/** What it bids for a compute unit, in millionths of a lamport. */
export function priceOf({ instructions, keys }: Transaction): number {
  const price = instructions.find(
    ({ programIdIndex, data }) =>
      keys[programIdIndex] === COMPUTE_BUDGET && data[0] === SET_PRICE && data.length === 9,
  );
  return price ? Number(price.data.readBigUInt64LE(1)) : 0;
}
