import { DomainError } from '../../platform/errors.ts';
import type { TenantId } from '../../platform/ids.ts';
import type { TenantTx } from '../../platform/tenant-tx.ts';
import type { TicketRow } from '../tickets/queries.ts';
import { findWallet } from '../wallets/queries.ts';

/**
 * Whether a ticket may be given away now, from the wallet that we keep for its holder. `approved` says that staff
 * stand behind it. Returns when the event ends, which no offer outlives. The ticket's row is locked by the caller.
 * @throws DomainError conflict
 */
export async function checkPolicy(
  tx: TenantTx,
  tenantId: TenantId,
  ticket: TicketRow,
  { now, approved }: { now: Date; approved: boolean },
): Promise<Date> {
  if (ticket.status !== 'active' || ticket.owner_wallet === null) {
    throw new DomainError(
      'conflict',
      'not_transferable',
      `A ticket that is ${ticket.status} cannot be transferred.`,
      { extra: { ticketStatus: ticket.status } },
    );
  }
  const event = await tx
    .selectFrom('events')
    .select(['transfer_policy', 'ends_at'])
    .where('tenant_id', '=', tenantId)
    .where('id', '=', ticket.event_id)
    .executeTakeFirstOrThrow();
  if (event.ends_at <= now) throw new DomainError('conflict', 'event_over', 'The event is over.');
  const policy = event.transfer_policy;
  if (policy === 'locked' || policy === 'resale_only' || (policy === 'organiser_approved' && !approved)) {
    throw new DomainError('conflict', 'transfer_not_allowed', 'The event does not allow this transfer.', {
      extra: { transferPolicy: policy },
    });
  }
  const wallet = await findWallet(tx, tenantId, ticket.owner_wallet);
  if (wallet?.custody !== 'custodial') {
    // Only its owner can sign for it; the listener sees the transfer that they send from there.
    throw new DomainError(
      'conflict',
      'wallet_self_custodial',
      'The ticket is in a wallet of its own; transfer it from there.',
    );
  }
  return event.ends_at;
}
