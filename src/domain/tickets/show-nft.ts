import { sql } from 'kysely';
import type { AppContext } from '../../context.ts';
import { notFound } from '../../platform/errors.ts';
import { toTenantId } from '../../platform/ids.ts';
import { withSystem, withTenant } from '../../platform/tenant-tx.ts';

export type Nft = {
  mint: string;
  eventTitle: string;
  venue: string;
  startsAt: Date;
  ticketType: string;
  ticketNumber: string;
  seat: string | null;
};

export const NFT_SYMBOL = 'TICKET';

/** What the public may know of the ticket behind a mint: the show and the place, nothing of a person. */
export async function findNft(ctx: AppContext, mint: string): Promise<Nft> {
  const place = await withSystem(ctx.db, async (tx) => {
    const { rows } = await sql<{
      tenant_id: string;
      ticket_id: string;
    }>`select * from find_nft(${mint})`.execute(tx);
    return rows[0];
  });
  if (!place) throw notFound('NFT');
  const tenantId = toTenantId(place.tenant_id);
  const row = await withTenant(ctx.db, tenantId, (tx) =>
    tx
      .selectFrom('tickets as t')
      .innerJoin('events as e', (join) =>
        join.onRef('e.tenant_id', '=', 't.tenant_id').onRef('e.id', '=', 't.event_id'),
      )
      .innerJoin('ticket_types as y', (join) =>
        join.onRef('y.tenant_id', '=', 't.tenant_id').onRef('y.id', '=', 't.ticket_type_id'),
      )
      .select(['e.title', 'e.venue', 'e.starts_at', 'y.name', 't.ticket_number', 't.seat'])
      .where('t.tenant_id', '=', tenantId)
      .where('t.id', '=', place.ticket_id)
      .executeTakeFirst(),
  );
  if (!row) throw notFound('NFT');
  return {
    mint,
    eventTitle: row.title,
    venue: row.venue,
    startsAt: row.starts_at,
    ticketType: row.name,
    ticketNumber: row.ticket_number,
    seat: row.seat,
  };
}

/** The document that wallets and marketplaces read, in the Metaplex token standard. */
export function toMetadata(nft: Nft, publicUrl: string) {
  const image = `${publicUrl}/api/nft/${nft.mint}/image.svg`;
  const attributes = [
    { trait_type: 'Event', value: nft.eventTitle },
    { trait_type: 'Venue', value: nft.venue },
    { trait_type: 'Starts', value: nft.startsAt.toISOString() },
    { trait_type: 'Type', value: nft.ticketType },
    { trait_type: 'Number', value: nft.ticketNumber },
    ...(nft.seat ? [{ trait_type: 'Seat', value: nft.seat }] : []),
  ];
  return {
    name: `${nft.eventTitle} ${nft.ticketNumber}`,
    symbol: NFT_SYMBOL,
    description: `${nft.ticketType} for ${nft.eventTitle} at ${nft.venue}.`,
    image,
    attributes,
    properties: { category: 'image', files: [{ uri: image, type: 'image/svg+xml' }] },
  };
}
