import { describe, it } from 'vitest';
import { startFakeChain } from '../support/fake-chain/start-fake-chain.ts';
import { startTestChain } from '../support/test-chain.ts';
import { chainContract } from './support/chain-contract.ts';
import { findValidator } from './support/find-validator.ts';
import { startValidator } from './support/start-validator.ts';

describe('the contract of a chain, held by the fake one', () => {
  chainContract(() => startFakeChain({ seed: 'contract' }), true);
});

describe('the contract of a chain, held by the fake one where it stands in for a node that takes no batches', () => {
  const noBatches = { main: { noBatches: true } };
  chainContract(() => startFakeChain({ seed: 'contract', nodes: noBatches }), false);
});

describe('the contract of a chain, held by the embedded runtime', () => {
  chainContract(() => startTestChain(), false);
});

const validator = findValidator();
if ('command' in validator) {
  describe(`the contract of a chain, held by ${validator.version}`, () => {
    chainContract(() => startValidator(validator.command), true);
  });
} else {
  it.skip(`the contract of a chain, held by a validator: not run, since ${validator.missing}`, () => {});
}
