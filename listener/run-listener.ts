import { WrongGenesis } from '../src/domain/chain/rpc/rpc.ts';
import type { ListenerContext } from '../src/domain/chain/sync/listener-context.ts';
import { beat } from '../src/platform/heartbeat.ts';
import { lead } from '../src/platform/lead.ts';
import { sleep } from '../src/platform/retry.ts';
import { WrongChain } from './cluster.ts';
import { followChain } from './follow-chain.ts';
import { createProgress } from './progress.ts';

export type ListenerOptions = {
  wsUrl: string;
  signal: AbortSignal;
  newChain?: boolean;
  finalizeEveryMs?: number;
  /** How often the leader proves that it is there, and the others ask. */
  leadEveryMs?: number;
};

const RETRY_MS = 1_000;

/**
 * The listener, until `signal`. Of several processes one works, and the others stand by. Whatever is away, it waits and
 * tries again; only another chain ends it.
 * @throws WrongChain, WrongGenesis
 */
export async function runListener(ctx: ListenerContext, options: ListenerOptions): Promise<void> {
  const { signal, leadEveryMs } = options;
  const progress = createProgress();
  const ending = new AbortController();
  const running = AbortSignal.any([signal, ending.signal]);
  const standby = (): void => {
    progress.standsBy();
    ctx.metrics.listenerLeads.set(0);
  };

  async function whileLeading(held: AbortSignal): Promise<void> {
    progress.leads();
    ctx.metrics.listenerLeads.set(1);
    try {
      let newChain = options.newChain ?? false;
      while (!held.aborted) {
        try {
          await followChain(
            ctx,
            { ...options, newChain, progress, onOpened: () => (newChain = false) },
            held,
          );
        } catch (error) {
          if (error instanceof WrongChain || error instanceof WrongGenesis) throw error;
          if (!held.aborted) ctx.log.warn({ err: (error as Error).message }, 'cannot follow the chain yet');
          await sleep(RETRY_MS, held);
        }
      }
    } finally {
      standby();
    }
  }

  const lock = {
    ...{ db: ctx.db, log: ctx.log, signal: running, onStandby: standby },
    ...(leadEveryMs === undefined ? {} : { beatMs: leadEveryMs }),
  };
  const leading = lead(`listener ${ctx.programId}`, lock, whileLeading).finally(() => ending.abort());
  await Promise.all([
    expectChain(ctx),
    leading,
    beat('listener', { ...ctx, signal: running, details: progress.details }),
  ]);
}

/** One that stands by must not learn only when it is needed that its nodes are of another chain. */
async function expectChain(ctx: ListenerContext): Promise<void> {
  try {
    await ctx.rpc.genesis();
  } catch (error) {
    if (error instanceof WrongGenesis) throw error;
    ctx.log.warn({ err: (error as Error).message }, 'the chain does not answer yet');
  }
}
