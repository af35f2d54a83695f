import type { TransactionInstruction } from '@solana/web3.js';
import type { Address } from '../addresses.ts';
import { buildInstruction } from '../build-instruction.ts';

export type UpdateOrganizerInput = {
  /** Signs. */
  authority: Address;
  organizer: Address;
  feeRecipient?: Address | undefined;
  /** In 1/100 of a percent of a resale price, 5000 at most. */
  resaleFeeBps?: number | undefined;
};

/**
 * Changes where royalties go and how high they are; what is not given stays. Fails with BadArgument on too high a fee,
 * with Unauthorized for anybody but the organizer's authority. Works while paused.
 */
export function updateOrganizer(programId: Address, input: UpdateOrganizerInput): TransactionInstruction {
  const accounts = { authority: input.authority, organizer: input.organizer };
  return buildInstruction(programId, 'update_organizer', accounts, {
    fee_recipient: input.feeRecipient ?? null,
    resale_fee_bps: input.resaleFeeBps ?? null,
  });
}
