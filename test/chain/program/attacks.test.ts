import { describe, expect, it, vi } from 'vitest';
import { IDL } from '../../../programs-client/wire.ts';
import { bumpAttacks, CREATED, prefunded } from './support/address-attacks.ts';
import { type Attack, attacksOn, putTwinConfig } from './support/attacks.ts';
import { type AccountData, account, putAccount, send } from './support/chain.ts';
import { errorName } from './support/error-name.ts';
import { ruleAttacks } from './support/rule-attacks.ts';
import { type Scenario, scenarios } from './support/scenarios.ts';
import { scenarioOf } from './support/special-attacks.ts';
import { type State, stateAt, stateOf } from './support/state-of.ts';
import { statusAttacks, WHILE_PAUSED } from './support/status-attacks.ts';
import { valueAttacks } from './support/value-attacks.ts';
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

/** What looks like a substitution but is a choice that the caller has. */
const CHOICES = new Set([
  'create_event: account out of nowhere as rent_recipient',
  'create_event: foreign account as rent_recipient',
  'create_event: duplicate accounts as payer as rent_recipient',
  'create_event: copy at another address as currency_mint',
]);

const special = [...statusAttacks(), ...valueAttacks(), ...ruleAttacks(), ...bumpAttacks()];
const instructions = IDL.instructions.map(({ name }) => name);

describe.each(instructions)('%s', (name) => {
  const scenario = scenarioOf(name);
  putTwinConfig(scenario.svm);
  const attacks = attacksOn(name, scenario).filter((attack) => !CHOICES.has(titleOf(name, attack)));
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

  for (const { class: kind, on, make, error } of special.filter(({ instruction }) => instruction === name)) {
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
  const generated = instructions.flatMap((name) =>
    attacksOn(name, scenarioOf(name)).map((attack) => ({ instruction: name, class: attack.class })),
  );
  const funded = prefunded().map(({ instruction }) => ({ instruction, class: 'prefunded address' }));
  const made = new Set(
    [...generated, ...special, ...funded].map((one) => `${one.instruction}: ${one.class}`),
  );
  const classes = [...new Set([...made].map((cell) => cell.replace(/^\w+: /, '')))];

  it('names a reason for every cell that has no attack, and for no other', () => {
    const empty = instructions.flatMap((name) =>
      classes.map((kind) => `${name}: ${kind}`).filter((cell) => !made.has(cell)),
    );
    const excused = instructions.flatMap((name) =>
      classes.filter((kind) => reasonAgainst(kind, name) !== undefined).map((kind) => `${name}: ${kind}`),
    );
    expect(excused.sort()).toEqual(empty.sort());
  });

  it('has a scenario for every instruction of the IDL', () => {
    expect(Object.keys(scenarios).sort()).toEqual([...instructions].sort());
  });
});

const IDEMPOTENT = [
  'set_config',
  'propose_admin',
  'update_organizer',
  'propose_organizer_authority',
  'update_event',
];
const MOVES = ['transfer_ticket', 'resell'];
const HAS_STATUS =
  /^(create_event|update_event|cancel_event|close_event|mint_ticket|transfer_ticket|resell|check_in|revoke|reissue|close_ticket)$/;
const TAKES_VALUES =
  /^(init_config|set_config|register_organizer|update_organizer|create_event|update_event|mint_ticket|transfer_ticket|resell|revoke|reissue)$/;
const CHANGES_VERSION = ['mint_ticket', ...MOVES, 'check_in', 'revoke', 'reissue', 'close_ticket'];

/** Why a class of attacks does not apply to an instruction; undefined if it does. */
function reasonAgainst(kind: string, name: string): string | undefined {
  const { accounts } = IDL.instructions.find((one) => one.name === name) ?? { accounts: [] };
  const list = accounts as { name: string; writable?: boolean; signer?: boolean; address?: string }[];
  const reasons: { [kind: string]: string | false } = {
    'wrong program': !list.some(({ address }) => address) && 'it calls no other program',
    'spoiled account': name === 'init_config' && 'it reads no account of the program',
    'duplicate accounts':
      list.filter(({ writable }) => writable).length < 2 && 'it writes to one account only',
    'non-canonical bump': !CREATED[name] && 'it creates no account',
    'prefunded address': !CREATED[name] && 'it creates no account',
    paused: WHILE_PAUSED.includes(name) && 'it works while paused, on purpose',
    replay: IDEMPOTENT.includes(name) && 'doing it twice sets what is set already',
    'wrong status': !HAS_STATUS.test(name) && 'neither configuration nor organizers have a status',
    overflow: !CHANGES_VERSION.includes(name) && 'it reckons with no amount and counts no version',
    price: name !== 'resell' && 'it has no price',
    'transfer policy': !MOVES.includes(name) && 'the policy is about transfers and resales',
    'wrong time': ![...MOVES, 'check_in'].includes(name) && 'it has no window',
    'forbidden value': !TAKES_VALUES.test(name) && 'it takes no value, or allows any',
  };
  return reasons[kind] || undefined;
}

function titleOf(name: string, { class: kind, on }: Attack): string {
  return `${name}: ${kind} as ${on}`;
}

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
