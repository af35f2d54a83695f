import type { TransactionInstruction } from '@solana/web3.js';
import type { Address } from '../addresses.ts';
import { buildInstruction } from '../build-instruction.ts';
import { configAddress, programDataAddress } from '../pdas.ts';

export type InitConfigInput = {
  /** Pays the rent of 109 bytes. Signs. */
  payer: Address;
  /** Becomes the admin; has to be the program's upgrade authority if it has one. Signs. */
  admin: Address;
  /** Receives the protocol fees of resales. */
  treasury: Address;
  /** In 1/100 of a percent of a resale price, 1000 at most. */
  protocolFeeBps: number;
};

/** Creates the configuration, once. Fails with AlreadyExists afterwards, with Unauthorized for anybody else. */
export function initConfig(programId: Address, input: InitConfigInput): TransactionInstruction {
  const accounts = {
    payer: input.payer,
    admin: input.admin,
    config: configAddress(programId),
    program: programId,
    program_data: programDataAddress(programId),
  };
  return buildInstruction(programId, 'init_config', accounts, {
    treasury: input.treasury,
    protocol_fee_bps: input.protocolFeeBps,
  });
}
