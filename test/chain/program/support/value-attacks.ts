/** Attacks with values that are not allowed, malformed, or would overflow. */
import { NO_ADDRESS } from '../../../../programs-client/addresses.ts';
import { OPEN_WINDOWS, type Windows } from '../../../../programs-client/event-rules.ts';
import { encodeInstruction, type Fields } from '../../../../programs-client/wire.ts';
import type { Scenario } from './scenarios.ts';
import { addressOf, edit, type SpecialAttack, spoiled } from './special-attacks.ts';
import { id16, people } from './world.ts';

const { bob, gate, treasury } = people;

export function valueAttacks(): SpecialAttack[] {
  return [...forbiddenValues(), ...malformedValues(), ...overflows()];
}

/** The arguments of a scenario with some of them replaced. */
function withArgs(name: string, changes: Fields): () => Scenario {
  return spoiled(name, ({ instruction }) => {
    instruction.data = encodeInstruction(name, { ...ARGS[name], ...changes });
  });
}

const ARGS: { [instruction: string]: Fields } = {
  init_config: { treasury: treasury.address, protocol_fee_bps: 0 },
  set_config: {},
  register_organizer: {
    tenant: id16(9),
    authority: bob.address,
    fee_recipient: bob.address,
    resale_fee_bps: 0,
  },
  update_organizer: {},
  create_event: {
    id: id16(7),
    gate_authority: gate.address,
    max_supply: 10,
    resale_cap_bps: 10_000,
    transfer_policy: 'locked',
    keep_collectible: true,
    windows: windowsOf({}),
  },
  update_event: {},
  mint_ticket: {
    index: 5,
    id: id16(5),
    face_value: 1n,
    name: '',
    symbol: '',
    uri: '',
    attribute_event: '',
    attribute_type: '',
    attribute_seat: '',
    attribute_number: '',
  },
};

function forbiddenValues(): SpecialAttack[] {
  const refuse = (instruction: string, on: string, changes: Fields, error = 'BadArgument') => ({
    instruction,
    class: 'forbidden value',
    on,
    make: withArgs(instruction, changes),
    error,
  });
  return [
    refuse('init_config', 'no treasury', { treasury: NO_ADDRESS }),
    refuse('init_config', 'a fee above a tenth', { protocol_fee_bps: 1001 }),
    refuse('set_config', 'no treasury', { treasury: NO_ADDRESS }),
    refuse('set_config', 'a fee above a tenth', { protocol_fee_bps: 1001 }),
    refuse('register_organizer', 'no authority', { authority: NO_ADDRESS }),
    refuse('register_organizer', 'no fee recipient', { fee_recipient: NO_ADDRESS }),
    refuse('register_organizer', 'a royalty above a half', { resale_fee_bps: 5001 }),
    refuse('register_organizer', 'the id of a registered tenant', { tenant: id16(1) }, 'BadAccount'),
    refuse('update_organizer', 'no fee recipient', { fee_recipient: NO_ADDRESS }),
    refuse('update_organizer', 'a royalty above a half', { resale_fee_bps: 5001 }),
    refuse('create_event', 'no gate', { gate_authority: NO_ADDRESS }),
    refuse('create_event', 'no supply', { max_supply: 0 }),
    refuse('create_event', 'a window that closes before it opens', {
      windows: windowsOf({ checkInOpensAt: 2, checkInClosesAt: 1 }),
    }),
    refuse('create_event', 'a time before 1970', { windows: windowsOf({ transferOpensAt: -1 }) }),
    refuse('update_event', 'no gate', { gate_authority: NO_ADDRESS }),
    refuse('update_event', 'a smaller supply', { max_supply: 99 }),
    refuse('update_event', 'a tighter policy', { transfer_policy: 'organizer_approved' }),
    refuse('update_event', 'a window that closes before it opens', {
      windows: windowsOf({ transferOpensAt: 2, transferClosesAt: 1 }),
    }),
    refuse('mint_ticket', 'an index beyond the supply', { index: 100 }, 'IndexOutOfRange'),
    refuse('mint_ticket', 'a name of 65 bytes', { name: 'x'.repeat(65) }),
    refuse('mint_ticket', 'a symbol of 17 bytes', { symbol: 'x'.repeat(17) }),
    refuse('mint_ticket', 'a uri of 201 bytes', { uri: 'x'.repeat(201) }),
    refuse('mint_ticket', 'an attribute of 65 bytes', { attribute_seat: 'x'.repeat(65) }),
  ];
}

function windowsOf(changes: Partial<Windows>): Fields {
  const { transferOpensAt, transferClosesAt, checkInOpensAt, checkInClosesAt } = {
    ...OPEN_WINDOWS,
    ...changes,
  };
  return {
    transfer_opens_at: transferOpensAt,
    transfer_closes_at: transferClosesAt,
    check_in_opens_at: checkInOpensAt,
    check_in_closes_at: checkInClosesAt,
  };
}

/** What Borsh would never write, at a place in the data behind the discriminator. */
function malformedValues(): SpecialAttack[] {
  const malform = (instruction: string, on: string, data: number[], error = 'BadArgument') => ({
    instruction,
    class: 'forbidden value',
    on,
    make: spoiled(instruction, (scenario) => {
      scenario.instruction.data = Buffer.concat([
        scenario.instruction.data.subarray(0, 8),
        Buffer.from(data),
      ]);
    }),
    error,
  });
  const text = (bytes: number[]) => [bytes.length, 0, 0, 0, ...bytes];
  const mint = (...texts: number[][]) => [5, ...new Uint8Array(3 + 16 + 8), ...texts.flat()];
  const [none, notUtf8] = [text([]), text([0xff])];
  return [
    malform('set_config', 'an option of 2', [2, 0, 0]),
    malform('set_config', 'a bool of 2', [0, 0, 1, 2]),
    malform('update_event', 'an unknown policy', [0, 0, 1, 4, 0]),
    malform('update_organizer', 'an option of 255', [255, 0]),
    malform('revoke', 'no reason', [0]),
    malform('revoke', 'an unknown reason', [6]),
    malform('mint_ticket', 'a text longer than the data', mint([255, 255, 255, 255])),
    // Token-2022 is who checks that texts are UTF-8.
    malform(
      'mint_ticket',
      'a name that is not UTF-8',
      mint(notUtf8, none, none, none, none, none, none),
      NOT_UTF8,
    ),
    malform(
      'mint_ticket',
      'an attribute that is not UTF-8',
      mint(none, none, none, none, none, none, notUtf8),
      NOT_UTF8,
    ),
  ];
}

const NOT_UTF8 = 'custom error 12';

function overflows(): SpecialAttack[] {
  const beyond = [2n ** 48n, 2n ** 63n, 2n ** 64n - 1n].map((face_value) => ({
    instruction: 'mint_ticket',
    class: 'overflow',
    on: `a face value of ${face_value}`,
    make: withArgs('mint_ticket', { face_value }),
    error: 'MathOverflow',
  }));
  const changing = ['transfer_ticket', 'resell', 'check_in', 'revoke', 'reissue', 'close_ticket'];
  const lastVersion = changing.map((instruction) => ({
    instruction,
    class: 'overflow',
    on: 'the last version that there is',
    make: spoiled(instruction, (scenario) =>
      edit(scenario.svm, addressOf(instruction, scenario, 'ticket'), (data) => data.fill(0xff, 136, 140)),
    ),
    error: 'MathOverflow',
  }));
  return [...beyond, ...lastVersion];
}
