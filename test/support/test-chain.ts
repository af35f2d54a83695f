import { fileURLToPath } from 'node:url';
import { type EmbeddedChain, startChain } from '../../src/main/embedded/start-chain.ts';
import { LOCAL_PROGRAM_ID } from './test-context.ts';

const SLOT_MS = 50;

/** The real Solana runtime with our program, in this process; 50 ms a slot, so that final is soon. */
export async function startTestChain(slotTimeMs = SLOT_MS): Promise<EmbeddedChain> {
  const soPath = fileURLToPath(new URL('../../programs/ticketing/ticketing.so', import.meta.url));
  return startChain({ programId: LOCAL_PROGRAM_ID, soPath, slotTimeMs });
}
