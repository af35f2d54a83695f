import { type Address, toAddress } from '../../../../programs-client/addresses.ts';
import type { TenantId } from '../../../platform/ids.ts';
import { withTenant } from '../../../platform/tenant-tx.ts';
import { findEvent } from '../../events/queries.ts';
import { type ChainContext, firstRentRecipient } from './chain-context.ts';
import { findCoinFault } from './check-coin.ts';
import { type Coin, coinOf } from './face-value.ts';
import { notNow } from './not-now.ts';

/** What an event has on the chain for good, whatever the configuration becomes. */
export type EventTerms = {
  /** Gets the rents back. */
  rentRecipient: Address;
  /** Face values are counted and resales paid in it; undefined where none was configured. */
  coin: Coin | undefined;
};

/** The terms that an event was given; undefined before its first mint is prepared. */
export async function findEventTerms(
  ctx: ChainContext,
  tenantId: TenantId,
  eventId: string,
): Promise<(EventTerms & { registered: boolean }) | undefined> {
  const row = await withTenant(ctx.db, tenantId, (tx) =>
    tx
      .selectFrom('chain_events')
      .select(['registered_at', 'rent_recipient', 'currency_mint', 'currency_decimals'])
      .where('tenant_id', '=', tenantId)
      .where('event_id', '=', eventId)
      .executeTakeFirst(),
  );
  if (!row) return undefined;
  const { currency_mint: mint, currency_decimals: decimals } = row;
  const coin = mint === null || decimals === null ? undefined : { mint, decimals };
  const rentRecipient = row.rent_recipient ?? (await keepRentRecipient(ctx, tenantId, eventId));
  return { rentRecipient: toAddress(rentRecipient), coin, registered: row.registered_at !== null };
}

/**
 * Gives an event its terms, once: the rents go back to the treasury, which pays the payers, so that their number may
 * change; and it counts in the coin that is configured for its currency now.
 * @throws DomainError unavailable while that coin is not on this chain what the configuration says
 */
export async function giveEventTerms(
  ctx: ChainContext,
  input: { tenantId: TenantId; eventId: string; address: Address; maxSupply: number },
): Promise<EventTerms> {
  const { tenantId, eventId } = input;
  const known = await findEventTerms(ctx, tenantId, eventId);
  if (known) return known;
  const event = await withTenant(ctx.db, tenantId, (tx) => findEvent(tx, tenantId, eventId));
  if (!event) throw new Error(`event ${eventId} does not exist`);
  const coin = coinOf(event.currency, ctx.config.CHAIN_CURRENCIES);
  const fault = coin && (await findCoinFault(ctx.rpc, event.currency, coin));
  if (fault) {
    ctx.log.error({ tenantId, eventId, fault }, 'an event cannot be made on the chain');
    throw notNow(fault.replace(/\.$/, ''));
  }
  const rentRecipient = await ctx.signer.address({ use: 'treasury' });
  await withTenant(ctx.db, tenantId, (tx) =>
    tx
      .insertInto('chain_events')
      .values({
        tenant_id: tenantId,
        event_id: eventId,
        address: input.address,
        max_supply: input.maxSupply,
        rent_recipient: rentRecipient,
        currency_mint: coin?.mint ?? null,
        currency_decimals: coin?.decimals ?? null,
      })
      // Any of its keys: of several workers at once one may meet the event, another its address.
      .onConflict((conflict) => conflict.doNothing())
      .execute(),
  );
  // Another worker may have been first, with a configuration of its own: what is kept counts.
  return (await findEventTerms(ctx, tenantId, eventId)) as EventTerms;
}

/** For an event from before recipients were kept: the payer that the hash of its id named. */
async function keepRentRecipient(ctx: ChainContext, tenantId: TenantId, eventId: string): Promise<string> {
  const address = await ctx.signer.address(firstRentRecipient(eventId));
  await withTenant(ctx.db, tenantId, (tx) =>
    tx
      .updateTable('chain_events')
      .set({ rent_recipient: address })
      .where('tenant_id', '=', tenantId)
      .where('event_id', '=', eventId)
      .where('rent_recipient', 'is', null)
      .execute(),
  );
  return address;
}
