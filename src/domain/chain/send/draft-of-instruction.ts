import { ComputeBudgetProgram, type TransactionInstruction } from '@solana/web3.js';
import { accountSizes } from '../../../../programs-client/accounts.ts';
import type { Address } from '../../../../programs-client/addresses.ts';
import { computeLimit, type InstructionName } from '../../../../programs-client/compute-limits.ts';
import { compileMessage } from '../../../../programs-client/send.ts';
import type { Draft } from './draft.ts';

/** The accounts that instructions make. */
const made: Partial<Record<InstructionName, number[]>> = {
  register_organizer: [accountSizes.organizer],
  create_event: [accountSizes.event],
  transfer_ticket: [accountSizes.token],
};

/** Both budget instructions, whether the price is set or not. */
const BUDGET_INSTRUCTIONS = 2;

/** The transaction of a single instruction, with the compute limit that the instruction is known to need. */
export function draftOfInstruction(
  draft: Omit<Draft, 'write' | 'units' | 'accounts'> & {
    instruction: InstructionName;
    build(payer: Address): TransactionInstruction;
  },
): Draft {
  const { instruction, build, ...rest } = draft;
  const units = computeLimit([{ instruction }], BUDGET_INSTRUCTIONS);
  return {
    ...rest,
    units,
    accounts: made[instruction] ?? [],
    write(terms) {
      const { payer, blockhash, unitPrice } = terms;
      const budget = [ComputeBudgetProgram.setComputeUnitLimit({ units: terms.units ?? units })];
      if (unitPrice > 0) budget.push(ComputeBudgetProgram.setComputeUnitPrice({ microLamports: unitPrice }));
      return compileMessage([...budget, build(payer)], payer, blockhash);
    },
  };
}
