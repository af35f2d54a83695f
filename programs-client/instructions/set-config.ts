import type { TransactionInstruction } from '@solana/web3.js';
import type { Address } from '../addresses.ts';
import { buildInstruction } from '../build-instruction.ts';
import { configAddress } from '../pdas.ts';

export type SetConfigInput = {
  /** Signs. */
  admin: Address;
  treasury?: Address | undefined;
  /** In 1/100 of a percent of a resale price, 1000 at most. */
  protocolFeeBps?: number | undefined;
  /** While paused, nothing can be done with events and tickets. */
  paused?: boolean | undefined;
};

/**
 * Changes treasury, fee and pause; what is not given stays. Fails with BadArgument on too high a fee, with Unauthorized
 * for anybody but the admin. Works while paused.
 */
export function setConfig(programId: Address, input: SetConfigInput): TransactionInstruction {
  const accounts = { admin: input.admin, config: configAddress(programId) };
  return buildInstruction(programId, 'set_config', accounts, {
    treasury: input.treasury ?? null,
    protocol_fee_bps: input.protocolFeeBps ?? null,
    paused: input.paused ?? null,
  });
}
