import { mkdir } from 'node:fs/promises';
import { createLogger } from '../platform/logger.ts';
import { periodic } from '../platform/periodic.ts';
import { dataFolder, readEnvironment } from '../process/environment.ts';
import { exitOnProblem } from '../process/exit.ts';
import { forwardPort } from './embedded/forward-port.ts';
import { lockFolder } from './embedded/lock-folder.ts';
import { LOCAL_PROGRAM_ID, PROGRAM_FILE, startChain } from './embedded/start-chain.ts';
import { listenError } from './listen-error.ts';

const SLOT_MS = 400;
const SAVE_EVERY_MS = 15_000;

/**
 * `npm run chain`: the embedded Solana runtime alone, with the program, at the ports of CHAIN_RPC_URL and CHAIN_WS_URL:
 * for the four processes where there is no validator. Its accounts are kept, its history is not.
 */
await exitOnProblem(async () => {
  const env = readEnvironment();
  const [rpcUrl = ''] = (env.CHAIN_RPC_URL || 'http://127.0.0.1:8899').split(',');
  const wsUrl = env.CHAIN_WS_URL || 'ws://127.0.0.1:8900';
  const programId = env.CHAIN_PROGRAM_ID || LOCAL_PROGRAM_ID;
  const stopping = new AbortController();
  const stopped = new Promise<void>((resolve) => {
    for (const event of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(event, () => resolve());
  });
  // Not the folder of `npm start`, which may run beside it with a chain of its own.
  const folder = `${dataFolder(env)}/chain`;
  await mkdir(folder, { recursive: true });
  await lockFolder(folder);
  const snapshotFile = `${folder}/chain.json`;
  const chain = await startChain({ programId, soPath: PROGRAM_FILE, slotTimeMs: SLOT_MS, snapshotFile });
  await open('CHAIN_RPC_URL', rpcUrl, chain.rpcUrl);
  await open('CHAIN_WS_URL', wsUrl, chain.wsUrl);
  console.log(
    `A Solana chain of this machine alone is up, with the program ${programId}. Ctrl-C stops it.\n`,
  );
  console.log(`CHAIN_RPC_URL=${rpcUrl}\nCHAIN_WS_URL=${wsUrl}\nCHAIN_PROGRAM_ID=${programId}`);
  if (chain.restored) {
    console.log(
      `\nIts ${chain.restored.accounts} accounts are those of ${chain.restored.savedAt}; its history is not kept. The listener takes it for another chain and wants to be told: npm run listener -- --new-chain`,
    );
  }
  const log = createLogger({ level: 'warn', process: 'chain' });
  const { signal } = stopping;
  const saving = periodic('chain snapshot', { everyMs: SAVE_EVERY_MS, log, signal }, chain.save);
  await stopped;
  stopping.abort();
  await saving;
  await chain.save();
  console.log('Stopped. The next start goes on from its accounts.');
  process.exit(0);
});

/** Our chain under the address that the other processes are told. */
async function open(variable: string, wanted: string, target: string): Promise<void> {
  const { hostname, port } = new URL(wanted);
  if (!['127.0.0.1', 'localhost'].includes(hostname) || port === '') {
    throw new Error(
      `${variable} must be at a port of 127.0.0.1 to run the chain there; it is at ${hostname}.`,
    );
  }
  await forwardPort(Number(port), target).catch((error: NodeJS.ErrnoException) => {
    throw listenError(error, { host: hostname, port: Number(port), variable });
  });
}
