import type { Landed } from '../block.ts';
import { encodeTransaction } from './encode-transaction.ts';
import { blockFor, inContext, type Methods, type Node } from './node.ts';
import { addressOf, configAt, settledCommitment, signatureOf, textAt, textsAt } from './params.ts';
import { invalidParams } from './rpc-error.ts';

/** Without `searchTransactionHistory` a node looks at the newest slots only. */
const REMEMBERED_SLOTS = 300;
const LONGEST_LIST = 1_000;
const MOST_CONFIRMATIONS = 31;

/** What is asked of transactions that landed. */
export const historyMethods: Methods = {
  getSignatureStatuses(node, params) {
    const signatures = textsAt(params, 0, 256).map(signatureOf);
    const deep = configAt(params, 1).searchTransactionHistory === true;
    const processed = node.view.block('processed');
    return inContext(
      processed,
      signatures.map((signature) => {
        const landed = known(node, signature);
        if (landed === undefined || denies(node, 'noStatus', landed)) return null;
        if (!deep && landed.slot <= processed.slot - REMEMBERED_SLOTS) return null;
        return statusOf(node, landed, processed.height);
      }),
    );
  },
  getSignaturesForAddress(node, params) {
    const address = addressOf(textAt(params, 0));
    const config = configAt(params, 1);
    const {
      limit = LONGEST_LIST,
      before,
      until,
    } = config as { limit?: number; before?: string; until?: string };
    if (limit < 1 || limit > LONGEST_LIST) throw invalidParams(`Invalid limit; max ${LONGEST_LIST}`);
    const { slot: newest } = blockFor(node, { ...config, commitment: settledCommitment(config) });
    const page = pageOf(node, address, {
      newest,
      limit,
      before: before ?? undefined,
      until: until ?? undefined,
    });
    return page.map((landed) => ({
      blockTime: landed.blockTime,
      confirmationStatus: node.view.reached(landed.slot),
      err: landed.effect.err,
      memo: landed.memo,
      signature: landed.transaction.signature,
      slot: landed.slot,
    }));
  },
  getTransaction(node, params) {
    const signature = signatureOf(textAt(params, 0));
    const config = typeof params[1] === 'string' ? { encoding: params[1] } : configAt(params, 1);
    const commitment = settledCommitment(config);
    const landed = known(node, signature);
    if (landed === undefined || landed.slot > node.view.block(commitment).slot) return null;
    if (landed.hidden || denies(node, 'noTransaction', landed)) return null;
    return encodeTransaction(landed, config);
  },
};

/** Newest first: what lists `address`, below `before` and above `until`. An unknown `before` ends it, an unknown `until` does not. */
function pageOf(
  node: Node,
  address: string,
  options: { newest: number; limit: number; before: string | undefined; until: string | undefined },
): Landed[] {
  const { newest, limit, before, until } = options;
  const all = node.ledger.index.naming(address);
  const page: Landed[] = [];
  let at = all.length - 1;
  if (before !== undefined) {
    const from = known(node, signatureOf(before));
    if (from === undefined) return [];
    at = placeBelow(all, from, address);
  }
  const last = until === undefined ? undefined : known(node, signatureOf(until));
  for (; at >= 0 && page.length < limit; at--) {
    const landed = all[at];
    if (landed === undefined || !isKept(node, landed) || landed === last) break;
    if (last !== undefined && landed.slot < last.slot) break;
    if (landed.slot > newest) continue;
    if (node.dice.always('hiddenSlot', `${node.name} ${landed.slot}`, node.faults().lies?.hiddenSlots))
      continue;
    page.push(landed);
  }
  return page;
}

/** Where what is older than `from` starts; `from` itself may list other accounts. */
function placeBelow(all: readonly Landed[], from: Landed, address: string): number {
  if (from.keys.all.includes(address)) return all.lastIndexOf(from) - 1;
  return all.findLastIndex((one) => one.slot < from.slot);
}

function statusOf(node: Node, landed: Landed, height: number) {
  const { err } = landed.effect;
  const confirmationStatus = node.view.reached(landed.slot);
  const confirmations =
    confirmationStatus === 'finalized' ? null : Math.min(MOST_CONFIRMATIONS, height - landed.height);
  return {
    confirmationStatus,
    confirmations,
    err,
    slot: landed.slot,
    status: err ? { Err: err } : { Ok: null },
  };
}

/** What the node has heard of and not forgotten yet. */
function known(node: Node, signature: string): Landed | undefined {
  const landed = node.ledger.index.find(signature);
  if (landed === undefined || node.view.reached(landed.slot) === undefined) return undefined;
  return isKept(node, landed) ? landed : undefined;
}

function isKept(node: Node, { slot }: Landed): boolean {
  return slot >= (node.faults().historyFrom ?? 0);
}

function denies(node: Node, lie: 'noStatus' | 'noTransaction', { slot, transaction }: Landed): boolean {
  const { lies } = node.faults();
  if (lies?.deniesConfirmed && node.view.reached(slot) !== 'finalized') return true;
  return node.dice.happens(lie, `${node.name} ${transaction.signature}`, lies?.[lie]);
}
