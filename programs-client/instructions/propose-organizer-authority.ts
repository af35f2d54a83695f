import type { TransactionInstruction } from '@solana/web3.js';
import { type Address, NO_ADDRESS } from '../addresses.ts';
import { buildInstruction } from '../build-instruction.ts';

export type ProposeOrganizerAuthorityInput = {
  /** Signs. */
  authority: Address;
  organizer: Address;
  /** Who may take over with `acceptOrganizerAuthority`; none withdraws the proposal. */
  pendingAuthority?: Address | undefined;
};

/**
 * The first of two steps to another authority of an organizer. Fails with Unauthorized for anybody but the present one.
 * Works while paused.
 */
export function proposeOrganizerAuthority(
  programId: Address,
  input: ProposeOrganizerAuthorityInput,
): TransactionInstruction {
  const accounts = { authority: input.authority, organizer: input.organizer };
  return buildInstruction(programId, 'propose_organizer_authority', accounts, {
    pending_authority: input.pendingAuthority ?? NO_ADDRESS,
  });
}
