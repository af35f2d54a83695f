import { describe } from 'vitest';
import { PROGRAM, PROGRAM_FILE } from './support/chain.ts';
import { clusterSuite } from './support/cluster-suite.ts';
import { startSurfpool } from './support/surfpool.ts';

describe('the client against the embedded runtime', () => {
  clusterSuite(async () => startSurfpool({ [PROGRAM]: PROGRAM_FILE }));
});
