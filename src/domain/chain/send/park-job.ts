import type { TenantId } from '../../../platform/ids.ts';
import { withTenant } from '../../../platform/tenant-tx.ts';
import type { ChainContext } from './chain-context.ts';

export type Job = {
  purpose: 'mint' | 'transfer' | 'revoke' | 'check_in';
  subjectId: string;
  ticketId: string;
  eventId: string;
};

/** Keeps what the program refuses for good, with the reason, where people see it and `resumeParked` finds it. */
export async function parkJob(
  ctx: ChainContext,
  tenantId: TenantId,
  job: Job,
  reason: string,
): Promise<void> {
  const { purpose, subjectId, ticketId, eventId } = job;
  ctx.log.error({ tenantId, purpose, ticketId, reason }, 'a job on the chain is parked');
  ctx.metrics.transactions.inc({ purpose, step: 'parked' });
  const now = ctx.clock.now();
  await withTenant(ctx.db, tenantId, async (tx) => {
    await tx
      .insertInto('parked_jobs')
      .values({
        tenant_id: tenantId,
        purpose,
        subject_id: subjectId,
        ticket_id: ticketId,
        event_id: eventId,
        reason,
        parked_at: now,
        checked_at: now,
      })
      .onConflict((conflict) =>
        conflict.columns(['tenant_id', 'purpose', 'subject_id']).doUpdateSet({ reason, checked_at: now }),
      )
      .execute();
    if (purpose !== 'mint') return;
    await tx
      .updateTable('tickets')
      .set({ blockchain_sync_status: 'parked', updated_at: now })
      .where('tenant_id', '=', tenantId)
      .where('id', '=', ticketId)
      .where('status', 'in', ['sold', 'minting', 'checked_in'])
      .where('chain_version', 'is', null)
      .execute();
  });
}
