import type { Message } from '../../../messages.ts';
import type { TenantId } from '../../../platform/ids.ts';
import type { TenantTx } from '../../../platform/tenant-tx.ts';
import { findTicket } from '../../tickets/queries.ts';
import type { Purpose } from './draft.ts';

/** The message that starts a job over. Accounts of organizer and event are made by the jobs that need them. */
export async function messageToStartOver(
  tx: TenantTx,
  tenantId: TenantId,
  job: { purpose: Purpose; subjectId: string; ticketId: string | null },
): Promise<Message[]> {
  const ticket = job.ticketId ? await findTicket(tx, tenantId, job.ticketId) : undefined;
  if (!ticket) return [];
  const { id: ticketId, event_id: eventId } = ticket;
  switch (job.purpose) {
    case 'mint':
      return [{ kind: 'ticket.mint', body: { eventId, ticketIds: [ticketId] } }];
    case 'transfer':
      return [{ kind: 'ticket.transfer', body: { transferId: job.subjectId, ticketId, eventId } }];
    case 'revoke':
      return [
        { kind: 'ticket.revoke', body: { ticketId, eventId, reason: ticket.status_reason ?? 'other' } },
      ];
    case 'check_in':
      return [{ kind: 'ticket.check_in', body: { ticketId, eventId } }];
    default:
      return [];
  }
}
