import type { AppContext } from '../../context.ts';
import { type Actor, actorName, requireRole } from '../../platform/actor.ts';
import { recordAudit } from '../../platform/audit.ts';
import { DomainError, notFound } from '../../platform/errors.ts';
import { idempotently } from '../../platform/idempotency.ts';
import { enqueue } from '../../platform/outbox.ts';
import { withTenant } from '../../platform/tenant-tx.ts';
import { publishTicket } from './publish-ticket.ts';
import { findTicket, lockTicket, showTicket, type TicketRow } from './queries.ts';
import type { RevokeInput, TicketView } from './schema.ts';
import { stepTicket } from './step-ticket.ts';

/**
 * The ticket is dead at every gate from this commit on; the chain follows by message. Nothing is paid back and the place
 * stays taken: that is what a refund is for, which locks counters and order before the ticket.
 * @throws DomainError conflict when the reason asks for a refund, or the ticket has ended
 */
export async function revokeTicket(
  ctx: AppContext,
  actor: Actor,
  input: RevokeInput & { id: string },
  call: { idempotencyKey: string; requestId?: string },
): Promise<TicketView> {
  requireRole(actor, 'organiser', 'support');
  const { tenantId } = actor;
  const now = ctx.clock.now();
  const key = { actor, route: 'POST /tickets/{id}/revoke', key: call.idempotencyKey, request: input };
  const { body } = await withTenant(ctx.db, tenantId, (tx) =>
    idempotently(tx, key, now, async () => {
      const ticket = await lockTicket(tx, tenantId, input.id);
      if (!ticket) throw notFound('ticket');
      if (input.reason === 'refunded' || input.reason === 'cancelled') throw refundInstead(ticket);
      await stepTicket(tx, tenantId, now, ticket, {
        to: 'revoked',
        actor: actorName(actor),
        reason: input.reason,
      });
      const message = {
        ticketId: ticket.id,
        eventId: ticket.event_id,
        userId: ticket.user_id,
        reason: input.reason,
      };
      await enqueue(tx, now, [{ kind: 'ticket.revoked', body: message }], call.requestId);
      await recordAudit(tx, tenantId, now, {
        actor: actorName(actor),
        action: 'ticket.revoked',
        subject: ticket.id,
        details: { reason: input.reason, note: input.note ?? null },
      });
      return { status: 200, body: showTicket((await findTicket(tx, tenantId, input.id)) as TicketRow) };
    }),
  );
  await publishTicket(ctx, tenantId, input.id);
  return body as TicketView;
}

function refundInstead(ticket: TicketRow): DomainError {
  const message =
    'Revoking pays nothing back and frees no place: refund the ticket with POST /api/orders/{orderId}/refund and its id in ticketIds.';
  return new DomainError('conflict', 'refund_instead', message, {
    extra: { orderId: ticket.order_id, ticketIds: [ticket.id] },
  });
}
