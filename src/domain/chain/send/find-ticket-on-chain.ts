import { decodeTicket, type TicketAccount } from '../../../../programs-client/accounts.ts';
import type { TenantId } from '../../../platform/ids.ts';
import { withTenant } from '../../../platform/tenant-tx.ts';
import { findTicket } from '../../tickets/queries.ts';
import { type EventOnChain, ensureEvent } from './ensure-event.ts';
import { notNow } from './not-now.ts';
import type { SendingContext } from './sending-context.ts';

export type TicketOnChain = EventOnChain & { index: number; account: TicketAccount };

/**
 * The account of a ticket as it is now. Undefined for a ticket that never went towards the chain.
 * @throws DomainError unavailable while its mint is on the way, or when a node does not show what was seen before
 */
export async function findTicketOnChain(
  ctx: SendingContext,
  tenantId: TenantId,
  ticketId: string,
): Promise<TicketOnChain | undefined> {
  const { ticket, minting } = await withTenant(ctx.db, tenantId, async (tx) => ({
    ticket: await findTicket(tx, tenantId, ticketId),
    minting: await tx
      .selectFrom('pending_transactions')
      .select('id')
      .where('tenant_id', '=', tenantId)
      .where('purpose', '=', 'mint')
      .where('subject_id', '=', ticketId)
      .where('status', 'in', ['prepared', 'submitted'])
      .executeTakeFirst(),
  }));
  if (!ticket || ticket.chain_index === null || ticket.chain_account === null) return undefined;
  const { chain_account: address, chain_index: index } = ticket;
  const { value } = await ctx.rpc.ask((node) => node.getAccounts([address], { commitment: 'confirmed' }));
  const [account] = value;
  if (account?.owner !== ctx.programId) {
    if (minting) throw notNow('the mint of the ticket is on its way');
    if (ticket.chain_version !== null) throw notNow('a node does not show the ticket');
    return undefined;
  }
  const accounts = await ensureEvent(ctx, tenantId, ticket.event_id);
  return { ...accounts, index, account: decodeTicket(account.data) };
}
