import { sql } from 'kysely';
import { type Address, toAddress } from '../../../../programs-client/addresses.ts';
import { ticketAddress } from '../../../../programs-client/pdas.ts';
import type { TenantId } from '../../../platform/ids.ts';
import { type TenantTx, withTenant } from '../../../platform/tenant-tx.ts';
import { openCustodialWallets } from '../../wallets/open-custodial-wallet.ts';
import { findPrimaryWallets } from '../../wallets/queries.ts';
import type { ChainContext } from './chain-context.ts';

/** A ticket with its place in the event on chain and the wallet that it goes to. */
export type Place = {
  ticketId: string;
  index: number;
  holder: string;
  priceMinor: bigint;
  currency: string;
  ticketNumber: string;
  seat: string | null;
  eventTitle: string;
  typeName: string;
  /** An earlier transaction failed on chain, so this one is to be made with care. */
  failed: boolean;
};

/** States in which a ticket belongs on the chain and may not be there; checked in only after a chain was lost. */
export const MINTABLE = ['sold', 'minting', 'checked_in'];

type Row = Omit<Place, 'index' | 'holder'> & { userId: string; index: number | null };

/**
 * The places of those tickets that belong on the chain, are not there, not parked, and have no transaction alive. A place
 * is given once and kept for ever: a ticket is never minted at two addresses. `maxSupply` is how many tickets the event
 * takes on chain, as far as we know.
 */
export async function givePlaces(
  ctx: ChainContext,
  tenantId: TenantId,
  eventId: string,
  event: Address,
  ticketIds: readonly string[],
): Promise<{ places: Place[]; maxSupply: number }> {
  const now = ctx.clock.now();
  const { rows, maxSupply, wallets } = await withTenant(ctx.db, tenantId, async (tx) => {
    const found = await readUnminted(tx, tenantId, eventId, ticketIds);
    const homeless = found.filter(({ index }) => index === null);
    const { next_index, max_supply } = await tx
      .updateTable('chain_events')
      .set((eb) => ({ next_index: eb('next_index', '+', homeless.length) }))
      .where('tenant_id', '=', tenantId)
      .where('event_id', '=', eventId)
      .returning(['next_index', 'max_supply'])
      .executeTakeFirstOrThrow();
    for (const [i, row] of homeless.entries()) row.index = next_index - homeless.length + i;
    await writeIndexes(ctx, tx, tenantId, now, event, homeless);
    const users = [...new Set(found.map(({ userId }) => userId))];
    return {
      rows: found as (Row & { index: number })[],
      maxSupply: max_supply,
      wallets: await findPrimaryWallets(tx, tenantId, users),
    };
  });
  const addresses = new Map([...wallets].map(([userId, { address }]) => [userId, address]));
  await openMissing(ctx, tenantId, now, rows, addresses);
  const places = rows.map(({ userId, ...row }) => ({ ...row, holder: addresses.get(userId) as string }));
  return { places, maxSupply };
}

async function readUnminted(
  tx: TenantTx,
  tenantId: TenantId,
  eventId: string,
  ticketIds: readonly string[],
): Promise<Row[]> {
  const { rows } = await sql<Row>`
    select t.id as "ticketId", t.chain_index as index, t.user_id as "userId", t.price_minor as "priceMinor", e.currency,
      t.ticket_number as "ticketNumber", t.seat, e.title as "eventTitle", y.name as "typeName",
      exists (select from pending_transactions p where p.tenant_id = t.tenant_id and p.ticket_id = t.id
        and p.purpose = 'mint' and p.status = 'failed') as failed
    from tickets t
      join events e on e.tenant_id = t.tenant_id and e.id = t.event_id
      join ticket_types y on y.tenant_id = t.tenant_id and y.id = t.ticket_type_id
    where t.tenant_id = ${tenantId} and t.event_id = ${eventId} and t.id = any(${ticketIds}::uuid[])
      and t.chain_version is null and t.status = any(${MINTABLE}::text[]) and t.blockchain_sync_status <> 'parked'
      and not exists (select from pending_transactions p where p.tenant_id = t.tenant_id and p.purpose = 'mint'
        and p.subject_id = t.id and p.status in ('prepared', 'submitted', 'confirmed'))
    order by t.id
    for no key update of t`.execute(tx);
  return rows;
}

async function writeIndexes(
  ctx: ChainContext,
  tx: TenantTx,
  tenantId: TenantId,
  now: Date,
  event: Address,
  rows: readonly Row[],
): Promise<void> {
  if (rows.length === 0) return;
  const programId = toAddress(ctx.programId);
  const accounts = rows.map(({ index }) => ticketAddress(programId, event, index as number));
  await sql`update tickets t set chain_index = one.index, chain_account = one.account, updated_at = ${now}
    from unnest(${rows.map(({ ticketId }) => ticketId)}::uuid[], ${rows.map(({ index }) => index)}::integer[],
      ${accounts}::text[]) as one(id, index, account)
    where t.tenant_id = ${tenantId} and t.id = one.id`.execute(tx);
}

/** Adds to `addresses` the wallets of users who had none: theirs if it is named, or a custodial one. */
async function openMissing(
  ctx: ChainContext,
  tenantId: TenantId,
  now: Date,
  rows: readonly Row[],
  addresses: Map<string, string>,
): Promise<void> {
  const users = [...new Set(rows.map(({ userId }) => userId))].filter((userId) => !addresses.has(userId));
  for (const userId of users) {
    const address = namedWallet(userId);
    if (address) addresses.set(userId, address);
  }
  const strangers = users.filter((userId) => !addresses.has(userId));
  if (strangers.length === 0) return;
  // Keys may live far away: never asked for inside of a transaction.
  const wanted = await Promise.all(
    strangers.map(async (userId) => ({
      userId,
      address: await ctx.signer.address({ use: 'custodial', tenantId, userId }),
    })),
  );
  const opened = await withTenant(ctx.db, tenantId, (tx) => openCustodialWallets(tx, tenantId, now, wanted));
  for (const { userId, address } of opened) addresses.set(userId, address);
}

/** A holder whom nobody here knows: the rest is the address. Any other text is somebody's name, and no address. */
const WALLET = /^wallet:(.*)$/s;

function namedWallet(userId: string): Address | undefined {
  const text = WALLET.exec(userId)?.[1];
  if (text === undefined) return undefined;
  try {
    const address = toAddress(text);
    return address === text ? address : undefined;
  } catch {
    return undefined;
  }
}
