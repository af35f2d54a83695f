import { finalizeTransactions } from '../src/domain/chain/sync/finalize-transactions.ts';
import type { ListenerContext } from '../src/domain/chain/sync/listener-context.ts';
import { recordTransaction } from '../src/domain/chain/sync/record-transaction.ts';
import { beat } from '../src/platform/heartbeat.ts';
import { periodic } from '../src/platform/periodic.ts';
import { sleep } from '../src/platform/retry.ts';
import type { Cursor } from './backfill.ts';
import { type Cluster, openCluster, saveCursor } from './cluster.ts';
import { follow } from './follow.ts';
import { subscribe } from './subscribe.ts';

export type ListenerOptions = {
  wsUrl: string;
  signal: AbortSignal;
  newChain?: boolean;
  finalizeEveryMs?: number;
};

/**
 * The listener: follows the chain, records, and makes final, until `signal`. A transaction that cannot be recorded is
 * tried again before any later one, so nothing is ever skipped.
 */
export async function runListener(ctx: ListenerContext, options: ListenerOptions): Promise<void> {
  const { wsUrl, signal, newChain = false, finalizeEveryMs = 1_000 } = options;
  const { log, programId } = ctx;
  const cluster = await openCluster(ctx, { newChain });
  const hints = subscribe({ url: wsUrl, programId, log, signal });
  /** Applied, and not yet known to be final; the oldest first. */
  const applied: Cursor[] = [];
  let syncedSlot = 0;

  async function run(): Promise<void> {
    for await (const followed of follow(ctx, cluster, hints, signal)) {
      if (followed.kind === 'caught_up') {
        syncedSlot = followed.slot;
        ctx.metrics.listenerSlot.set({ commitment: 'confirmed' }, followed.slot);
        continue;
      }
      if (followed.kind === 'transaction') await untilRecorded(ctx, followed.transaction, signal);
      if (signal.aborted) return;
      applied.push(followed.cursor);
    }
  }

  await Promise.all([
    run(),
    periodic('finality', { everyMs: finalizeEveryMs, log, signal }, async () => {
      await finalizeTransactions(ctx, cluster.id);
      await moveCursor(ctx, cluster, applied);
    }),
    beat('listener', {
      ...ctx,
      signal,
      details: () => ({ slot: hints.slot(), lagSlots: Math.max(0, hints.slot() - syncedSlot) }),
    }),
  ]);
}

async function untilRecorded(
  ctx: ListenerContext,
  transaction: Parameters<typeof recordTransaction>[1],
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      return await recordTransaction(ctx, transaction);
    } catch (error) {
      ctx.log.error(
        { signature: transaction.signature, err: error },
        'cannot record a transaction, trying again',
      );
      await sleep(1_000, signal);
    }
  }
}

async function moveCursor(ctx: ListenerContext, cluster: Cluster, applied: Cursor[]): Promise<void> {
  if (applied.length === 0) return;
  const finalized = await ctx.rpc.ask((node) => node.getSlot('finalized'));
  ctx.metrics.listenerSlot.set({ commitment: 'finalized' }, finalized);
  const last = applied.findLastIndex((cursor) => cursor.slot <= finalized);
  if (last < 0) return;
  const [cursor] = applied.splice(0, last + 1).slice(-1);
  if (cursor) await saveCursor(ctx, cluster, cursor);
}
