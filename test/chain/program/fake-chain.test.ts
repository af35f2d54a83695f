import { Connection } from '@solana/web3.js';
import { describe } from 'vitest';
import { startFakeChain } from '../../support/fake-chain/start-fake-chain.ts';
import { clusterSuite } from './support/cluster-suite.ts';

describe('the client against the fake chain', () => {
  clusterSuite(async () => {
    const chain = await startFakeChain({ seed: 'the client' });
    const connection = new Connection(chain.rpcUrl, { wsEndpoint: chain.wsUrl, commitment: 'confirmed' });
    // A lookup table is made by a slot that is final.
    chain.advance(40);
    return { connection, stop: () => void chain.stop() };
  });
});
