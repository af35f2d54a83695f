import type { AppContext } from '../../context.ts';
import { tenantKey } from '../../platform/cache.ts';
import type { TenantId } from '../../platform/ids.ts';
import { withTenant } from '../../platform/tenant-tx.ts';
import { findTicket, showTicket, type TicketRow } from './queries.ts';
import type { TicketView } from './schema.ts';

const TTL_SECONDS = 300;

/** What the cache holds of a ticket follows the row: called right after every commit that changed it. */
export async function publishTicket(
  ctx: Pick<AppContext, 'db' | 'cache'>,
  tenantId: TenantId,
  id: string,
): Promise<TicketView | undefined> {
  const row = await withTenant(ctx.db, tenantId, (tx) => findTicket(tx, tenantId, id));
  return row && cacheTicket(ctx, row);
}

/** The same for whoever holds the committed row already. */
export async function cacheTicket(ctx: Pick<AppContext, 'cache'>, row: TicketRow): Promise<TicketView> {
  const ticket = showTicket(row);
  const tenantId = row.tenant_id as TenantId;
  const key = tenantKey(tenantId, 'ticket', row.id);
  await Promise.all([
    // Two writers after two commits: the later state stays.
    ctx.cache.setNewer(key, JSON.stringify(ticket), BigInt(row.updated_at.getTime()), TTL_SECONDS),
    ctx.cache.delete(tenantKey(tenantId, 'event_tickets', row.user_id)),
  ]);
  return ticket;
}
