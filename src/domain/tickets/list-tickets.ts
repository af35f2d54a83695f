import type { AppContext } from '../../context.ts';
import { type Actor, isStaff } from '../../platform/actor.ts';
import { DomainError } from '../../platform/errors.ts';
import { type Page, readIdCursor, toPage } from '../../platform/page.ts';
import { withTenant } from '../../platform/tenant-tx.ts';
import { findOwnTickets, keepOwnTickets } from './own-tickets.ts';
import { showTicket } from './queries.ts';
import type { TicketFilter, TicketView } from './schema.ts';

const DEFAULT_LIMIT = 50;

/** Tickets, the newest first. A buyer sees their own whatever they ask for; asking for another's is refused. */
export async function listTickets(
  ctx: AppContext,
  actor: Actor,
  filter: TicketFilter,
): Promise<Page<TicketView>> {
  const userId = isStaff(actor) ? filter.userId : actor.subject;
  if (filter.userId !== undefined && filter.userId !== userId) {
    throw new DomainError('forbidden', 'forbidden', 'Only staff see the tickets of others.');
  }
  const after = readIdCursor(filter.cursor);
  const own = userId === actor.subject && isFirstPage(filter);
  const known = own ? await findOwnTickets(ctx, actor.tenantId, userId) : undefined;
  if (known) return known;
  const rows = await withTenant(ctx.db, actor.tenantId, (tx) => {
    let query = tx
      .selectFrom('tickets')
      .selectAll()
      .where('tenant_id', '=', actor.tenantId)
      .orderBy('id', 'desc')
      .limit(filter.limit + 1);
    if (userId !== undefined) query = query.where('user_id', '=', userId);
    if (filter.eventId) query = query.where('event_id', '=', filter.eventId);
    if (filter.status) query = query.where('status', '=', filter.status);
    if (after) query = query.where('id', '<', after);
    return query.execute();
  });
  const page = toPage(rows, filter.limit, (row) => [row.id], showTicket);
  if (own) await keepOwnTickets(ctx, actor.tenantId, userId, page);
  return page;
}

/** What a client shows somebody who opens their tickets. */
function isFirstPage({ limit, cursor, eventId, status }: TicketFilter): boolean {
  return limit === DEFAULT_LIMIT && cursor === undefined && eventId === undefined && status === undefined;
}
