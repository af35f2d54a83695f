import type { ListenerContext } from '../src/domain/chain/sync/listener-context.ts';
import { readChainStatus } from '../src/domain/chain/sync/read-chain-status.ts';

/** Sets the gauges of /metrics to what `chain:status` would show. */
export async function measure(ctx: ListenerContext): Promise<void> {
  const { metrics } = ctx;
  const status = await readChainStatus(ctx.db, ctx.programId);
  metrics.chainBacklog.set({ state: 'waiting' }, status.backlog.waiting);
  metrics.chainBacklog.set({ state: 'parked' }, status.backlog.parked);
  metrics.chainBacklogAge.set(status.backlog.oldestSeconds ?? 0);
  for (const name of ['prepared', 'submitted', 'confirmed'] as const)
    metrics.chainPending.set({ status: name }, status.pending[name]);
  metrics.chainPendingAge.set(status.pending.oldestSeconds ?? 0);
  metrics.chainAttempts.set(status.pending.highestAttempt);
  metrics.chainQuarantine.set({ state: 'tried' }, status.quarantine.tried);
  metrics.chainQuarantine.set({ state: 'given_up' }, status.quarantine.givenUp);
  metrics.chainOrphans.set(status.orphans);
  if (status.audit) {
    for (const kind of ['corrected', 'missing', 'unknown', 'undecided'] as const)
      metrics.chainAudit.set({ kind }, status.audit[kind]);
    metrics.chainAuditAge.set(status.audit.ageSeconds);
  }
  for (const { name, state } of ctx.rpc.health())
    metrics.chainNode.set({ node: name }, state === 'well' ? 1 : 0);
}
