import type { TransactionInstruction } from '@solana/web3.js';
import { type Address, NO_ADDRESS } from '../addresses.ts';
import { buildInstruction } from '../build-instruction.ts';
import { configAddress } from '../pdas.ts';

export type ProposeAdminInput = {
  /** Signs. */
  admin: Address;
  /** Who may take over with `acceptAdmin`; none withdraws the proposal. */
  pendingAdmin?: Address | undefined;
};

/** The first of two steps to another admin. Fails with Unauthorized for anybody but the admin. Works while paused. */
export function proposeAdmin(programId: Address, input: ProposeAdminInput): TransactionInstruction {
  const accounts = { admin: input.admin, config: configAddress(programId) };
  return buildInstruction(programId, 'propose_admin', accounts, {
    pending_admin: input.pendingAdmin ?? NO_ADDRESS,
  });
}
