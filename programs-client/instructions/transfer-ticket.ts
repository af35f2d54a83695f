import type { TransactionInstruction } from '@solana/web3.js';
import type { Address } from '../addresses.ts';
import { buildInstruction } from '../build-instruction.ts';
import { authAddress, configAddress, ticketAddresses, tokenAddress } from '../pdas.ts';

export type TransferTicketInput = {
  /** Pays the rent of the receiver's token account, 165 bytes; the holder's goes to the rent recipient. Signs. */
  payer: Address;
  /** Signs. */
  holder: Address;
  to: Address;
  organizer: Address;
  event: Address;
  index: number;
  /** As the event has it. */
  rentRecipient: Address;
  /** The organizer's authority, where the event's policy is 'organizer_approved'. Signs. */
  approver?: Address | undefined;
};

/**
 * Gives a ticket to another. Fails with TransferDisabled, TooEarly or TooLate where the event's rules forbid it, with
 * AlreadyUsed, Revoked or EventClosed, with BadArgument to oneself, with Unauthorized for anybody but the holder, or
 * without the approver where one is asked for, with Paused.
 */
export function transferTicket(programId: Address, input: TransferTicketInput): TransactionInstruction {
  const { ticket, mint } = ticketAddresses(programId, input.event, input.index);
  return buildInstruction(programId, 'transfer_ticket', {
    payer: input.payer,
    holder: input.holder,
    approver: input.approver,
    config: configAddress(programId),
    organizer: input.organizer,
    event: input.event,
    auth: authAddress(programId, input.event),
    ticket,
    mint,
    from_token: tokenAddress(programId, ticket, input.holder),
    to_token: tokenAddress(programId, ticket, input.to),
    to: input.to,
    rent_recipient: input.rentRecipient,
  });
}
