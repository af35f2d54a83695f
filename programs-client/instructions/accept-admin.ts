import type { TransactionInstruction } from '@solana/web3.js';
import type { Address } from '../addresses.ts';
import { buildInstruction } from '../build-instruction.ts';
import { configAddress } from '../pdas.ts';

export type AcceptAdminInput = {
  /** Signs. */
  pendingAdmin: Address;
};

/** The second of two steps to another admin. Fails with Unauthorized for anybody but the proposed one. */
export function acceptAdmin(programId: Address, input: AcceptAdminInput): TransactionInstruction {
  const accounts = { pending_admin: input.pendingAdmin, config: configAddress(programId) };
  return buildInstruction(programId, 'accept_admin', accounts);
}
