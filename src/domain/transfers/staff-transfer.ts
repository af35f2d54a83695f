import { type Actor, actorName, mayTransferForOthers } from '../../platform/actor.ts';
import { recordAudit } from '../../platform/audit.ts';
import { DomainError } from '../../platform/errors.ts';
import type { TenantId } from '../../platform/ids.ts';
import { enqueue } from '../../platform/outbox.ts';
import type { TenantTx } from '../../platform/tenant-tx.ts';
import type { TransferRow } from './queries.ts';

/** Who moves a ticket in the place of its holder, and why. */
export type StaffOrder = { by: string; reason: string };

/**
 * Undefined for a holder who gives their own ticket away. Staff need the right, and a reason that the holder is told.
 * @throws DomainError forbidden, invalid `reason_missing`
 */
export function staffOrder(
  actor: Actor,
  ticket: { user_id: string },
  reason: string | undefined,
): StaffOrder | undefined {
  if (ticket.user_id === actor.subject) return undefined;
  if (!mayTransferForOthers(actor))
    throw new DomainError(
      'forbidden',
      'forbidden',
      'To transfer a ticket of somebody else needs the role admin or the scope transfer_for_others.',
    );
  if (reason === undefined)
    throw new DomainError('invalid', 'reason_missing', 'reason is required: the holder is told why.');
  return { by: actorName(actor), reason };
}

/** Leaves the trace and tells the holder, in the transaction that orders the transfer. */
export async function recordStaffTransfer(
  tx: TenantTx,
  tenantId: TenantId,
  now: Date,
  transfer: TransferRow,
  { order, eventId, requestId }: { order: StaffOrder; eventId: string; requestId?: string | undefined },
): Promise<void> {
  await recordAudit(tx, tenantId, now, {
    actor: order.by,
    action: 'ticket.transfer_ordered',
    subject: transfer.ticket_id,
    details: { transferId: transfer.id, status: transfer.status, reason: order.reason },
  });
  const body = {
    transferId: transfer.id,
    ticketId: transfer.ticket_id,
    eventId,
    userId: transfer.from_user_id,
    reason: order.reason,
  };
  await enqueue(tx, now, [{ kind: 'ticket.transfer_ordered', body }], requestId);
}
