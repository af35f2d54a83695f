import type { TransactionInstruction } from '@solana/web3.js';
import type { Address } from '../addresses.ts';
import { buildInstruction } from '../build-instruction.ts';
import { authAddress, configAddress, ticketAddresses, tokenAddress } from '../pdas.ts';

export type ReissueInput = {
  /** Pays the rent of the new token account, 165 bytes; the old one's goes to the rent recipient. Signs. */
  payer: Address;
  /** The organizer's. Signs. */
  authority: Address;
  organizer: Address;
  event: Address;
  index: number;
  /** Who holds the ticket now, as its account says. Does not sign. */
  holder: Address;
  to: Address;
  /** As the event has it. */
  rentRecipient: Address;
};

/**
 * Moves a ticket whose holder has lost their wallet to another one. Fails with AlreadyUsed or Revoked, with EventClosed
 * after a cancellation too, with BadArgument to the same wallet, with Unauthorized for anybody but the organizer's
 * authority, with Paused.
 */
export function reissue(programId: Address, input: ReissueInput): TransactionInstruction {
  const { ticket, mint } = ticketAddresses(programId, input.event, input.index);
  return buildInstruction(programId, 'reissue', {
    payer: input.payer,
    authority: input.authority,
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
