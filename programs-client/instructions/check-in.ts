import type { TransactionInstruction } from '@solana/web3.js';
import type { Address } from '../addresses.ts';
import { buildInstruction } from '../build-instruction.ts';
import { configAddress, ticketAddress } from '../pdas.ts';

export type CheckInInput = {
  /** As the event has it. Signs. */
  gateAuthority: Address;
  event: Address;
  index: number;
};

/**
 * Marks a ticket as used. Fails with AlreadyUsed the second time, with Revoked, with TooEarly or TooLate outside the
 * window, with EventClosed, with Unauthorized for anybody but the gate, with Paused.
 */
export function checkIn(programId: Address, input: CheckInInput): TransactionInstruction {
  return buildInstruction(programId, 'check_in', {
    gate_authority: input.gateAuthority,
    config: configAddress(programId),
    event: input.event,
    ticket: ticketAddress(programId, input.event, input.index),
  });
}
