import { TransactionInstruction } from '@solana/web3.js';
import fc from 'fast-check';
import { FailedTransactionMetadata, type LiteSVM } from 'litesvm';
import { describe, expect, it, vi } from 'vitest';
import { compileMessage, requiredSigners } from '../../../programs-client/send.ts';
import { errorName } from './support/error-name.ts';
import { type Scenario, scenarios } from './support/scenarios.ts';
import { scenarioOf } from './support/special-attacks.ts';
import { stateOf } from './support/state-of.ts';
import { people } from './support/world.ts';

vi.setConfig({ testTimeout: 60_000 });

const { feePayer, mallory } = people;
const ATTEMPTS_EACH = 280;

type Trial = { svm: LiteSVM; head: Uint8Array; signatures: { [signer: string]: Uint8Array } };

/**
 * A scenario made ready for many messages that differ in their data only: that is the last part of a legacy message of
 * one instruction, behind its length. Signatures are not looked at here, only who is named as a signer.
 */
function trialOf({ svm, instruction }: Scenario): Trial {
  const { programId, keys } = instruction;
  const empty = new TransactionInstruction({ programId, keys, data: Buffer.alloc(0) });
  const message = compileMessage([empty], feePayer.address, svm.latestBlockhash());
  const signatures = Object.fromEntries(requiredSigners(message).map((one) => [one, new Uint8Array(64)]));
  svm.withSigverify(false).withBlockhashCheck(false).withTransactionHistory(0n);
  return { svm, head: message.subarray(0, -1), signatures };
}

function attempt({ svm, head, signatures }: Trial, data: Uint8Array): string {
  const length = data.length < 128 ? [data.length] : [(data.length & 127) | 128, data.length >> 7];
  const messageBytes = Buffer.concat([head, Uint8Array.from(length), data]);
  const outcome = svm.sendTransaction({ messageBytes, signatures } as never);
  return errorName(outcome instanceof FailedTransactionMetadata ? outcome.err().toString() : undefined);
}

/** The scenario with somebody signing who may not, where anybody but the payer has to. */
function byMallory(name: string): Scenario {
  const { svm, instruction, signers } = scenarioOf(name);
  const payer = people.payer.address;
  for (const key of instruction.keys) {
    if (key.isSigner && key.pubkey.toBase58() !== payer) key.pubkey = keyOf(mallory.address, key.pubkey);
  }
  return { svm, instruction, signers: [...signers.filter(({ address }) => address === payer), mallory] };
}

function keyOf<Key extends { constructor: unknown }>(address: string, like: Key): Key {
  return new (like.constructor as new (address: string) => Key)(address);
}

describe.each(Object.keys(scenarios))('random data on the accounts of %s', (name) => {
  it('never succeeds and never changes anything, whoever signs', () => {
    const scenario = scenarioOf(name);
    const named = scenario.instruction.keys.map(({ pubkey }) => pubkey.toBase58());
    const before = stateOf(scenario.svm, named);
    const trial = trialOf(scenario);
    const outcomes = new Set<string>();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (data) => {
        outcomes.add(attempt(trial, data));
      }),
      { numRuns: ATTEMPTS_EACH, seed: 1 },
    );
    expect([...outcomes]).toEqual(['UnknownInstruction']);
    expect(stateOf(scenario.svm, named)).toEqual(before);
  });

  it('never succeeds and never changes anything behind the right discriminator, if the wrong one signs', () => {
    const scenario = byMallory(name);
    const named = scenario.instruction.keys.map(({ pubkey }) => pubkey.toBase58());
    const before = stateOf(scenario.svm, named);
    const trial = trialOf(scenario);
    const { data } = scenario.instruction;
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.nat(data.length), (noise, kept) => {
        // The valid data up to some byte, so that noise reaches every argument.
        const head = data.subarray(0, Math.max(8, kept));
        const outcome = attempt(trial, Buffer.concat([head, noise]));
        expect(['Unauthorized', 'BadArgument', 'BadAccount']).toContain(outcome);
      }),
      { numRuns: ATTEMPTS_EACH, seed: 2 },
    );
    expect(stateOf(scenario.svm, named)).toEqual(before);
  });
});
