import { fileURLToPath } from 'node:url';
import { startChain } from '../../src/main/embedded/start-chain.ts';
import { CHAIN_PROGRAM_ID } from './chain-process.ts';

/** The embedded chain as a process of its own, as a node is; the arguments are the accounts that it gives money to. */
process.once('disconnect', () => process.exit(0));
process.once('SIGTERM', () => process.exit(0));

const SOL = 1_000_000_000;
const chain = await startChain({
  programId: CHAIN_PROGRAM_ID,
  soPath: fileURLToPath(new URL('../../programs/ticketing/ticketing.so', import.meta.url)),
  slotTimeMs: 400,
});
for (const address of process.argv.slice(2)) chain.fund(address, 10_000 * SOL);
process.send?.({ rpcUrl: chain.rpcUrl, wsUrl: chain.wsUrl });
