import { Connection, LAMPORTS_PER_SOL, PublicKey } from '@solana/web3.js';
import { accountSizes } from '../../programs-client/accounts.ts';
import { toAddress } from '../../programs-client/addresses.ts';
import { configAddress } from '../../programs-client/pdas.ts';
import { type Config, ConfigError, loadConfig } from '../config.ts';
import { createRpc } from '../domain/chain/rpc/rpc.ts';
import { fundedKeys } from '../domain/chain/send/chain-context.ts';
import { findCoinFault } from '../domain/chain/send/check-coin.ts';
import { openFileSigner } from '../domain/chain/send/file-signer.ts';
import type { KeyRef, Signer } from '../domain/chain/send/signer.ts';
import { createMemoryCache } from '../platform/cache-memory.ts';
import { createLogger } from '../platform/logger.ts';
import { createMetrics } from '../platform/metrics.ts';
import { waitFor } from '../platform/retry.ts';
import { readEnvironment } from '../process/environment.ts';
import { exitOnProblem } from '../process/exit.ts';
import { initChain } from './init-chain.ts';
import { probeToken2022 } from './probe-token-2022.ts';

/** What one ticket costs whoever pays for it, rent and fee, in lamports; see docs/program.md. */
const TICKET_LAMPORTS = 9_000_000;
const FEE_LAMPORTS = 10_000;

/** A node, called by its host alone: the rest of its URL may be a secret of its provider. */
type Node = { connection: Connection; name: string };
/** An address that pays, what for, and how many lamports that takes at least. */
type Purse = { address: PublicKey; name: string; needs: number };

/**
 * Prepares the chain for a full installation: with CHAIN_AIRDROP_SOL asks the faucet of a test chain for money, sees
 * whether tickets can be minted on it, then makes the program's configuration. May be run any number of times.
 */
await exitOnProblem(async () => {
  const config = loadConfig(readEnvironment(), 'setup-chain');
  const rpcUrl = config.CHAIN_RPC_URL[0] as string;
  const programId = config.CHAIN_PROGRAM_ID as string;
  const node = { connection: new Connection(rpcUrl, 'confirmed'), name: new URL(rpcUrl).origin };
  await refuseWrongNode(node, programId);
  const signer = await openFileSigner(config.SIGNER_KEY_FILE as string);
  const purses = await listPurses(node, programId, signer, fundedKeys(config.CHAIN_PAYERS));
  if (config.CHAIN_AIRDROP_SOL > 0)
    for (const purse of purses) await airdrop(node, purse, config.CHAIN_AIRDROP_SOL);
  await refuseEmptyPurses(node, purses);
  const untried = await probeToken2022(rpcUrl, await signer.address({ use: 'payer', index: 0 }));
  console.log(untried ? `whether tickets can be minted was not tried: ${untried}` : 'tickets can be minted');
  await checkCoins(config);
  const made = await initChain({ rpcUrl, programId, signer });
  console.log(made ? 'the program is configured' : 'the program was configured before');
});

async function refuseWrongNode({ connection, name }: Node, programId: string): Promise<void> {
  await connection.getGenesisHash().catch((error: Error) => {
    const cause = error.cause instanceof Error ? error.cause.message : error.message;
    throw new Error(`The Solana node at ${name} (CHAIN_RPC_URL) does not answer: ${cause.trim()}.`);
  });
  const program = await connection.getAccountInfo(new PublicKey(programId));
  if (program?.executable) return;
  throw new Error(
    `There is no program at ${programId} (CHAIN_PROGRAM_ID) on the chain of ${name}; deploy programs/ticketing/ticketing.so there first.`,
  );
}

/** @throws ConfigError with a sentence for each coin that is not on this chain what CHAIN_CURRENCIES says */
async function checkCoins(config: Config): Promise<void> {
  const log = createLogger({ level: 'error', process: 'setup-chain' });
  const rpc = createRpc({
    urls: config.CHAIN_RPC_URL,
    cache: createMemoryCache(),
    log,
    metrics: createMetrics(),
  });
  const coins = [...config.CHAIN_CURRENCIES];
  const faults = await Promise.all(coins.map(([currency, coin]) => findCoinFault(rpc, currency, coin)));
  await rpc.close();
  const told = faults.filter((fault) => fault !== undefined);
  if (told.length > 0) throw new ConfigError(told);
}

async function listPurses(
  { connection }: Node,
  programId: string,
  signer: Signer,
  keys: KeyRef[],
): Promise<Purse[]> {
  const config = new PublicKey(configAddress(toAddress(programId)));
  const configured = (await connection.getAccountInfo(config)) !== null;
  const [configRent, ownRent] = await Promise.all(
    [accountSizes.config, 0].map((size) => connection.getMinimumBalanceForRentExemption(size)),
  );
  return Promise.all(
    keys.map(async (key) => ({
      address: new PublicKey(await signer.address(key)),
      ...purposeOf(key, configured ? 0 : (configRent ?? 0) + (ownRent ?? 0) + FEE_LAMPORTS),
    })),
  );
}

function purposeOf({ use }: KeyRef, configLamports: number): Pick<Purse, 'name' | 'needs'> {
  if (use === 'admin') return { name: 'admin, which pays for the configuration', needs: configLamports };
  // Payers that have money do without it: nothing is refused for an empty one, and the worker says so.
  if (use === 'treasury') return { name: 'treasury, which refills the payers', needs: 0 };
  return { name: 'payer, which pays for tickets', needs: TICKET_LAMPORTS };
}

async function airdrop(node: Node, { address }: Purse, sol: number): Promise<void> {
  const { connection, name } = node;
  const wanted = sol * LAMPORTS_PER_SOL;
  if ((await connection.getBalance(address)) >= wanted / 2) return;
  await connection.requestAirdrop(address, wanted).catch((error: Error) => {
    throw new Error(
      `The faucet of ${name} refuses ${sol} SOL to ${address.toBase58()}: ${error.message} Send it some another way, and leave CHAIN_AIRDROP_SOL out.`,
    );
  });
  const paid = await waitFor(async () => (await connection.getBalance(address)) >= wanted / 2, {
    timeoutMs: 60_000,
  });
  if (!paid) throw new Error(`The faucet of ${name} did not pay ${address.toBase58()}.`);
}

async function refuseEmptyPurses({ connection, name }: Node, purses: Purse[]): Promise<void> {
  const problems: string[] = [];
  for (const { address, name: purpose, needs } of purses) {
    const balance = await connection.getBalance(address);
    if (balance >= needs) continue;
    const [has, wants] = [balance, needs].map((lamports) => lamports / LAMPORTS_PER_SOL);
    problems.push(
      `${address.toBase58()}, the ${purpose}, has ${has} SOL on the chain of ${name} and needs ${wants}.`,
    );
  }
  if (problems.length === 0) return;
  problems.push('Send these addresses what they need, or on a test chain set CHAIN_AIRDROP_SOL=100.');
  throw new ConfigError(problems);
}
