import type { AppContext } from '../../context.ts';
import { tenantKey, unversioned } from '../../platform/cache.ts';
import type { TenantId } from '../../platform/ids.ts';
import type { Page } from '../../platform/page.ts';
import type { TicketView } from './schema.ts';

type Context = Pick<AppContext, 'cache'>;

/** A list that was read just before a commit and written just after is wrong for so long. It admits nobody. */
const TTL_SECONDS = 10;

/**
 * The first page of somebody's tickets, from the cache. Whoever gets a ticket has their list deleted; whoever gave one
 * away is not known to the writer, so each ticket is held against its own entry, which every change writes: a list with
 * one that moved on is no answer.
 */
export async function findOwnTickets(
  ctx: Context,
  tenantId: TenantId,
  userId: string,
): Promise<Page<TicketView> | undefined> {
  const cached = await ctx.cache.get(tenantKey(tenantId, 'event_tickets', userId));
  if (cached === undefined) return undefined;
  const page = JSON.parse(cached) as Page<TicketView>;
  const current = await Promise.all(
    page.items.map(({ id }) => ctx.cache.get(tenantKey(tenantId, 'ticket', id))),
  );
  const stale = page.items.some((ticket, i) => {
    const entry = current[i];
    return entry !== undefined && (JSON.parse(unversioned(entry)) as TicketView).version > ticket.version;
  });
  return stale ? undefined : page;
}

export async function keepOwnTickets(
  ctx: Context,
  tenantId: TenantId,
  userId: string,
  page: Page<TicketView>,
): Promise<void> {
  await ctx.cache.set(tenantKey(tenantId, 'event_tickets', userId), JSON.stringify(page), TTL_SECONDS);
}
