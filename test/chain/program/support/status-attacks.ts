/** Attacks at the wrong moment: paused, done again, or on what has ended. */
import type { LiteSVM } from 'litesvm';
import type { Address } from '../../../../programs-client/addresses.ts';
import { checkIn } from '../../../../programs-client/instructions/check-in.ts';
import { closeEvent } from '../../../../programs-client/instructions/close-event.ts';
import { closeTicket } from '../../../../programs-client/instructions/close-ticket.ts';
import { createEvent } from '../../../../programs-client/instructions/create-event.ts';
import { revoke } from '../../../../programs-client/instructions/revoke.ts';
import { setConfig } from '../../../../programs-client/instructions/set-config.ts';
import { PROGRAM } from './chain.ts';
import { type Scenario, scenarios } from './scenarios.ts';
import { addressOf, byAcme, cancel, cancelAndClose, type SpecialAttack, spoiled } from './special-attacks.ts';
import { id16, makeEvent, must, NOW, newWorld, people, SHOW } from './world.ts';

const { admin, acme, alice, gate, payer, vault } = people;

/** What works while the program is paused: the admin's own instructions, and changes of an organizer's keys. */
export const WHILE_PAUSED = [
  'init_config',
  'set_config',
  'propose_admin',
  'accept_admin',
  'update_organizer',
  'propose_organizer_authority',
  'accept_organizer_authority',
];

/** The error when what has just succeeded is done again. What sets a value that is set already is not here. */
const AGAIN: { [instruction: string]: string } = {
  init_config: 'AlreadyExists',
  accept_admin: 'Unauthorized',
  register_organizer: 'AlreadyExists',
  accept_organizer_authority: 'Unauthorized',
  create_event: 'AlreadyExists',
  cancel_event: 'EventClosed',
  close_event: 'EventClosed',
  mint_ticket: 'AlreadyExists',
  transfer_ticket: 'Unauthorized',
  resell: 'Unauthorized',
  check_in: 'AlreadyUsed',
  revoke: 'Revoked',
  reissue: 'BadAccount',
  close_ticket: 'BadAccount',
};

const ON_EVENT = ['update_event', 'mint_ticket', 'transfer_ticket', 'resell', 'check_in', 'reissue'];
const ON_TICKET = ['transfer_ticket', 'resell', 'check_in', 'reissue'];

export function statusAttacks(): SpecialAttack[] {
  return [
    ...pausedAttacks(),
    ...replays(),
    ...onEvents(ON_EVENT, 'a cancelled event', 'EventClosed', cancel),
    ...onEvents([...ON_EVENT, 'cancel_event', 'revoke'], 'a closed event', 'EventClosed', cancelAndClose),
    ...onEvents(ON_TICKET, 'a used ticket', 'AlreadyUsed', (svm, event) => {
      must(svm, checkIn(PROGRAM, { gateAuthority: gate.address, event, index: 0 }), gate);
    }),
    ...onEvents([...ON_TICKET, 'revoke'], 'a revoked ticket', 'Revoked', (svm, event) => {
      const input = { ...byAcme, event, index: 0, holder: alice.address, rentRecipient: vault.address };
      must(svm, revoke(PROGRAM, { ...input, reason: 'fraud' }), acme);
    }),
    ...endings(),
  ];
}

function pausedAttacks(): SpecialAttack[] {
  const stopped = Object.keys(scenarios).filter((instruction) => !WHILE_PAUSED.includes(instruction));
  const pause = ({ svm }: Scenario) =>
    must(svm, setConfig(PROGRAM, { admin: admin.address, paused: true }), admin);
  return stopped.map((instruction) => {
    const make = spoiled(instruction, pause);
    return { instruction, class: 'paused', on: 'the program', make, error: 'Paused' };
  });
}

function replays(): SpecialAttack[] {
  return Object.entries(AGAIN).map(([instruction, error]) => {
    const make = spoiled(instruction, (done) => must(done.svm, done.instruction, ...done.signers));
    return { instruction, class: 'replay', on: 'what has just succeeded', make, error };
  });
}

function onEvents(
  instructions: string[],
  on: string,
  error: string,
  spoil: (svm: LiteSVM, event: Address) => void,
): SpecialAttack[] {
  return instructions.map((instruction) => {
    const make = spoiled(instruction, (scenario) =>
      spoil(scenario.svm, addressOf(instruction, scenario, 'event')),
    );
    return { instruction, class: 'wrong status', on, make, error };
  });
}

function endings(): SpecialAttack[] {
  const closing = (svm: LiteSVM, event: Address): Scenario => ({
    svm,
    instruction: closeEvent(PROGRAM, { ...byAcme, event, rentRecipient: vault.address }),
    signers: [acme],
  });
  const ending = (checkInClosesAt: number) => {
    const svm = newWorld();
    const windows = { transferOpensAt: 0, transferClosesAt: 0, checkInOpensAt: 0, checkInClosesAt };
    return closing(svm, makeEvent(svm, 3, { windows }));
  };
  const wrong = (instruction: string, on: string, error: string, make: () => Scenario) => ({
    instruction,
    class: 'wrong status',
    on,
    make,
    error,
  });
  return [
    wrong('close_event', 'an active event without an end', 'EventNotOver', () => closing(newWorld(), SHOW)),
    wrong('close_event', 'an event in its last second', 'EventNotOver', () => ending(NOW)),
    wrong('close_ticket', 'an event that is not closed', 'BadAccount', () => {
      const input = { ...byAcme, event: SHOW, index: 0, holder: alice.address, rentRecipient: vault.address };
      return { svm: newWorld(), instruction: closeTicket(PROGRAM, input), signers: [acme] };
    }),
    wrong('create_event', 'the id of a closed event', 'AlreadyExists', () => {
      const svm = newWorld();
      cancelAndClose(svm, SHOW);
      const instruction = createEvent(PROGRAM, {
        ...byAcme,
        payer: payer.address,
        eventId: id16(1),
        gateAuthority: gate.address,
        rentRecipient: vault.address,
        maxSupply: 1,
        resaleCapBps: 0,
        transferPolicy: 'open',
        keepCollectible: false,
      });
      return { svm, instruction, signers: [payer, acme] };
    }),
  ];
}
