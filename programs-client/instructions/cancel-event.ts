import type { TransactionInstruction } from '@solana/web3.js';
import type { Address } from '../addresses.ts';
import { buildInstruction } from '../build-instruction.ts';
import { configAddress } from '../pdas.ts';

export type CancelEventInput = {
  /** The organizer's. Signs. */
  authority: Address;
  organizer: Address;
  event: Address;
};

/**
 * Cancels an event for good: no more minting, moving or checking in. Revoking and closing stay possible. Fails with
 * Unauthorized for anybody but the organizer's authority, with EventClosed the second time, with Paused.
 */
export function cancelEvent(programId: Address, input: CancelEventInput): TransactionInstruction {
  const accounts = {
    authority: input.authority,
    config: configAddress(programId),
    organizer: input.organizer,
    event: input.event,
  };
  return buildInstruction(programId, 'cancel_event', accounts);
}
