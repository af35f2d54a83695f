import { sql } from 'kysely';
import type { Message } from '../../messages.ts';
import { DomainError } from '../../platform/errors.ts';
import type { TenantId } from '../../platform/ids.ts';
import type { TenantTx } from '../../platform/tenant-tx.ts';
import { capacityMessages, freeSold } from '../inventory/queries.ts';
import type { TicketRow } from '../tickets/queries.ts';
import { stepTicket } from '../tickets/step-ticket.ts';

/**
 * Ends tickets of an order: dead at the gate with this commit, their places and seats on sale again, the chain follows
 * by message. Returns the messages. The rows are locked by the caller.
 */
export async function endTickets(
  tx: TenantTx,
  tenantId: TenantId,
  now: Date,
  tickets: TicketRow[],
  end: { to: 'cancelled' | 'refunded'; by: string; reason: string; transactionId: string },
): Promise<Message[]> {
  for (const ticket of tickets) {
    await stepTicket(tx, tenantId, now, ticket, { to: end.to, actor: end.by, reason: end.reason });
  }
  const lines = [...Map.groupBy(tickets, (ticket) => ticket.ticket_type_id)].map(([ticket_type_id, own]) => ({
    event_id: (own[0] as TicketRow).event_id,
    ticket_type_id,
    quantity: own.length,
  }));
  await freeSold(
    tx,
    tenantId,
    now,
    lines.map((line) => ({ ticketTypeId: line.ticket_type_id, quantity: line.quantity })),
  );
  await sql`
    update seats set ticket_id = null where tenant_id = ${tenantId} and ticket_id = any(${tickets.map((ticket) => ticket.id)}::uuid[])
    `.execute(tx);
  return [
    ...(await capacityMessages(tx, tenantId, lines, {
      transactionId: end.transactionId,
      operation: 'release',
    })),
    ...tickets.map(
      (ticket): Message => ({
        kind: 'ticket.revoked',
        body: { ticketId: ticket.id, eventId: ticket.event_id, userId: ticket.user_id, reason: end.to },
      }),
    ),
  ];
}

/** @throws DomainError conflict for a ticket that was used, or that its buyer gave away */
export function checkEndable(tickets: TicketRow[], buyer: string): void {
  for (const ticket of tickets) {
    if (ticket.user_id !== buyer) {
      throw new DomainError(
        'conflict',
        'ticket_transferred',
        'A ticket was given away and is not refundable to its buyer.',
        {
          extra: { ticketId: ticket.id },
        },
      );
    }
    if (!['sold', 'minting', 'active', 'transferred'].includes(ticket.status)) {
      throw new DomainError('conflict', 'ticket_not_refundable', `A ticket is ${ticket.status}.`, {
        extra: { ticketId: ticket.id, ticketStatus: ticket.status },
      });
    }
  }
}
