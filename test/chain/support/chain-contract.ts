/** What every chain has to answer, on the wire: shapes, orders and refusals that our code relies on. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, vi } from 'vitest';
import { actor } from '../program/support/actors.ts';
import { accountsContract } from './contract/accounts.ts';
import type { ContractChain, ContractWorld } from './contract/contract-world.ts';
import { listsContract } from './contract/lists.ts';
import { refusalsContract } from './contract/refusals.ts';
import { slotsContract } from './contract/slots.ts';
import { socketContract } from './contract/socket.ts';
import { tokensContract } from './contract/tokens.ts';
import { transactionsContract } from './contract/transactions.ts';
import { trialsContract } from './contract/trials.ts';
import { rawRpc } from './raw-rpc.ts';
import { airdrop, SOL } from './send-raw.ts';

// A validator's final comes after half a minute on a busy machine.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 180_000 });

/**
 * @param agave whether it is held to the word of Agave, as a validator is; the embedded runtime deviates in places, as
 * in batches, limits and some sentences, and is held to what both have in common
 */
export function chainContract(start: () => Promise<ContractChain>, agave: boolean): void {
  let chain: ContractChain;
  const run = randomUUID();
  const world: ContractWorld = {
    rpc: rawRpc(() => chain.rpcUrl),
    wsUrl: () => chain.wsUrl,
    agave,
    run,
    alice: actor(`alice of the contract ${run}`),
    bob: actor(`bob of the contract ${run}`),
  };

  beforeAll(async () => {
    chain = await start();
    await airdrop(world.rpc, world.alice, 100 * SOL);
  });

  afterAll(() => chain?.stop());

  slotsContract(world);
  transactionsContract(world);
  trialsContract(world);
  listsContract(world);
  accountsContract(world);
  tokensContract(world);
  refusalsContract(world);
  socketContract(world);
}
