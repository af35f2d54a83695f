import { VersionedTransaction } from '@solana/web3.js';
import { toAddress } from '../programs-client/addresses.ts';
import { decodeEntries } from '../programs-client/decode-entries.ts';
import type { ListedSignature } from '../src/domain/chain/rpc/node.ts';
import { RpcRefusal } from '../src/domain/chain/rpc/rpc-error.ts';
import type { ListenerContext } from '../src/domain/chain/sync/listener-context.ts';
import type { SeenTransaction } from '../src/domain/chain/sync/record-transaction.ts';
import { RetryableError } from '../src/platform/errors.ts';
import { sleep } from '../src/platform/retry.ts';
import { backfill, type Cursor } from './backfill.ts';
import type { Cluster } from './cluster.ts';
import type { Hints } from './subscribe.ts';

/** Fetch at least this often, whether or not the socket said anything. */
const POLL_MS = 10_000;
const RETRY_MS = 1_000;

export type Followed =
  | { kind: 'transaction'; transaction: SeenTransaction; cursor: Cursor }
  | { kind: 'passed_over'; cursor: Cursor }
  /** Everything up to `slot` has been given out. */
  | { kind: 'caught_up'; slot: number };

/**
 * Every transaction of our program after the cluster's cursor, each once and in order: first what was missed, then what
 * comes. Live and back-fill are one road: a notification only shortens the wait for the next fetch.
 */
export async function* follow(
  ctx: ListenerContext,
  cluster: Cluster,
  hints: Hints,
  signal: AbortSignal,
): AsyncGenerator<Followed> {
  let cursor = cluster.cursor;
  while (!signal.aborted) {
    let slot: number;
    let infos: ListedSignature[];
    try {
      slot = await ctx.rpc.ask((node) => node.getSlot('confirmed'));
      infos = await backfill(ctx.rpc, ctx.programId, cursor);
    } catch (error) {
      ctx.log.warn({ err: (error as Error).message }, 'cannot fetch from the chain');
      await sleep(RETRY_MS, signal);
      continue;
    }
    for (const info of infos) {
      const next = { signature: info.signature, slot: info.slot };
      if (info.err) yield { kind: 'passed_over', cursor: next };
      else
        yield {
          kind: 'transaction',
          transaction: await fetchUntilThere(ctx, cluster, info, signal),
          cursor: next,
        };
      if (signal.aborted) return;
      cursor = next;
    }
    yield { kind: 'caught_up', slot };
    if (infos.length === 0) await hints.next(POLL_MS);
  }
}

/** A node may list a signature before it can show the transaction. */
async function fetchUntilThere(
  ctx: ListenerContext,
  cluster: Cluster,
  info: ListedSignature,
  signal: AbortSignal,
): Promise<SeenTransaction> {
  for (;;) {
    try {
      return await fetchTransaction(ctx, cluster, info);
    } catch (error) {
      if (signal.aborted) throw error;
      ctx.log.warn(
        { signature: info.signature, err: (error as Error).message },
        'a transaction is not there yet',
      );
      await sleep(RETRY_MS, signal);
    }
  }
}

async function fetchTransaction(
  ctx: ListenerContext,
  cluster: Cluster,
  info: ListedSignature,
): Promise<SeenTransaction> {
  const { signature, slot, blockTime } = info;
  const [shown] = await ctx.rpc.ask((node) => node.getTransactions([signature]));
  if (shown instanceof RpcRefusal) throw shown;
  if (!shown) throw new RetryableError('the node does not show it');
  const entries = decodeEntries(toAddress(ctx.programId), {
    meta: shown.meta,
    transaction: VersionedTransaction.deserialize(Buffer.from(shown.transaction[0], 'base64')),
  });
  return {
    clusterId: cluster.id,
    signature,
    slot,
    blockTime: blockTime ? new Date(blockTime * 1000) : null,
    entries,
  };
}
