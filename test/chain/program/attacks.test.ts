import { describe, expect, it, vi } from 'vitest';
import { prefunded } from './support/address-attacks.ts';
import {
  countAttacks,
  declaredAttacks,
  gapsOf,
  instructionNames,
  specialAttacks,
  titleOf,
} from './support/attack-matrix.ts';
import type { Attack } from './support/attacks.ts';
import { type AccountData, account, putAccount, send } from './support/chain.ts';
import { errorName } from './support/error-name.ts';
import { type Scenario, scenarios } from './support/scenarios.ts';
import { type State, stateAt, stateOf } from './support/state-of.ts';
import { people } from './support/world.ts';

vi.setConfig({ testTimeout: 60_000 });

/** Where another error than the usual one of its class is right. */
const OTHERWISE: { [attack: string]: string } = {
  // Another organizer's authority is not the one that has signed.
  ...Object.fromEntries(
    [
      'update_organizer',
      'propose_organizer_authority',
      'accept_organizer_authority',
      'create_event',
      'update_event',
      'cancel_event',
      'close_event',
      'mint_ticket',
      'revoke',
      'reissue',
      'close_ticket',
    ].map((name) => [`${name}: foreign account as organizer`, 'Unauthorized']),
  ),
  // Whoever signs as buyer pays from their own account, and the one given is still Bob's.
  'resell: wrong signer as buyer': 'BadAccount',
  // An event cannot be its own rent recipient.
  'create_event: duplicate accounts as event as rent_recipient': 'BadArgument',
  'create_event: duplicate accounts as rent_recipient as event': 'BadArgument',
};

describe.each(instructionNames)('%s', (name) => {
  const { scenario, attacks } = declaredAttacks(name);
  const named = attacks.flatMap(({ instruction }) => instruction.keys.map(({ pubkey }) => pubkey.toBase58()));
  const before = stateOf(scenario.svm, [...new Set(named)]);

  for (const [kind, ofKind] of Object.entries(Object.groupBy(attacks, (attack) => attack.class))) {
    it(`refuses each of ${ofKind?.length} attempts with ${kind}, and nothing changes`, () => {
      const outcomes = (ofKind ?? []).map((attack) => [attack.on, spoiling(attack, scenario, before)]);
      const expected = (ofKind ?? []).map((attack) => [
        attack.on,
        OTHERWISE[titleOf(name, attack)] ?? attack.usual,
      ]);
      expect(outcomes).toEqual(expected);
    });
  }

  it('has changed no account at all by then, and succeeds when it is left as it was', () => {
    expect(stateOf(scenario.svm, Object.keys(before))).toEqual(before);
    expect(outcomeOf(scenario, scenario, before)).toBe('success, with changes');
  });

  const special = specialAttacks.filter(({ instruction }) => instruction === name);
  for (const { class: kind, on, make, error } of special) {
    it(`refuses ${kind}: ${on}, and nothing changes`, () => {
      const spoiled = make();
      expect(outcomeOf(spoiled, spoiled, stateOf(spoiled.svm, keysOf(spoiled)))).toBe(error);
    });
  }
});

describe('an account to be created', () => {
  for (const { instruction, on, make } of prefunded()) {
    it(`is created by ${instruction} although somebody has funded its address: ${on}`, () => {
      const scenario = make();
      expect(errorName(send(scenario.svm, [scenario.instruction], signersOf(scenario)).error)).toBe(
        'success',
      );
    });
  }
});

describe('the matrix of attacks', () => {
  it('has no gap: every cell has an attack, or else a reason why there is none', () => {
    expect(gapsOf(countAttacks())).toEqual([]);
  });

  it('would show a gap', () => {
    const matrix = countAttacks();
    matrix.cells.get('revoke')?.delete('replay');
    matrix.cells.get('check_in')?.set('price', 1);
    expect(gapsOf(matrix)).toEqual(['check_in: price', 'revoke: replay']);
  });

  it('has a scenario for every instruction of the IDL', () => {
    expect(Object.keys(scenarios).sort()).toEqual([...instructionNames].sort());
  });
});

/** The error's name, with a word on whether any account that could have been touched is not as it was. */
function outcomeOf(
  attempt: Pick<Scenario, 'instruction' | 'signers'>,
  { svm }: Scenario,
  before: State,
): string {
  const { error } = send(svm, [attempt.instruction], signersOf(attempt));
  const touched = Object.keys(
    stateAt(svm, [...keysOf(attempt), ...attempt.signers.map(({ address }) => address)]),
  );
  const same = touched.every((address) => before[address] === stateAt(svm, [address])[address]);
  return same ? errorName(error) : `${errorName(error)}, with changes`;
}

/** The outcome of an attack, while an account is what the attack wants it to be. */
function spoiling(attack: Attack, scenario: Scenario, before: State): string {
  if (attack.spoiled === undefined) return outcomeOf(attack, scenario, before);
  const { address, as } = attack.spoiled;
  const genuine = account(scenario.svm, address) as AccountData;
  putAccount(scenario.svm, address, as);
  const outcome = outcomeOf(attack, scenario, { ...before, ...stateAt(scenario.svm, [address]) });
  putAccount(scenario.svm, address, genuine);
  return outcome;
}

function signersOf({ signers }: Pick<Scenario, 'signers'>) {
  return [people.feePayer, ...signers];
}

function keysOf({ instruction }: Pick<Scenario, 'instruction'>): string[] {
  return instruction.keys.map(({ pubkey }) => pubkey.toBase58());
}
