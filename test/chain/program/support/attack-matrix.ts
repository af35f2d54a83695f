/** Every attack there is, by instruction and class, and why a cell of that matrix may be empty. */
import { IDL } from '../../../../programs-client/wire.ts';
import { bumpAttacks, CREATED, prefunded } from './address-attacks.ts';
import { type Attack, attacksOn, putTwinConfig } from './attacks.ts';
import { currencyAttacks } from './currency-attacks.ts';
import { ruleAttacks } from './rule-attacks.ts';
import type { Scenario } from './scenarios.ts';
import { type SpecialAttack, scenarioOf } from './special-attacks.ts';
import { statusAttacks, WHILE_PAUSED } from './status-attacks.ts';
import { valueAttacks } from './value-attacks.ts';

export const instructionNames = IDL.instructions.map(({ name }) => name);

/** Attacks that need a chain of their own. */
export const specialAttacks: SpecialAttack[] = [
  ...statusAttacks(),
  ...valueAttacks(),
  ...ruleAttacks(),
  ...currencyAttacks(),
  ...bumpAttacks(),
];

/** What looks like a substitution but is a choice that the caller has. */
const CHOICES = new Set([
  'create_event: account out of nowhere as rent_recipient',
  'create_event: foreign account as rent_recipient',
  'create_event: duplicate accounts as payer as rent_recipient',
  'create_event: copy at another address as currency_mint',
]);

/** The attacks that follow from an instruction's declaration, on a scenario of it that succeeds. */
export function declaredAttacks(name: string): { scenario: Scenario; attacks: Attack[] } {
  const scenario = scenarioOf(name);
  putTwinConfig(scenario.svm);
  const attacks = attacksOn(name, scenario).filter((attack) => !CHOICES.has(titleOf(name, attack)));
  return { scenario, attacks };
}

export function titleOf(name: string, { class: kind, on }: Attack): string {
  return `${name}: ${kind} as ${on}`;
}

export type Matrix = { classes: string[]; cells: Map<string, Map<string, number>> };

/** How many attacks of each class there are on each instruction. */
export function countAttacks(): Matrix {
  const cells = new Map(instructionNames.map((name) => [name, new Map<string, number>()]));
  const count = (name: string, kind: string) => {
    const row = cells.get(name);
    row?.set(kind, (row.get(kind) ?? 0) + 1);
  };
  for (const name of instructionNames) {
    for (const attack of declaredAttacks(name).attacks) count(name, attack.class);
  }
  for (const attack of specialAttacks) count(attack.instruction, attack.class);
  for (const { instruction } of prefunded()) count(instruction, 'prefunded address');
  const classes = [...new Set([...cells.values()].flatMap((row) => [...row.keys()]))];
  return { classes, cells };
}

/** Cells without an attack and without a reason, and cells with both; there should be none. */
export function gapsOf({ classes, cells }: Matrix): string[] {
  return instructionNames.flatMap((name) =>
    classes
      .filter((kind) => cells.get(name)?.has(kind) === (reasonAgainst(kind, name) !== undefined))
      .map((kind) => `${name}: ${kind}`),
  );
}

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
export function reasonAgainst(kind: string, name: string): string | undefined {
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
    'hostile currency': !['create_event', 'resell'].includes(name) && 'it names no currency and pays in none',
    'transfer policy': !MOVES.includes(name) && 'the policy is about transfers and resales',
    'wrong time': ![...MOVES, 'check_in'].includes(name) && 'it has no window',
    'forbidden value': !TAKES_VALUES.test(name) && 'it takes no value, or allows any',
  };
  return reasons[kind] || undefined;
}
