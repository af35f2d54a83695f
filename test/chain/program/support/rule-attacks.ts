/** Attacks on the rules of an event: its prices, windows and policy. */
import { PublicKey, type TransactionInstruction } from '@solana/web3.js';
import { type Address, addressBytes, NO_ADDRESS } from '../../../../programs-client/addresses.ts';
import { OPEN_WINDOWS } from '../../../../programs-client/event-rules.ts';
import { checkIn } from '../../../../programs-client/instructions/check-in.ts';
import type { CreateEventInput } from '../../../../programs-client/instructions/create-event.ts';
import { mintTicket } from '../../../../programs-client/instructions/mint-ticket.ts';
import { reissue } from '../../../../programs-client/instructions/reissue.ts';
import { type ResellInput, resell } from '../../../../programs-client/instructions/resell.ts';
import { transferTicket } from '../../../../programs-client/instructions/transfer-ticket.ts';
import { instructionNamed } from '../../../../programs-client/wire.ts';
import type { Actor } from './actors.ts';
import { PROGRAM } from './chain.ts';
import { type Scenario, sale } from './scenarios.ts';
import { byAcme, edit, type SpecialAttack } from './special-attacks.ts';
import {
  ACME,
  FACE_VALUE,
  id16,
  makeEvent,
  mint,
  must,
  NOW,
  newWorld,
  PROTOCOL_FEE_BPS,
  people,
  RESALE_CAP_BPS,
  ROYALTY_BPS,
} from './world.ts';

const { acme, alice, bob, gate, mallory, payer } = people;

/** The highest price of a resale, and what is left of it for the seller. */
export const CAP = (FACE_VALUE * BigInt(RESALE_CAP_BPS)) / 10_000n;
export const PROCEEDS =
  CAP - (CAP * BigInt(ROYALTY_BPS)) / 10_000n - (CAP * BigInt(PROTOCOL_FEE_BPS)) / 10_000n;
const MOST = 2n ** 48n - 1n;

export function ruleAttacks(): SpecialAttack[] {
  return [...purses(), ...prices(), ...timing(), ...policies(), ...toNobody()];
}

type Build = (event: Address) => { instruction: TransactionInstruction; signers: Actor[] };

/** An invocation on ticket 0, which is Alice's, of a new event. */
function onEvent(changes: Partial<CreateEventInput>, build: Build): () => Scenario {
  return () => {
    const svm = newWorld();
    const event = makeEvent(svm, 6, changes);
    mint(svm, event, 0, alice);
    return { svm, ...build(event) };
  };
}

const giving: Build = (event) => {
  const input = { ...sale, event, holder: alice.address, to: bob.address };
  return { instruction: transferTicket(PROGRAM, input), signers: [payer, alice] };
};

const selling =
  (changes: Partial<ResellInput> = {}): Build =>
  (event) => ({ instruction: resell(PROGRAM, { ...sale, event, ...changes }), signers: [payer, alice, bob] });

const using: Build = (event) => ({
  instruction: checkIn(PROGRAM, { gateAuthority: gate.address, event, index: 0 }),
  signers: [gate],
});

/** In SOL, where each purse is a wallet: somebody else's, as payer or as receiver. */
function purses(): SpecialAttack[] {
  const { accounts } = instructionNamed('resell');
  return ['payment_from', 'payment_to_seller', 'payment_to_organizer', 'payment_to_treasury'].map((purse) => {
    const at = accounts.findIndex((one) => one.name === purse);
    const build: Build = (event) => {
      const { instruction, signers } = selling()(event);
      const key = instruction.keys[at];
      if (key) key.pubkey = new PublicKey(mallory.address);
      return { instruction, signers };
    };
    const make = onEvent({}, build);
    return {
      instruction: 'resell',
      class: 'foreign account',
      on: `${purse} in SOL`,
      make,
      error: 'BadAccount',
    };
  });
}

function prices(): SpecialAttack[] {
  const refuse = (on: string, error: string, build: Build, changes: Partial<CreateEventInput> = {}) => ({
    instruction: 'resell',
    class: 'price',
    on,
    make: onEvent(changes, build),
    error,
  });
  return [
    refuse('one lamport above the cap', 'PriceAboveCap', selling({ price: CAP + 1n })),
    refuse('one lamport where nothing may be asked', 'PriceAboveCap', selling({ price: 1n }), {
      resaleCapBps: 0,
    }),
    refuse('the highest number there is', 'PriceAboveCap', selling({ price: 2n ** 64n - 1n })),
    refuse(
      'one lamport less for the seller than agreed',
      'ProceedsTooLow',
      selling({ price: CAP, minProceeds: PROCEEDS + 1n }),
    ),
    {
      instruction: 'resell',
      class: 'overflow',
      on: 'a price below the cap that is beyond reckoning',
      make: () => dearTicket(MOST + 1n),
      error: 'MathOverflow',
    },
  ];
}

/** A ticket of the highest face value, at a cap of six and a half times that. */
function dearTicket(price: bigint): Scenario {
  const svm = newWorld();
  const event = makeEvent(svm, 6, { resaleCapBps: 65_535 });
  const input = {
    ...byAcme,
    payer: payer.address,
    event,
    index: 0,
    ticketId: id16(0),
    holder: alice.address,
  };
  const texts = { name: '', symbol: '', uri: '', attributes: {} };
  must(svm, mintTicket(PROGRAM, { ...input, ...texts, faceValue: MOST }), payer, acme);
  return { svm, ...selling({ price })(event) };
}

function timing(): SpecialAttack[] {
  const outside = (instruction: string, build: Build, opens: string, closes: string) => {
    const at = (on: string, error: string, window: object) => ({
      instruction,
      class: 'wrong time',
      on,
      make: onEvent({ windows: { ...OPEN_WINDOWS, ...window } }, build),
      error,
    });
    return [
      at('one second early', 'TooEarly', { [opens]: NOW + 1 }),
      at('one second late', 'TooLate', { [closes]: NOW - 1 }),
    ];
  };
  return [
    ...outside('transfer_ticket', giving, 'transferOpensAt', 'transferClosesAt'),
    ...outside('resell', selling(), 'transferOpensAt', 'transferClosesAt'),
    ...outside('check_in', using, 'checkInOpensAt', 'checkInClosesAt'),
  ];
}

function policies(): SpecialAttack[] {
  const against = (
    instruction: string,
    transferPolicy: CreateEventInput['transferPolicy'],
    error: string,
    build: Build,
  ) => ({
    instruction,
    class: 'transfer policy',
    on: transferPolicy,
    make: onEvent({ transferPolicy }, build),
    error,
  });
  return [
    against('transfer_ticket', 'locked', 'TransferDisabled', giving),
    against('transfer_ticket', 'resale_only', 'TransferDisabled', giving),
    against('transfer_ticket', 'organizer_approved', 'Unauthorized', giving),
    against('resell', 'locked', 'TransferDisabled', selling()),
    against('resell', 'organizer_approved', 'Unauthorized', selling()),
    ...[
      { instruction: 'transfer_ticket', build: giving },
      { instruction: 'resell', build: selling() },
    ].map(({ instruction, build }) => ({
      instruction,
      class: 'transfer policy',
      on: 'organizer_approved, where what stands for no approver is the authority',
      make: () => {
        const scenario = onEvent({ transferPolicy: 'organizer_approved' }, build)();
        edit(scenario.svm, ACME, (data) => data.set(addressBytes(PROGRAM), AUTHORITY_AT));
        return scenario;
      },
      error: 'Unauthorized',
    })),
  ];
}

/** In an organizer's account: behind discriminator, layout, bump and tenant. */
const AUTHORITY_AT = 8 + 1 + 1 + 16;

/** To oneself, and to the address that nobody has the key of. */
function toNobody(): SpecialAttack[] {
  const to =
    (address: Address): Build =>
    (event) => {
      const input = { ...sale, event, holder: alice.address, to: address };
      return { instruction: transferTicket(PROGRAM, input), signers: [payer, alice] };
    };
  const again =
    (address: Address): Build =>
    (event) => {
      const input = { ...sale, ...byAcme, event, holder: alice.address, to: address };
      return { instruction: reissue(PROGRAM, input), signers: [payer, acme] };
    };
  const refuse = (instruction: string, on: string, build: Build) => ({
    instruction,
    class: 'forbidden value',
    on,
    make: onEvent({}, build),
    error: 'BadArgument',
  });
  return [
    refuse('transfer_ticket', 'to oneself', to(alice.address)),
    refuse('transfer_ticket', 'to nobody', to(NO_ADDRESS)),
    refuse('reissue', 'to who holds it', again(alice.address)),
    refuse('reissue', 'to nobody', again(NO_ADDRESS)),
    refuse('resell', 'to oneself', (event) => ({
      instruction: resell(PROGRAM, { ...sale, event, buyer: alice.address }),
      signers: [payer, alice],
    })),
  ];
}
