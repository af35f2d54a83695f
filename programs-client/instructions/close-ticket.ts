import type { TransactionInstruction } from '@solana/web3.js';
import type { Address } from '../addresses.ts';
import { buildInstruction } from '../build-instruction.ts';
import { authAddress, configAddress, ticketAddresses, tokenAddress } from '../pdas.ts';

export type CloseTicketInput = {
  /** The organizer's. Signs. */
  authority: Address;
  organizer: Address;
  /** Closed before, with `closeEvent`. */
  event: Address;
  index: number;
  /** Who holds the ticket, or held it last, as its account says. */
  holder: Address;
  /** As the event has it. Gets the rent of everything that is closed. */
  rentRecipient: Address;
};

/**
 * Closes a ticket after its event: its NFT is burned, or set free where the event keeps collectibles. Fails with
 * BadAccount while the event is not closed and the second time, with Unauthorized for anybody but the organizer's
 * authority, with Paused.
 */
export function closeTicket(programId: Address, input: CloseTicketInput): TransactionInstruction {
  const { ticket, mint } = ticketAddresses(programId, input.event, input.index);
  return buildInstruction(programId, 'close_ticket', {
    authority: input.authority,
    config: configAddress(programId),
    organizer: input.organizer,
    event: input.event,
    auth: authAddress(programId, input.event),
    ticket,
    mint,
    token: tokenAddress(programId, ticket, input.holder),
    rent_recipient: input.rentRecipient,
  });
}
