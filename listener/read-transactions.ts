import { type Address, toAddress } from '../programs-client/addresses.ts';
import { decodeEntries } from '../programs-client/decode-entries.ts';
import type { Entry } from '../programs-client/entries.ts';
import { readBase64Transaction } from '../programs-client/read-base64-transaction.ts';
import { verifyTransaction } from '../programs-client/verify-transaction.ts';
import type { ListedSignature, Node, ShownTransaction } from '../src/domain/chain/rpc/node.ts';
import type { Rpc } from '../src/domain/chain/rpc/rpc.ts';
import { RpcRefusal } from '../src/domain/chain/rpc/rpc-error.ts';
import type { Unusable } from '../src/domain/chain/sync/quarantine.ts';
import type { SeenTransaction } from '../src/domain/chain/sync/seen-transaction.ts';
import { sleep } from '../src/platform/retry.ts';

export type Read = { transactions: SeenTransaction[]; unusable: Unusable[] };
type Shown = ShownTransaction | RpcRefusal | null;

/** A node may list a signature a moment before it can show the transaction. */
const SHOW_AGAIN_MS = [100, 400];

/**
 * The transactions behind `listed`, in their order, read into what our program did in them. What a node does not show
 * after a moment, refuses, or shows otherwise than it was signed, is unusable.
 * @throws DomainError unavailable when no node answers
 */
export async function readTransactions(
  rpc: Rpc,
  programId: string,
  listed: readonly ListedSignature[],
): Promise<Read> {
  const shown = await showAll(rpc, listed);
  return readShown(programId, listed, shown);
}

/** The same from every node, each transaction from the first that shows it as it was signed: for what gave trouble. */
export async function readFromAny(
  rpc: Rpc,
  programId: string,
  listed: readonly ListedSignature[],
): Promise<Read> {
  if (listed.length === 0) return { transactions: [], unusable: [] };
  const answers = await rpc.askEach((node) => showSome(node, listed));
  const reads = answers.map((shown) => readShown(programId, listed, shown));
  const found = new Map(reads.flatMap((read) => read.transactions).map((one) => [one.signature, one]));
  const reasons = new Map(reads.flatMap((read) => read.unusable).map((one) => [one.listed.signature, one]));
  return {
    transactions: listed.flatMap(({ signature }) => found.get(signature) ?? []),
    unusable: listed.flatMap(({ signature }) => (found.has(signature) ? [] : (reasons.get(signature) ?? []))),
  };
}

function showSome(node: Node, listed: readonly ListedSignature[]): Promise<Shown[]> {
  return node.getTransactions(listed.map(({ signature }) => signature));
}

async function showAll(rpc: Rpc, listed: readonly ListedSignature[]): Promise<Shown[]> {
  const shown = await rpc.ask((node) => showSome(node, listed));
  for (const ms of SHOW_AGAIN_MS) {
    const missing = listed.filter((_, at) => shown[at] === null);
    if (missing.length === 0) break;
    await sleep(ms);
    const again = await rpc.ask((node) => showSome(node, missing));
    const byName = new Map(missing.map(({ signature }, at) => [signature, again[at] ?? null]));
    for (const [at, { signature }] of listed.entries()) shown[at] ??= byName.get(signature) ?? null;
  }
  return shown;
}

function readShown(programId: string, listed: readonly ListedSignature[], shown: readonly Shown[]): Read {
  const read: Read = { transactions: [], unusable: [] };
  for (const [at, one] of listed.entries()) {
    const found = shown[at] ?? null;
    try {
      if (found === null) throw new Error('no node shows it');
      if (found instanceof RpcRefusal) throw found;
      const { signature, blockTime } = one;
      const entries = readEntries(toAddress(programId), signature, found);
      const time = blockTime ?? found.blockTime;
      // The slot is that of the list where there is one: nodes may disagree for a moment.
      read.transactions.push({
        signature,
        slot: one.slot,
        blockTime: time ? new Date(time * 1_000) : null,
        entries,
      });
    } catch (error) {
      read.unusable.push({ listed: one, reason: (error as Error).message });
    }
  }
  return read;
}

/**
 * What our program did in a transaction, as a node shows it. Where that concerns tickets, who signed it is checked: a
 * node can withhold, but it cannot make up a holder's signature.
 * @throws Error when it cannot be read, or is not what was signed
 */
function readEntries(programId: Address, signature: string, shown: ShownTransaction): Entry[] {
  const transaction = readBase64Transaction(shown);
  const entries = decodeEntries(programId, transaction);
  if (entries.length === 0) return entries;
  const [first] = verifyTransaction(transaction.raw).signatures;
  if (first !== signature) throw new Error('the node shows another transaction than was asked for');
  return entries;
}
