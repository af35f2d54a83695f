import type { TransactionInstruction } from '@solana/web3.js';
import type { Address } from '../addresses.ts';
import { buildInstruction } from '../build-instruction.ts';

export type AcceptOrganizerAuthorityInput = {
  /** Signs. */
  pendingAuthority: Address;
  organizer: Address;
};

/** The second of two steps. Fails with Unauthorized for anybody but the proposed one. Works while paused. */
export function acceptOrganizerAuthority(
  programId: Address,
  input: AcceptOrganizerAuthorityInput,
): TransactionInstruction {
  const accounts = { pending_authority: input.pendingAuthority, organizer: input.organizer };
  return buildInstruction(programId, 'accept_organizer_authority', accounts);
}
