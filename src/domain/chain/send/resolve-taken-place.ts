import { decodeTicket } from '../../../../programs-client/accounts.ts';
import { type TenantId, uuidOf } from '../../../platform/ids.ts';
import { withTenant } from '../../../platform/tenant-tx.ts';
import { findTicket } from '../../tickets/queries.ts';
import { OPINIONS } from '../rpc/agree.ts';
import type { ChainContext } from './chain-context.ts';

/**
 * Who has the place on chain that the program says is taken. `ours`: the ticket is there already, and the listener links
 * it. `moved`: another ticket has it for good, seen in a final account, as after the database was restored from a copy;
 * this one was never there and gets the next place. `unknown`: nobody shows the account yet; ask again, since a ticket
 * that took another place because of a silence could be minted twice.
 */
export async function resolveTakenPlace(
  ctx: ChainContext,
  tenantId: TenantId,
  ticketId: string,
): Promise<'ours' | 'moved' | 'unknown'> {
  const ticket = await withTenant(ctx.db, tenantId, (tx) => findTicket(tx, tenantId, ticketId));
  if (!ticket?.chain_account || ticket.chain_version !== null) return 'ours';
  const address = ticket.chain_account;
  const views = await ctx.rpc.askEach((node) => node.getAccounts([address], { commitment: 'finalized' }));
  const shown = views.flatMap(({ value: [account] }) => (account?.owner === ctx.programId ? [account] : []));
  const ids = shown.map(({ data }) => uuidOf(decodeTicket(data).ticketId));
  if (ids.includes(ticketId)) return 'ours';
  if (ids.length < Math.min(OPINIONS, ctx.rpc.size)) return 'unknown';
  ctx.log.error(
    { tenantId, ticketId, index: ticket.chain_index },
    'the place of a ticket is taken on the chain by another; it gets the next one',
  );
  await withTenant(ctx.db, tenantId, (tx) =>
    tx
      .updateTable('tickets')
      .set({ chain_index: null, chain_account: null, updated_at: ctx.clock.now() })
      .where('tenant_id', '=', tenantId)
      .where('id', '=', ticketId)
      .where('chain_account', '=', ticket.chain_account)
      .where('chain_version', 'is', null)
      .execute(),
  );
  return 'moved';
}
