import type { TransactionInstruction } from '@solana/web3.js';
import type { Address } from '../addresses.ts';
import { buildInstruction } from '../build-instruction.ts';
import { configAddress, organizerAddress } from '../pdas.ts';

export type RegisterOrganizerInput = {
  /** Pays the rent of 124 bytes. Signs. */
  payer: Address;
  /** Signs. */
  admin: Address;
  /** The tenant's UUID, 16 bytes. */
  tenantId: Uint8Array;
  /** Will create events, mint, revoke and reissue. */
  authority: Address;
  /** Receives the royalties of resales. */
  feeRecipient: Address;
  /** In 1/100 of a percent of a resale price, 5000 at most. */
  resaleFeeBps: number;
};

/**
 * Registers a tenant's organizer, at `organizerAddress(programId, tenantId)`. Fails with AlreadyExists for a tenant that
 * is registered, with Unauthorized for anybody but the admin, with BadArgument on too high a fee, with Paused.
 */
export function registerOrganizer(programId: Address, input: RegisterOrganizerInput): TransactionInstruction {
  const accounts = {
    payer: input.payer,
    admin: input.admin,
    config: configAddress(programId),
    organizer: organizerAddress(programId, input.tenantId),
  };
  return buildInstruction(programId, 'register_organizer', accounts, {
    tenant: input.tenantId,
    authority: input.authority,
    fee_recipient: input.feeRecipient,
    resale_fee_bps: input.resaleFeeBps,
  });
}
