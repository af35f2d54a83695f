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
  await cacheTickets(ctx, row.tenant_id as TenantId, [row]);
  return showTicket(row);
}

/** The same for many; the lists of `formerUsers`, who had them before, are forgotten too. */
export async function cacheTickets(
  ctx: Pick<AppContext, 'cache'>,
  tenantId: TenantId,
  rows: readonly TicketRow[],
  formerUsers: readonly string[] = [],
): Promise<void> {
  const users = new Set([...rows.map((row) => row.user_id), ...formerUsers]);
  if (users.size === 0) return;
  await Promise.all([
    ...rows.map((row) => {
      // Two writers after two commits: the later state stays.
      const version = BigInt(row.updated_at.getTime());
      const key = tenantKey(tenantId, 'ticket', row.id);
      return ctx.cache.setNewer(key, JSON.stringify(showTicket(row)), version, TTL_SECONDS);
    }),
    ctx.cache.delete(...[...users].map((user) => tenantKey(tenantId, 'event_tickets', user))),
  ]);
}
