import { Connection, LAMPORTS_PER_SOL, PublicKey } from '@solana/web3.js';
import { loadConfig } from '../config.ts';
import { allPayers } from '../domain/chain/send/chain-context.ts';
import { openFileSigner } from '../domain/chain/send/file-signer.ts';
import type { Signer } from '../domain/chain/send/signer.ts';
import { waitFor } from '../platform/retry.ts';
import { exitOnProblem } from '../process/exit.ts';
import { initChain } from './init-chain.ts';

/**
 * Prepares the chain for a full installation: with CHAIN_AIRDROP_SOL asks the faucet of a test chain for money, then
 * makes the program's configuration. May be run any number of times.
 */
await exitOnProblem(async () => {
  const config = loadConfig(process.env, 'setup-chain');
  const rpcUrl = config.CHAIN_RPC_URL[0] as string;
  const signer = await openFileSigner(config.SIGNER_KEY_FILE as string);
  if (config.CHAIN_AIRDROP_SOL > 0) await airdrop(rpcUrl, signer, config.CHAIN_AIRDROP_SOL);
  const made = await initChain({ rpcUrl, programId: config.CHAIN_PROGRAM_ID as string, signer });
  console.log(made ? 'the program is configured' : 'the program was configured before');
});

async function airdrop(rpcUrl: string, signer: Signer, sol: number): Promise<void> {
  const connection = new Connection(rpcUrl, 'confirmed');
  for (const key of [{ use: 'admin' } as const, ...allPayers()]) {
    const address = new PublicKey(await signer.address(key));
    const wanted = sol * LAMPORTS_PER_SOL;
    if ((await connection.getBalance(address)) >= wanted / 2) continue;
    await connection.requestAirdrop(address, wanted);
    const paid = await waitFor(async () => (await connection.getBalance(address)) >= wanted / 2, {
      timeoutMs: 60_000,
    });
    if (!paid) throw new Error(`The faucet of ${rpcUrl} did not pay ${address.toBase58()}.`);
  }
}
