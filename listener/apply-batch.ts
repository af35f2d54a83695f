import type { ListenerContext } from '../src/domain/chain/sync/listener-context.ts';
import { quarantine, releaseFromQuarantine, type Unusable } from '../src/domain/chain/sync/quarantine.ts';
import { recordTransactions, type Unrecorded } from '../src/domain/chain/sync/record-transactions.ts';
import { backoff, sleep } from '../src/platform/retry.ts';
import type { SeenBatch } from './source.ts';

type Work = Pick<SeenBatch, 'transactions' | 'unusable'>;

/** A transaction that cannot be recorded alone either is tried so often, and is then put aside. */
const TRIES = 3;
const TRY_AGAIN_MS = 500;

/**
 * Records a batch, and puts aside what cannot be used. However long the database or the chain is away, it tries again:
 * true once all of it is either recorded or noted as put aside, false when `signal` ended that.
 */
export async function applyBatch(
  ctx: ListenerContext,
  clusterId: string,
  batch: Work,
  signal: AbortSignal,
): Promise<boolean> {
  let left: readonly Unrecorded[] = batch.transactions.map((seen) => ({
    seen,
    error: new Error('not tried'),
  }));
  for (let tries = 1; left.length > 0 && tries <= TRIES; tries++) {
    const now = left.map(({ seen }) => seen);
    const failed = await untilAnswered(ctx, signal, () => recordTransactions(ctx, clusterId, now));
    if (failed === undefined) return false;
    for (const { seen, error } of failed)
      ctx.log.error({ signature: seen.signature, err: error }, 'cannot record a transaction');
    left = failed;
    if (left.length > 0) await sleep(TRY_AGAIN_MS, signal);
  }
  const aside = [...batch.unusable, ...left.map(asUnusable)];
  return (await untilAnswered(ctx, signal, () => quarantine(ctx, clusterId, aside))) !== undefined;
}

/** Tries what was put aside again, and lets go of what could be used. */
export async function applyAgain(ctx: ListenerContext, clusterId: string, batch: Work): Promise<void> {
  const unrecorded = await recordTransactions(ctx, clusterId, batch.transactions);
  await quarantine(ctx, clusterId, [...batch.unusable, ...unrecorded.map(asUnusable)]);
  const failed = new Set(unrecorded.map(({ seen }) => seen.signature));
  const used = batch.transactions.map(({ signature }) => signature).filter((name) => !failed.has(name));
  await releaseFromQuarantine(ctx, clusterId, used);
}

function asUnusable({ seen, error }: Unrecorded): Unusable {
  const { signature, slot, blockTime } = seen;
  const listed = { signature, slot, err: null, blockTime: blockTime && blockTime.getTime() / 1_000 };
  return { listed, reason: `cannot be recorded: ${error.message}` };
}

async function untilAnswered<T>(
  ctx: ListenerContext,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T | undefined> {
  for (let attempt = 1; !signal.aborted; attempt++) {
    try {
      return await work();
    } catch (error) {
      ctx.log.warn({ err: (error as Error).message }, 'cannot record now, trying again');
      await sleep(100 + backoff(attempt, 200, 5_000), signal);
    }
  }
  return undefined;
}
