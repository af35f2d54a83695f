import { describe, it } from 'vitest';
import { startFakeChain } from '../support/fake-chain/start-fake-chain.ts';
import { findValidator } from '../support/find-validator.ts';
import { startEmbeddedTestChain } from '../support/test-chain.ts';
import { startTestValidator } from '../support/test-validator.ts';
import { PROGRAM, PROGRAM_FILE } from './program/support/chain.ts';
import { chainContract } from './support/chain-contract.ts';

describe('the contract of a chain, held by the fake one', () => {
  chainContract(() => startFakeChain({ seed: 'contract' }), true);
});

describe('the contract of a chain, held by the fake one where it stands in for a node that takes no batches', () => {
  const noBatches = { main: { noBatches: true } };
  chainContract(() => startFakeChain({ seed: 'contract', nodes: noBatches }), false);
});

describe('the contract of a chain, held by the embedded runtime', () => {
  chainContract(() => startEmbeddedTestChain(), false);
});

const validator = findValidator();
if ('command' in validator) {
  describe(`the contract of a chain, held by ${validator.version}`, () => {
    chainContract(() => startTestValidator({ [PROGRAM]: PROGRAM_FILE }), true);
  });
} else {
  it.skip(`the contract of a chain, held by a validator: not run, since ${validator.missing}`, () => {});
}
