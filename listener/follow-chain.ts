import { auditChain } from '../src/domain/chain/sync/audit-chain.ts';
import { finalizeTransactions, newFinalityState } from '../src/domain/chain/sync/finalize-transactions.ts';
import { findUnseen } from '../src/domain/chain/sync/find-unseen.ts';
import { isAuditDue } from '../src/domain/chain/sync/is-audit-due.ts';
import type { ListenerContext } from '../src/domain/chain/sync/listener-context.ts';
import { dueInQuarantine } from '../src/domain/chain/sync/quarantine.ts';
import { periodic } from '../src/platform/periodic.ts';
import { applyAgain, applyBatch } from './apply-batch.ts';
import { openCluster, saveCursor } from './cluster.ts';
import { gather } from './gather.ts';
import { measure } from './measure.ts';
import type { Progress } from './progress.ts';
import { createRpcSource } from './rpc-source.ts';
import type { Cursor } from './source.ts';
import { subscribe } from './subscribe.ts';

export type FollowOptions = {
  wsUrl: string;
  newChain: boolean;
  progress: Progress;
  /** The chain was recognised. */
  onOpened(): void;
  finalizeEveryMs?: number;
};

/** One transaction of the database takes so many, or what came within so long. */
const BATCH = { max: 500, waitMs: 50 };
/** What we sent and the log did not show after so long is asked for by name. */
const UNSEEN_AFTER_SECONDS = 5;
const AUDIT_EVERY_SECONDS = 3_600;

/**
 * Follows the chain from where the last one stopped: records, makes final, heals what was missed, until `signal`. What
 * has been given out is applied, or noted as put aside, before the cursor moves past it, so nothing is ever lost.
 */
export async function followChain(
  ctx: ListenerContext,
  options: FollowOptions,
  signal: AbortSignal,
): Promise<void> {
  const { wsUrl, newChain, progress, finalizeEveryMs = 1_000 } = options;
  const { log, programId, rpc } = ctx;
  const cluster = await openCluster(ctx, { newChain });
  options.onOpened();
  const ending = new AbortController();
  const until = AbortSignal.any([signal, ending.signal]);
  const hints = subscribe({ url: wsUrl, programId, log, signal: until });
  const source = createRpcSource(ctx, hints);
  progress.follows(() => source.slot());
  /** Applied, and not yet known to be final; the oldest first. */
  const applied: Cursor[] = [];
  const finality = newFinalityState();
  let auditNow = cluster.pruned;
  let synced = false;

  async function follow(): Promise<void> {
    for await (const batch of gather(source.follow(cluster.cursor, until), BATCH)) {
      if (!(await applyBatch(ctx, cluster.id, batch, until))) return;
      await ctx.failpoints.hit('listener.applied');
      // One that came late is older than what is applied already, and takes the cursor nowhere.
      for (const cursor of batch.cursors)
        if (cursor.slot >= (applied.at(-1)?.slot ?? 0)) applied.push(cursor);
      if (batch.hole) auditNow = true;
      if (batch.caughtUp === undefined) continue;
      synced = true;
      progress.caughtUp(batch.caughtUp);
      ctx.metrics.listenerSlot.set({ commitment: 'confirmed' }, batch.caughtUp);
    }
  }

  async function settle(): Promise<void> {
    const finalized = await finalSlot();
    ctx.metrics.listenerSlot.set({ commitment: 'finalized' }, finalized);
    await finalizeTransactions(ctx, cluster.id, finalized, finality);
    const last = applied.findLastIndex(({ slot }) => slot <= finalized);
    const [cursor] = last < 0 ? [] : applied.splice(0, last + 1).slice(-1);
    if (cursor) await saveCursor(ctx, cluster, cursor);
  }

  /** Of several nodes the one that says most is not believed alone. */
  async function finalSlot(): Promise<number> {
    const slots = await rpc.askEach((node) => node.getSlot('finalized'));
    const descending = slots.sort((a, b) => b - a);
    return descending[1] ?? descending[0] ?? 0;
  }

  async function retryQuarantined(): Promise<void> {
    const due = await dueInQuarantine(ctx, cluster.id);
    if (due.length > 0) await applyAgain(ctx, cluster.id, await source.fetch(due));
  }

  /** Lists have holes: what we sent is asked for by name too. */
  async function findMissed(): Promise<void> {
    if (!synced) return;
    const unseen = await findUnseen(ctx, UNSEEN_AFTER_SECONDS);
    if (unseen.length === 0) return;
    log.warn({ count: unseen.length }, 'the list of signatures left out what we sent');
    const { transactions } = await source.fetch(unseen);
    await applyAgain(ctx, cluster.id, { transactions, unusable: [] });
  }

  async function audit(): Promise<void> {
    if (!auditNow && !(synced && (await isAuditDue(ctx, cluster.id, AUDIT_EVERY_SECONDS)))) return;
    const found = await auditChain(ctx, cluster.id, until);
    auditNow = false;
    log.info(found, 'compared all tickets with the chain');
  }

  function lag(): void {
    const { lagSlots = 0, lagSeconds = 0 } = progress.details();
    ctx.metrics.listenerLag.set(Number(lagSlots));
    ctx.metrics.listenerLagSeconds.set(Number(lagSeconds));
  }

  const every = (name: string, everyMs: number, task: () => Promise<void>) =>
    periodic(name, { everyMs, log, signal: until }, task);
  try {
    await Promise.all([
      follow().finally(() => ending.abort()),
      every('finality', finalizeEveryMs, settle),
      every('quarantine', 1_000, retryQuarantined),
      every('missed transactions', 2_000, findMissed),
      every('audit', 5_000, audit),
      every('measuring', 10_000, async () => {
        lag();
        await measure(ctx);
      }),
    ]);
  } finally {
    ending.abort();
  }
}
