import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { allPayers } from '../../src/domain/chain/send/chain-context.ts';
import type { Signer } from '../../src/domain/chain/send/signer.ts';
import { initChain } from '../../src/main/init-chain.ts';

export const CHAIN_PROGRAM_ID = 'TesseraTicket111111111111111111111111111111';

export type ChainProcess = { rpcUrl: string; wsUrl: string; stop(): Promise<void> };

/** A new chain in a process of its own, with the program configured and the keys of `signer` in money. */
export async function startChainProcess(signer: Signer): Promise<ChainProcess> {
  const keys = [{ use: 'admin' } as const, ...allPayers()];
  const addresses = await Promise.all(keys.map((key) => signer.address(key)));
  const child = fork(fileURLToPath(new URL('./serve-chain.ts', import.meta.url)), addresses);
  const [urls] = (await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(([code]) => {
      throw new Error(`the chain ended with ${code} before it answered`);
    }),
  ])) as [{ rpcUrl: string; wsUrl: string }];
  await initChain({ rpcUrl: urls.rpcUrl, programId: CHAIN_PROGRAM_ID, signer });
  return {
    ...urls,
    async stop() {
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
    },
  };
}
