import { sql } from 'kysely';
import { toTenantId } from '../../../platform/ids.ts';
import { enqueue } from '../../../platform/outbox.ts';
import { withSystem, withTenant } from '../../../platform/tenant-tx.ts';
import type { ChainContext } from './chain-context.ts';
import type { Job } from './park-job.ts';
import { messageToStartOver } from './start-over.ts';

const BATCH = 500;
/** How often a parked job looks by itself whether its cause is gone. */
export const LOOK_EVERY_MS = 600_000;

/**
 * Lets jobs go that have been parked for `olderThanMs`, and asks for them again. Each is made with care: one that the
 * program still refuses costs nothing and is parked anew, the others go on. Returns how many were asked for.
 */
export async function resumeParked(
  ctx: Pick<ChainContext, 'db' | 'relay' | 'clock' | 'log'>,
  { olderThanMs }: { olderThanMs: number },
): Promise<number> {
  const now = ctx.clock.now();
  const due = await withSystem(ctx.relay, (tx) =>
    tx
      .selectFrom('parked_jobs')
      .select(['tenant_id', 'purpose', 'subject_id'])
      .where('checked_at', '<=', new Date(now.getTime() - olderThanMs))
      .orderBy('checked_at')
      .limit(BATCH)
      .execute(),
  );
  for (const [tenant, rows] of Map.groupBy(due, (row) => row.tenant_id)) {
    const tenantId = toTenantId(tenant);
    await withTenant(ctx.db, tenantId, async (tx) => {
      for (const { purpose, subject_id: subjectId } of rows) {
        const row = await tx
          .deleteFrom('parked_jobs')
          .where('tenant_id', '=', tenantId)
          .where('purpose', '=', purpose)
          .where('subject_id', '=', subjectId)
          .returning('ticket_id')
          .executeTakeFirst();
        if (!row) continue;
        await sql`update tickets set blockchain_sync_status = 'none', updated_at = ${now}
          where tenant_id = ${tenantId} and id = ${row.ticket_id} and blockchain_sync_status = 'parked'`.execute(
          tx,
        );
        const job = { purpose: purpose as Job['purpose'], subjectId, ticketId: row.ticket_id };
        await enqueue(tx, now, await messageToStartOver(tx, tenantId, job));
      }
    });
  }
  if (due.length > 0) ctx.log.info({ jobs: due.length }, 'parked jobs asked for again');
  return due.length;
}
