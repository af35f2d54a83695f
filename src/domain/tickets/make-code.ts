import type { AppContext } from '../../context.ts';
import type { Actor } from '../../platform/actor.ts';
import { DomainError, notFound } from '../../platform/errors.ts';
import { withTenant } from '../../platform/tenant-tx.ts';
import type { CodeKeyRing } from './code-keys.ts';
import { findTicket } from './queries.ts';
import { sealCode } from './ticket-code.ts';
import { isLive, type TicketStatus } from './ticket-state.ts';

export type TicketCode = { code: string; ticketId: string; eventId: string; issuedAt: string };

/** The current code of a ticket, for its holder and nobody else; never cached. */
export async function makeCode(
  ctx: AppContext,
  keys: CodeKeyRing,
  actor: Actor,
  input: { id: string },
): Promise<TicketCode> {
  const ticket = await withTenant(ctx.db, actor.tenantId, (tx) => findTicket(tx, actor.tenantId, input.id));
  if (!ticket || ticket.user_id !== actor.subject) throw notFound('ticket');
  if (!isLive(ticket.status as TicketStatus)) {
    throw new DomainError('conflict', 'ticket_not_valid', `The ticket is ${ticket.status}.`, {
      extra: { ticketStatus: ticket.status },
    });
  }
  const issuedAt = ctx.clock.now();
  const content = { ticketId: ticket.id, ownerEpoch: ticket.owner_epoch, issuedAt };
  const code = sealCode(keys, actor.tenantId, ticket.event_id, content);
  return { code, ticketId: ticket.id, eventId: ticket.event_id, issuedAt: issuedAt.toISOString() };
}
