import type { Transaction } from './parse-transaction.ts';
import type { TransactionError } from './transaction-error.ts';
import type { TransactionKeys } from './transaction-keys.ts';

export type Block = {
  slot: number;
  /** Blocks before it; smaller than the slot by those that were skipped or dropped. */
  height: number;
  parentSlot: number;
  hash: string;
  /** Unix seconds. */
  time: number;
  landed: Landed[];
  /** Accounts that changed in it. */
  touched: Set<string>;
  /** Transactions in it and all before it. */
  transactionCount: number;
};

/** A transaction in a block. */
export type Landed = {
  transaction: Transaction;
  keys: TransactionKeys;
  slot: number;
  height: number;
  blockTime: number;
  effect: Effect;
  memo: string | null;
  /** Lamports per million compute units. */
  price: number;
  /** It was told of and never run. */
  told?: boolean;
  /** A signature that every list names and no node ever shows. */
  hidden?: boolean;
};

export type InnerInstructions = {
  index: number;
  instructions: { programIdIndex: number; accounts: number[]; data: Buffer; stackHeight: number }[];
};

export type TokenBalance = {
  accountIndex: number;
  mint: string;
  owner: string;
  programId: string;
  uiTokenAmount: { amount: string; decimals: number; uiAmount: number | null; uiAmountString: string };
};

/** What a transaction did, as the meta of `getTransaction` has it. */
export type Effect = {
  err: TransactionError | null;
  fee: number;
  units: number;
  logs: string[];
  inner: InnerInstructions[];
  returnData: { programId: string; data: Buffer } | undefined;
  preBalances: bigint[];
  postBalances: bigint[];
  preTokenBalances: TokenBalance[];
  postTokenBalances: TokenBalance[];
};
