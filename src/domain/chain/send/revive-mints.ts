import { toTenantId } from '../../../platform/ids.ts';
import { enqueue } from '../../../platform/outbox.ts';
import { withSystem, withTenant } from '../../../platform/tenant-tx.ts';
import type { ChainContext } from './chain-context.ts';

const OVERDUE_MS = 60_000;
const BATCH = 200;

/**
 * The queue is a wake-up hint. A ticket that should be on the chain by now, is not parked and has no live transaction,
 * is asked for again. Returns how many.
 */
export async function reviveMints(ctx: ChainContext): Promise<number> {
  const now = ctx.clock.now();
  const overdue = await withSystem(ctx.relay, (tx) =>
    tx
      .selectFrom('tickets')
      .select(['tenant_id', 'id'])
      .where('status', 'in', ['sold', 'minting'])
      .where('created_at', '<', new Date(now.getTime() - OVERDUE_MS))
      .orderBy('created_at')
      .limit(BATCH)
      .execute(),
  );
  let revived = 0;
  for (const [tenant, rows] of Map.groupBy(overdue, (row) => row.tenant_id)) {
    const tenantId = toTenantId(tenant);
    await withTenant(ctx.db, tenantId, async (tx) => {
      const idle = await tx
        .selectFrom('tickets as t')
        .select(['t.id', 't.event_id'])
        .where('t.tenant_id', '=', tenantId)
        .where(
          't.id',
          'in',
          rows.map((row) => row.id),
        )
        .where('t.status', 'in', ['sold', 'minting'])
        .where('t.blockchain_sync_status', '<>', 'parked')
        .where('t.updated_at', '<', new Date(now.getTime() - OVERDUE_MS))
        .where((eb) =>
          eb.not(
            eb.exists(
              eb
                .selectFrom('pending_transactions as p')
                .select('p.id')
                .where('p.tenant_id', '=', tenantId)
                .whereRef('p.subject_id', '=', 't.id')
                .where('p.purpose', '=', 'mint')
                .where('p.status', 'in', ['prepared', 'submitted', 'confirmed']),
            ),
          ),
        )
        .execute();
      if (idle.length === 0) return;
      // Asked for now, so not again before it is overdue again.
      await tx
        .updateTable('tickets')
        .set({ updated_at: now })
        .where('tenant_id', '=', tenantId)
        .where(
          'id',
          'in',
          idle.map((row) => row.id),
        )
        .execute();
      for (const [eventId, tickets] of Map.groupBy(idle, (row) => row.event_id)) {
        const ticketIds = tickets.map((ticket) => ticket.id);
        await enqueue(tx, now, [{ kind: 'ticket.mint', body: { eventId, ticketIds } }]);
        revived += ticketIds.length;
      }
    });
  }
  if (revived > 0) ctx.log.info({ revived }, 'overdue mints asked for again');
  return revived;
}
