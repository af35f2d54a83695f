import { sql } from 'kysely';
import type { AppContext } from '../../context.ts';
import type { Db } from '../../platform/db.ts';
import type { TenantId } from '../../platform/ids.ts';
import { withTenant } from '../../platform/tenant-tx.ts';
import type { TicketStatus } from './ticket-state.ts';

/** More than so many are not counted: the number then means "at least". */
const CAP = 1_000;
const REMEMBER_MS = 1_000;
const MOST_TENANTS = 1_000;

type Queue = { until: number; soldAt: Promise<number[]> };
const remembered = new WeakMap<Db, Map<TenantId, Queue>>();

/**
 * How many tickets of the tenant were sold before this one and wait for their mint; null once it does not wait itself. In
 * a rush thousands ask, so that the queue is read once a second for each tenant.
 */
export async function mintsAhead(
  ctx: Pick<AppContext, 'db'>,
  tenantId: TenantId,
  ticket: { status: TicketStatus; createdAt: string },
): Promise<number | null> {
  if (ticket.status !== 'sold' && ticket.status !== 'minting') return null;
  const soldAt = await readQueue(ctx.db, tenantId);
  const mine = Date.parse(ticket.createdAt);
  const after = soldAt.findIndex((at) => at >= mine);
  return after < 0 ? soldAt.length : after;
}

function readQueue(db: Db, tenantId: TenantId): Promise<number[]> {
  const queues = remembered.get(db) ?? new Map<TenantId, Queue>();
  remembered.set(db, queues);
  const known = queues.get(tenantId);
  if (known && known.until > performance.now()) return known.soldAt;
  const soldAt = askQueue(db, tenantId);
  if (queues.size >= MOST_TENANTS) queues.clear();
  queues.set(tenantId, { until: performance.now() + REMEMBER_MS, soldAt });
  // A failure is not remembered.
  soldAt.catch(() => queues.delete(tenantId));
  return soldAt;
}

async function askQueue(db: Db, tenantId: TenantId): Promise<number[]> {
  const rows = await withTenant(db, tenantId, (tx) =>
    tx
      .selectFrom('tickets')
      .select(sql<Date>`created_at`.as('at'))
      .where('tenant_id', '=', tenantId)
      .where('status', 'in', ['sold', 'minting'])
      .orderBy('created_at')
      .limit(CAP)
      .execute(),
  );
  return rows.map(({ at }) => at.getTime());
}
