import { toAddress } from '../../../../programs-client/addresses.ts';
import {
  buildMintMessage,
  type MintMessageInput,
  type MintOfMessage,
} from '../../../../programs-client/build-mint-message.ts';
import { computeLimit } from '../../../../programs-client/compute-limits.ts';
import { mintAddress, ticketAddress } from '../../../../programs-client/pdas.ts';
import { MAX_TRANSACTION_BYTES } from '../../../../programs-client/send.ts';
import { type TenantId, uuidBytes } from '../../../platform/ids.ts';
import { NFT_SYMBOL } from '../../tickets/show-nft.ts';
import { type ChainContext, organizerKey } from './chain-context.ts';
import type { Draft } from './draft.ts';
import type { EventOnChain } from './ensure-event.ts';
import { faceValueOf } from './face-value.ts';
import type { Place } from './give-places.ts';
import { mintAccounts } from './transaction-cost.ts';

/**
 * The transactions that mint tickets of one event: two in each where they fit, as a transaction costs a node about as
 * much with one. A ticket whose transaction failed before goes alone and with care.
 */
export async function writeMints(
  ctx: WriteContext,
  tenantId: TenantId,
  accounts: EventOnChain,
  places: readonly Place[],
): Promise<Draft[]> {
  const authority = toAddress(await ctx.signer.address(organizerKey(tenantId)));
  const { organizer, event } = accounts;
  const base = { programId: toAddress(ctx.programId), authority, organizer, event };
  const room = roomForTexts(base);
  const minted = places.map((place) => ({ place, mint: toMint(ctx, accounts, place) }));

  const toDraft = (group: readonly Minted[]): Draft => ({
    purpose: 'mint',
    subjects: group.map(({ place }) => ({ id: place.ticketId, ticketId: place.ticketId })),
    signers: [organizerKey(tenantId)],
    careful: group.some(({ place }) => place.failed),
    units: computeLimit(
      group.map(({ place }) => ({ instruction: 'mint_ticket', attributes: place.seat ? 4 : 3 }) as const),
      2,
    ),
    accounts: group.flatMap(({ mint }) => mintAccounts(mint)),
    write({ payer, blockhash, units, unitPrice }) {
      const written = buildMintMessage({
        ...base,
        ...{ payer, blockhash, mints: group.map(({ mint }) => mint) },
        ...(units === undefined ? {} : { computeUnitLimit: units }),
        ...(unitPrice > 0 ? { computeUnitPrice: BigInt(unitPrice) } : {}),
      });
      if (!written) throw new RangeError('the texts of a ticket do not fit into a transaction');
      return written.message;
    },
  });

  const [again, fresh] = [true, false].map((failed) => minted.filter(({ place }) => place.failed === failed));
  const drafts = (again as Minted[]).map((one) => toDraft([one]));
  for (let rest = fresh as Minted[]; rest.length > 0; ) {
    const pair = rest.slice(0, 2);
    const group = sizeOfTexts(pair) <= room ? pair : pair.slice(0, 1);
    drafts.push(toDraft(group));
    rest = rest.slice(group.length);
  }
  return drafts;
}

type WriteContext = Pick<ChainContext, 'signer' | 'config' | 'programId'>;
type Minted = { place: Place; mint: MintOfMessage };

/** Bytes that two tickets' texts may have together: what a transaction holds without them of two strangers. */
function roomForTexts(
  base: Pick<MintMessageInput, 'programId' | 'authority' | 'organizer' | 'event'>,
): number {
  const bare = { ticketId: new Uint8Array(16), faceValue: 0n, name: '', symbol: '', uri: '', attributes: {} };
  const written = buildMintMessage({
    ...base,
    payer: toAddress(new Uint8Array(32).fill(1)),
    blockhash: new Uint8Array(32),
    computeUnitLimit: 0,
    computeUnitPrice: 0n,
    mints: [2, 3].map((nth) => ({ ...bare, index: nth, holder: toAddress(new Uint8Array(32).fill(nth)) })),
  });
  const signatures = 1 + 2 * 64;
  return MAX_TRANSACTION_BYTES - signatures - (written?.message.length ?? MAX_TRANSACTION_BYTES);
}

function sizeOfTexts(group: readonly Minted[]): number {
  return group
    .flatMap(({ mint }) => [mint.name, mint.symbol, mint.uri, ...Object.values(mint.attributes)])
    .reduce((sum, text) => sum + Buffer.byteLength(text ?? ''), 0);
}

function toMint(ctx: WriteContext, { event, coin }: EventOnChain, place: Place): MintOfMessage {
  const programId = toAddress(ctx.programId);
  const mint = mintAddress(programId, ticketAddress(programId, event, place.index));
  return {
    index: place.index,
    ticketId: uuidBytes(place.ticketId),
    holder: toAddress(place.holder),
    faceValue: faceValueOf(place, coin),
    name: clip(`${place.eventTitle} ${place.ticketNumber}`, 32),
    symbol: NFT_SYMBOL,
    uri: `${ctx.config.PUBLIC_URL}/api/nft/${mint}/metadata.json`,
    attributes: {
      event: clip(place.eventTitle, 64),
      type: clip(place.typeName, 64),
      seat: clip(place.seat ?? '', 64),
      number: place.ticketNumber,
    },
  };
}

/** At most `bytes` of UTF-8, cut between characters. */
function clip(text: string, bytes: number): string {
  let end = 0;
  let size = 0;
  for (const character of text) {
    size += Buffer.byteLength(character);
    if (size > bytes) return text.slice(0, end);
    end += character.length;
  }
  return text;
}
