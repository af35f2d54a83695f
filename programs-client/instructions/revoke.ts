import type { TransactionInstruction } from '@solana/web3.js';
import type { Address } from '../addresses.ts';
import { buildInstruction } from '../build-instruction.ts';
import type { RevokeReason } from '../event-rules.ts';
import { authAddress, configAddress, ticketAddresses, tokenAddress } from '../pdas.ts';

export type RevokeInput = {
  /** The organizer's. Signs. */
  authority: Address;
  organizer: Address;
  event: Address;
  index: number;
  /** Who holds the ticket now, as its account says. */
  holder: Address;
  /** As the event has it. Gets the rent of mint and token account. */
  rentRecipient: Address;
  reason: RevokeReason;
};

/**
 * Makes a ticket void and burns its NFT; the 149 bytes of the ticket's account stay until it is closed. Fails with
 * Revoked the second time, with EventClosed after `closeEvent` only, with Unauthorized for anybody but the organizer's
 * authority, with Paused.
 */
export function revoke(programId: Address, input: RevokeInput): TransactionInstruction {
  const { ticket, mint } = ticketAddresses(programId, input.event, input.index);
  const accounts = {
    authority: input.authority,
    config: configAddress(programId),
    organizer: input.organizer,
    event: input.event,
    auth: authAddress(programId, input.event),
    ticket,
    mint,
    token: tokenAddress(programId, ticket, input.holder),
    rent_recipient: input.rentRecipient,
  };
  return buildInstruction(programId, 'revoke', accounts, { reason: input.reason });
}
