import { ComputeBudgetProgram, type TransactionInstruction } from '@solana/web3.js';
import type { Address } from '../../../../programs-client/addresses.ts';
import { computeLimit, type InstructionName } from '../../../../programs-client/compute-limits.ts';
import { compileMessage } from '../../../../programs-client/send.ts';
import type { Draft } from './draft.ts';

/** The transaction of a single instruction, with the compute limit that the instruction is known to need. */
export function draftOfInstruction(
  draft: Omit<Draft, 'write'> & {
    instruction: InstructionName;
    build(payer: Address): TransactionInstruction;
  },
): Draft {
  const { instruction, build, ...rest } = draft;
  return {
    ...rest,
    write(payer, blockhash, units = computeLimit([{ instruction }])) {
      const budget = ComputeBudgetProgram.setComputeUnitLimit({ units });
      return compileMessage([budget, build(payer)], payer, blockhash);
    },
  };
}
