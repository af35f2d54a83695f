import { expect } from 'vitest';
import type { Actor } from '../../program/support/actors.ts';
import type { Json, RawRpc } from '../raw-rpc.ts';

export type ContractChain = { rpcUrl: string; wsUrl: string; stop(): void | Promise<void> };

/** What the parts of the contract work with; the node is there once the tests run. */
export type ContractWorld = {
  rpc: RawRpc;
  wsUrl(): string;
  /** Held to the word of Agave, or to what the embedded runtime has in common with it. */
  agave: boolean;
  /** Its name is in every key, so that a chain can be held to the contract again. */
  run: string;
  /** Has money. */
  alice: Actor;
  bob: Actor;
};

export const CONFIRMED = { commitment: 'confirmed' };
export const BASE64 = { ...CONFIRMED, encoding: 'base64' };
export const UNKNOWN_SIGNATURE = '1'.repeat(64);
export const UNKNOWN_HASH = '1'.repeat(32);
/** A slot that no chain of a test reaches. */
export const FAR = 9_999_999_999;

export const number = expect.any(Number);
export const text = expect.any(String);
export const context = expect.objectContaining({ slot: number });

/** The transaction, once the node has it in its history. */
export function shown(rpc: RawRpc, signature: string, options: object = {}): Promise<Json> {
  const config = { ...CONFIRMED, maxSupportedTransactionVersion: 0, ...options };
  return rpc.until('the transaction', 'getTransaction', [signature, config], (found) => found !== null);
}
