import { bytesOf } from '../base58.ts';
import type { Landed } from '../block.ts';
import { parseMessageFee } from './message-fee.ts';
import { blockFor, inContext, type Methods } from './node.ts';
import { addressOf, configAt, numberAt, textAt, textsAt } from './params.ts';
import { invalidParams, isBehind, RpcError } from './rpc-error.ts';

const SLOTS_IN_EPOCH = 432_000;
const FEE_SLOTS = 150;

/** What is asked of the chain as a whole. */
export const slotMethods: Methods = {
  getHealth(node) {
    const { behind } = node.faults();
    if (behind) throw isBehind(behind);
    return 'ok';
  },
  getVersion: () => ({ 'feature-set': 128318206, 'solana-core': '3.0.0' }),
  getGenesisHash: (node) => node.faults().genesisHash ?? node.ledger.genesisHash,
  getIdentity: () => ({ identity: 'FakeNode11111111111111111111111111111111111' }),
  getSlot: (node, params) => blockFor(node, configAt(params, 0)).slot,
  getBlockHeight: (node, params) => blockFor(node, configAt(params, 0)).height,
  getTransactionCount: (node, params) => blockFor(node, configAt(params, 0)).transactionCount,
  getFirstAvailableBlock: (node) => node.faults().historyFrom ?? 0,
  minimumLedgerSlot: (node) => node.faults().historyFrom ?? 0,
  getEpochInfo(node, params) {
    const { slot, height, transactionCount } = blockFor(node, configAt(params, 0));
    const epoch = Math.floor(slot / SLOTS_IN_EPOCH);
    const slotIndex = slot % SLOTS_IN_EPOCH;
    const inEpoch = { epoch, slotIndex, slotsInEpoch: SLOTS_IN_EPOCH };
    return { absoluteSlot: slot, blockHeight: height, ...inEpoch, transactionCount };
  },
  getBlockTime(node, params) {
    const slot = numberAt(params, 0);
    const block = node.ledger.blockUpTo(slot);
    if (slot > node.view.block('processed').slot || slot < (node.faults().historyFrom ?? 0)) {
      throw new RpcError(-32004, `Block not available for slot ${slot}`);
    }
    if (block.slot !== slot) {
      throw new RpcError(
        -32007,
        `Slot ${slot} was skipped, or missing due to ledger jump to recent snapshot`,
      );
    }
    return block.time;
  },
  getLatestBlockhash(node, params) {
    const block = blockFor(node, configAt(params, 0));
    const lastValidBlockHeight = block.height + node.ledger.rules.blockhashBlocks;
    return inContext(block, { blockhash: block.hash, lastValidBlockHeight });
  },
  isBlockhashValid(node, params) {
    const blockhash = textAt(params, 0);
    if (bytesOf(blockhash) === undefined) throw invalidParams('WrongSize');
    const block = blockFor(node, configAt(params, 1));
    return inContext(block, node.ledger.ageOf(blockhash, block.height) !== undefined);
  },
  getFeeForMessage(node, params) {
    const block = blockFor(node, configAt(params, 1));
    return inContext(block, parseMessageFee(textAt(params, 0)));
  },
  /** Of each slot that has transactions, the least that got in, and the least that got in to write to the accounts asked for. */
  getRecentPrioritizationFees(node, params) {
    const addresses = params[0] === undefined ? [] : textsAt(params, 0, 128).map(addressOf);
    const { height } = node.view.block('processed');
    const set = node.faults().prioritizationFee;
    const blocks = node.ledger.blocks.slice(Math.max(1, height - FEE_SLOTS + 1), height + 1);
    return blocks
      .filter(({ landed }) => landed.length > 0)
      .map(({ slot, landed }) => ({ prioritizationFee: set ?? leastPrice(landed, addresses), slot }));
  },
};

function leastPrice(landed: Landed[], addresses: string[]): number {
  const writers = addresses.map((address) => landed.filter(({ keys }) => keys.writable.includes(address)));
  const groups = [landed, ...writers].filter((group) => group.length > 0);
  return Math.max(...groups.map((group) => Math.min(...group.map(({ price }) => price))));
}
