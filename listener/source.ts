import type { ListedSignature } from '../src/domain/chain/rpc/node.ts';
import type { Unusable } from '../src/domain/chain/sync/quarantine.ts';
import type { SeenTransaction } from '../src/domain/chain/sync/seen-transaction.ts';

/** Everything of our program up to here was given out. */
export type Cursor = { signature: string; slot: number };

/** Some transactions of our program, in the order of the chain. */
export type SeenBatch = {
  transactions: SeenTransaction[];
  /** What cannot be fetched or read; the listener goes on without it. */
  unusable: Unusable[];
  /** The newest of the batch, failed ones too. */
  cursors: Cursor[];
  /** Given when everything up to this slot has been given out. */
  caughtUp?: number;
  /** The list ends after the cursor: what was between is not to be had, and accounts must tell. */
  hole?: boolean;
};

/**
 * Where transactions come from. This is all that the listener knows of it, so that the stream of a validator's plug-in
 * can take the place of RPC: every transaction that names our program, from a little before the cursor on, in the order
 * of the chain and at least once; one that comes late or again does no harm. The stream ends with `signal`, and throws
 * when it has to be opened anew from the last cursor that was kept.
 */
export type ChainSource = {
  follow(from: Cursor | undefined, signal: AbortSignal): AsyncGenerator<SeenBatch>;
  /** Fetches some by name, from whichever node can. */
  fetch(listed: readonly ListedSignature[]): Promise<Pick<SeenBatch, 'transactions' | 'unusable'>>;
  /** The newest slot that it heard of. */
  slot(): number;
};
