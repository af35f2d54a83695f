import { sql } from 'kysely';
import { toTenantId } from '../../../platform/ids.ts';
import { enqueue } from '../../../platform/outbox.ts';
import { withSystem, withTenant } from '../../../platform/tenant-tx.ts';
import type { ChainContext } from './chain-context.ts';

const OVERDUE_MS = 60_000;
const BATCH = 2_000;
/** Tickets that one message may name. */
const TICKETS_A_MESSAGE = 100;

type Idle = { tenant_id: string; event_id: string; id: string };

/**
 * The queue is a wake-up hint. A ticket that should be on the chain by now, is not parked and has no live transaction,
 * is asked for again. Returns how many.
 */
export async function reviveMints(ctx: ChainContext): Promise<number> {
  const now = ctx.clock.now();
  const before = new Date(now.getTime() - OVERDUE_MS);
  const { rows: idle } = await withSystem(ctx.relay, (tx) =>
    sql<Idle>`
      select t.tenant_id, t.event_id, t.id from tickets t
      where t.status in ('sold', 'minting') and t.created_at < ${before} and t.updated_at < ${before}
        and t.blockchain_sync_status <> 'parked'
        and not exists (select from pending_transactions p where p.tenant_id = t.tenant_id and p.ticket_id = t.id
          and p.purpose = 'mint' and p.status in ('prepared', 'submitted', 'confirmed'))
      order by t.created_at
      limit ${BATCH}`.execute(tx),
  );
  for (const [tenant, tickets] of Map.groupBy(idle, (row) => row.tenant_id)) {
    const tenantId = toTenantId(tenant);
    const messages = [...Map.groupBy(tickets, (row) => row.event_id)].flatMap(([eventId, own]) =>
      inParts(own.map(({ id }) => id)).map((ticketIds) => ({
        kind: 'ticket.mint' as const,
        body: { eventId, ticketIds },
      })),
    );
    await withTenant(ctx.db, tenantId, async (tx) => {
      // Asked for now, so not again before it is overdue again.
      await tx
        .updateTable('tickets')
        .set({ updated_at: now })
        .where('tenant_id', '=', tenantId)
        .where(sql<boolean>`id = any(${tickets.map(({ id }) => id)}::uuid[])`)
        .where('status', 'in', ['sold', 'minting'])
        .execute();
      await enqueue(tx, now, messages);
    });
  }
  if (idle.length > 0) ctx.log.info({ revived: idle.length }, 'overdue mints asked for again');
  return idle.length;
}

function inParts(ids: readonly string[]): string[][] {
  return Array.from({ length: Math.ceil(ids.length / TICKETS_A_MESSAGE) }, (_, part) =>
    ids.slice(part * TICKETS_A_MESSAGE, (part + 1) * TICKETS_A_MESSAGE),
  );
}
