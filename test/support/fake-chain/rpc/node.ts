import type { Block } from '../block.ts';
import type { Dice } from '../dice.ts';
import type { Ledger } from '../ledger.ts';
import type { NodeFaults } from '../options.ts';
import type { View } from '../view.ts';
import { type Config, commitmentOf } from './params.ts';
import { tooFarAhead } from './rpc-error.ts';

/** One node: what it knows of the ledger, and its faults as they are now. */
export type Node = {
  name: string;
  ledger: Ledger;
  view: View;
  dice: Dice;
  /** Gives lamports as the faucet does, and says with which transaction. */
  airdrop(to: string, lamports: bigint): string;
  faults(): NodeFaults;
};

export type Method = (node: Node, params: unknown[]) => unknown;
export type Methods = { [name: string]: Method };

export const API_VERSION = '3.0.0';

/** The block that a call is answered from. Refuses a `minContextSlot` that the node has not reached. */
export function blockFor(node: Node, config: Config): Block {
  const block = node.view.block(commitmentOf(config));
  if (typeof config.minContextSlot === 'number' && block.slot < config.minContextSlot) {
    throw tooFarAhead(block.slot);
  }
  return block;
}

export function inContext<T>(block: Block, value: T) {
  return { context: { apiVersion: API_VERSION, slot: block.slot }, value };
}
