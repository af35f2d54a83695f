import type { TransactionInstruction } from '@solana/web3.js';
import type { Address } from '../addresses.ts';
import { buildInstruction } from '../build-instruction.ts';
import { configAddress } from '../pdas.ts';

export type CloseEventInput = {
  /** The organizer's. Signs. */
  authority: Address;
  organizer: Address;
  event: Address;
  /** As the event has it. */
  rentRecipient: Address;
};

/**
 * Closes an event that is cancelled or past the end of its check-in window (else EventNotOver). Its account shrinks to
 * 92 bytes that stay for good. Its tickets can be closed afterwards, with `closeTicket`. Fails with EventClosed the
 * second time, with Unauthorized for anybody but the organizer's authority, with Paused.
 */
export function closeEvent(programId: Address, input: CloseEventInput): TransactionInstruction {
  const accounts = {
    authority: input.authority,
    config: configAddress(programId),
    organizer: input.organizer,
    event: input.event,
    rent_recipient: input.rentRecipient,
  };
  return buildInstruction(programId, 'close_event', accounts);
}
