import type { TransactionInstruction } from '@solana/web3.js';
import type { Address } from '../addresses.ts';
import { buildInstruction } from '../build-instruction.ts';
import { authAddress, configAddress, ticketAddresses, tokenAddress } from '../pdas.ts';

export type MintTicketInput = {
  /** Pays the rent of ticket (149 bytes), token account (165) and mint (390 and its texts, 563 usually). Signs. */
  payer: Address;
  /** The organizer's. Signs. */
  authority: Address;
  organizer: Address;
  event: Address;
  /** The ticket's number within the event, from 0, below its max supply. */
  index: number;
  /** The ticket's UUID, 16 bytes. */
  ticketId: Uint8Array;
  /** Gets the ticket. Does not sign. */
  holder: Address;
  /** In the smallest unit of the event's currency (lamports for SOL), below 2^48. */
  faceValue: bigint;
  /** At most 64 bytes of UTF-8. */
  name: string;
  /** At most 16 bytes. */
  symbol: string;
  /** Of the metadata JSON; at most 200 bytes. */
  uri: string;
  /** At most 64 bytes each. An empty or missing one is left out of the NFT. */
  attributes: TicketAttributes;
};

export type TicketAttributes = {
  event?: string | undefined;
  type?: string | undefined;
  seat?: string | undefined;
  number?: string | undefined;
};

/** The longest texts, in bytes of UTF-8. */
export const TEXT_LIMITS = { name: 64, symbol: 16, uri: 200, attribute: 64 };

/**
 * Mints a ticket. Fails with AlreadyExists if its index was minted before, with IndexOutOfRange beyond the supply, with
 * MathOverflow on too high a face value, with EventClosed, with Unauthorized for anybody but the organizer's authority,
 * with Paused. Throws a `RangeError` on a text that is too long.
 */
export function mintTicket(programId: Address, input: MintTicketInput): TransactionInstruction {
  const { ticket, mint } = ticketAddresses(programId, input.event, input.index);
  const accounts = {
    payer: input.payer,
    authority: input.authority,
    config: configAddress(programId),
    organizer: input.organizer,
    event: input.event,
    auth: authAddress(programId, input.event),
    ticket,
    mint,
    token: tokenAddress(programId, ticket, input.holder),
    holder: input.holder,
  };
  return buildInstruction(programId, 'mint_ticket', accounts, {
    index: input.index,
    id: input.ticketId,
    face_value: input.faceValue,
    ...Object.fromEntries(mintTexts(input).map(({ name, text }) => [name, text])),
  });
}

/**
 * The texts of a mint in the order and under the names of the instruction, with their bytes of UTF-8. Throws a
 * `RangeError` on one that is too long.
 */
export function mintTexts(
  input: Pick<MintTicketInput, 'name' | 'symbol' | 'uri' | 'attributes'>,
): { name: string; text: string; length: number }[] {
  const { event, type, seat, number } = input.attributes;
  return [
    limited('name', input.name, TEXT_LIMITS.name),
    limited('symbol', input.symbol, TEXT_LIMITS.symbol),
    limited('uri', input.uri, TEXT_LIMITS.uri),
    limited('attribute_event', event ?? '', TEXT_LIMITS.attribute),
    limited('attribute_type', type ?? '', TEXT_LIMITS.attribute),
    limited('attribute_seat', seat ?? '', TEXT_LIMITS.attribute),
    limited('attribute_number', number ?? '', TEXT_LIMITS.attribute),
  ];
}

function limited(name: string, text: string, limit: number): { name: string; text: string; length: number } {
  const length = Buffer.byteLength(text);
  if (length > limit)
    throw new RangeError(
      `${name.replace('attribute_', 'attributes.')} has ${length} bytes, more than ${limit}`,
    );
  return { name, text, length };
}
