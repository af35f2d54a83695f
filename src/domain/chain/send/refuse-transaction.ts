import { enqueueLater } from '../../../platform/outbox.ts';
import { backoff } from '../../../platform/retry.ts';
import { withTenant } from '../../../platform/tenant-tx.ts';
import type { Status } from '../rpc/node.ts';
import type { ChainContext } from './chain-context.ts';
import { classifyFailure } from './classify-failure.ts';
import { endTransaction } from './end-transaction.ts';
import { type Job, parkJob } from './park-job.ts';
import type { Pending } from './pending.ts';
import { messageToStartOver } from './start-over.ts';
import { failTransfer } from './transfer-on-chain.ts';

/** So often a job is derived anew from what the chain says; a program that still refuses means it. */
const DERIVATIONS = 5;
const FIRST_PAUSE_MS = 2_000;
const LONGEST_PAUSE_MS = 120_000;

/**
 * A transaction landed and failed. Another may have done the work meanwhile, or changed what it rested on, so the job
 * starts over from what the chain says now; it finds out by itself that nothing is left to do. Only what the program
 * refuses again and again for good ends: a transfer fails, the rest is parked.
 */
export async function refuseTransaction(
  ctx: ChainContext,
  pending: Pending,
  status: Pick<Status, 'err'> | null,
): Promise<void> {
  const { tenantId, purpose, signature, subjectId, ticketId, eventId, attempt } = pending;
  const failure = classifyFailure(status?.err);
  ctx.metrics.transactions.inc({ purpose, step: 'failed' });
  ctx.log.warn({ tenantId, purpose, signature, code: failure.code }, 'refused on chain');
  const final = failure.kind === 'never' && (purpose === 'transfer' || attempt >= DERIVATIONS);
  const now = ctx.clock.now();
  const pause = FIRST_PAUSE_MS + backoff(attempt, FIRST_PAUSE_MS, LONGEST_PAUSE_MS);
  const ended = await withTenant(ctx.db, tenantId, async (tx) => {
    if (!(await endTransaction(tx, pending, 'failed', failure.code))) return false;
    if (!final) {
      const messages = await messageToStartOver(tx, tenantId, pending);
      await enqueueLater(tx, now, messages, new Date(now.getTime() + pause));
    }
    return true;
  });
  if (!ended || !final || !ticketId || !eventId) return;
  if (purpose === 'transfer') return failTransfer(ctx, tenantId, subjectId, failure.code);
  await parkJob(
    ctx,
    tenantId,
    { purpose: purpose as Job['purpose'], subjectId, ticketId, eventId },
    failure.code,
  );
}
