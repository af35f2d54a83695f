import { fileURLToPath } from 'node:url';
import { type EmbeddedChain, startChain } from '../../src/main/embedded/start-chain.ts';
import { LOCAL_PROGRAM_ID } from './test-context.ts';
import { startTestValidator, type TestValidator } from './test-validator.ts';

const SLOT_MS = 50;
const soPath = fileURLToPath(new URL('../../programs/ticketing/ticketing.so', import.meta.url));

export type TestChain = TestValidator;

/** CHAIN=validator runs the suites that follow the chain against solana-test-validator, with its slots of 400 ms. */
export const onValidator = process.env.CHAIN === 'validator';

/** How long something on the chain may take: on a validator final comes after 12 s, and a blockhash lives for a minute. */
export const CHAIN_PATIENCE = onValidator
  ? { timeoutMs: 150_000, everyMs: 100 }
  : { timeoutMs: 20_000, everyMs: 30 };

/** The chain that the suites run on, with our program: embedded unless CHAIN=validator. */
export async function startTestChain(): Promise<TestChain> {
  if (onValidator) return startTestValidator({ [LOCAL_PROGRAM_ID]: soPath });
  const chain = await startEmbeddedTestChain();
  return {
    rpcUrl: chain.rpcUrl,
    wsUrl: chain.wsUrl,
    fund: async (address, lamports) => chain.fund(address, lamports),
    stop: chain.stop,
  };
}

/** The real Solana runtime with our program, in this process; 50 ms a slot, so that final is soon. */
export function startEmbeddedTestChain(slotTimeMs = SLOT_MS): Promise<EmbeddedChain> {
  return startChain({ programId: LOCAL_PROGRAM_ID, soPath, slotTimeMs });
}
