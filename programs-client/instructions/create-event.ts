import type { TransactionInstruction } from '@solana/web3.js';
import type { Address } from '../addresses.ts';
import { buildInstruction } from '../build-instruction.ts';
import { OPEN_WINDOWS, type TransferPolicy, type Windows, windowFields } from '../event-rules.ts';
import { configAddress, eventAddress } from '../pdas.ts';

export type CreateEventInput = {
  /** Pays the rent of 196 bytes. Signs. */
  payer: Address;
  /** The organizer's. Signs. */
  authority: Address;
  organizer: Address;
  /** The event's UUID, 16 bytes. */
  eventId: Uint8Array;
  /** Will sign check-ins. */
  gateAuthority: Address;
  /** Gets back the rent of what is closed. Cannot be changed. */
  rentRecipient: Address;
  /** Ticket indices are below this. May grow later. */
  maxSupply: number;
  /** The highest resale price, in 1/100 of a percent of the face value: 11000 is 110 %. Cannot be changed. */
  resaleCapBps: number;
  /** May be loosened later. */
  transferPolicy: TransferPolicy;
  /** Whether tickets stay with their holders when they are closed. Cannot be changed. */
  keepCollectible: boolean;
  /** Always open by default. */
  windows?: Windows | undefined;
  /** Mint of the currency of face values and resales; SOL by default. Cannot be changed. */
  currencyMint?: Address | undefined;
};

/**
 * Creates an event, at `eventAddress(programId, organizer, eventId)`. Fails with AlreadyExists for an id that is taken,
 * also by a closed event, with BadAccount for a currency that is no mint, with BadArgument on no supply or a window that
 * ends before it begins, with Unauthorized for anybody but the organizer's authority, with Paused.
 */
export function createEvent(programId: Address, input: CreateEventInput): TransactionInstruction {
  const accounts = {
    payer: input.payer,
    authority: input.authority,
    config: configAddress(programId),
    organizer: input.organizer,
    event: eventAddress(programId, input.organizer, input.eventId),
    rent_recipient: input.rentRecipient,
    currency_mint: input.currencyMint,
  };
  return buildInstruction(programId, 'create_event', accounts, {
    id: input.eventId,
    gate_authority: input.gateAuthority,
    max_supply: input.maxSupply,
    resale_cap_bps: input.resaleCapBps,
    transfer_policy: input.transferPolicy,
    keep_collectible: input.keepCollectible,
    windows: windowFields(input.windows ?? OPEN_WINDOWS),
  });
}
