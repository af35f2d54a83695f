import type { AppContext } from '../../context.ts';
import type { Actor } from '../../platform/actor.ts';
import { tenantKey, unversioned } from '../../platform/cache.ts';
import { notFound } from '../../platform/errors.ts';
import { mintsAhead } from './mints-ahead.ts';
import { publishTicket } from './publish-ticket.ts';
import { maySee } from './queries.ts';
import type { TicketDetail, TicketView } from './schema.ts';

/**
 * A ticket, to those who may see it; to all others it does not exist. The right is checked against the same state
 * that is shown, whether it comes from the cache or not.
 */
export async function getTicket(ctx: AppContext, actor: Actor, input: { id: string }): Promise<TicketView> {
  const cached = await ctx.cache.get(tenantKey(actor.tenantId, 'ticket', input.id));
  const ticket =
    cached !== undefined
      ? (JSON.parse(unversioned(cached)) as TicketView)
      : await publishTicket(ctx, actor.tenantId, input.id);
  if (!ticket || !maySee(actor, ticket)) throw notFound('ticket');
  return ticket;
}

/** The same with how many mints are before it while it waits for its own. */
export async function getTicketDetail(
  ctx: AppContext,
  actor: Actor,
  input: { id: string },
): Promise<TicketDetail> {
  const ticket = await getTicket(ctx, actor, input);
  return { ...ticket, mintsAhead: await mintsAhead(ctx, actor.tenantId, ticket) };
}
