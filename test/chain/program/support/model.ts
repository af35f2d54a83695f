/** What the program promises, as a few lines of arithmetic: who may do what to a ticket, and what comes of it. */
import type { TransactionInstruction } from '@solana/web3.js';
import fc from 'fast-check';
import { cancelEvent } from '../../../../programs-client/instructions/cancel-event.ts';
import { checkIn } from '../../../../programs-client/instructions/check-in.ts';
import { closeEvent } from '../../../../programs-client/instructions/close-event.ts';
import { closeTicket } from '../../../../programs-client/instructions/close-ticket.ts';
import { reissue } from '../../../../programs-client/instructions/reissue.ts';
import { resell } from '../../../../programs-client/instructions/resell.ts';
import { revoke } from '../../../../programs-client/instructions/revoke.ts';
import { transferTicket } from '../../../../programs-client/instructions/transfer-ticket.ts';
import type { Actor } from './actors.ts';
import { PROGRAM } from './chain.ts';
import { CAP } from './rule-attacks.ts';
import { sale } from './scenarios.ts';
import { ACME, mintOf, people, SHOW } from './world.ts';

const { payer, acme, gate, alice, bob, carol, mallory } = people;

export type TicketModel = {
  holder: Actor;
  status: 'active' | 'checked_in' | 'revoked' | 'closed';
  version: number;
};

export type Model = { event: 'active' | 'cancelled' | 'closed'; tickets: Map<number, TicketModel> };

export const HOLDERS = [alice, bob, carol, mallory];
export const INDICES = [0, 1, 2];

/** One thing that somebody tries. Without `by`, whoever may do it tries. */
export type Attempt = Omit<Step, 'by'> & { by: Actor | undefined };

export type Step = {
  what:
    | 'mint'
    | 'transfer'
    | 'resell'
    | 'check_in'
    | 'revoke'
    | 'reissue'
    | 'close_ticket'
    | 'cancel'
    | 'close_event';
  index: number;
  /** Who acts as organizer, gate or holder, whether they are or not. */
  by: Actor;
  to: Actor;
  price: bigint;
};

const by = fc.oneof(
  { weight: 3, arbitrary: fc.constant(undefined) },
  { weight: 1, arbitrary: fc.constantFrom(acme, gate, ...HOLDERS) },
);
const price = fc.oneof(fc.bigInt(0n, CAP), fc.bigInt(CAP - 1n, CAP + 1n));

function attemptsOf(kinds: Step['what'][], minLength: number, maxLength: number): fc.Arbitrary<Attempt[]> {
  const [what, index, to] = [kinds, INDICES, HOLDERS].map((values) =>
    fc.constantFrom(...(values as never[])),
  );
  const attempt = fc.record({ what, index, to, by, price } as never) as fc.Arbitrary<Attempt>;
  return fc.array(attempt, { minLength, maxLength });
}

const LIFE: Step['what'][] = [
  'mint',
  'mint',
  'transfer',
  'transfer',
  'resell',
  'resell',
  'check_in',
  'revoke',
  'reissue',
];
const ENDING: Step['what'][] = [
  'cancel',
  'close_event',
  'close_ticket',
  'close_ticket',
  'revoke',
  'mint',
  'transfer',
];

/** First what happens while an event is on, then what comes at its end, each by whoever. */
export const attempts: fc.Arbitrary<Attempt[]> = fc
  .tuple(attemptsOf(LIFE, 8, 24), attemptsOf(ENDING, 0, 10))
  .map(([life, ending]) => [...life, ...ending]);

/** The step that an attempt is, given who may do what by then. */
export function stepOf(attempt: Attempt, model: Model): Step {
  const { what, index, by } = attempt;
  const holder = model.tickets.get(index)?.holder ?? alice;
  const rightful = what === 'check_in' ? gate : what === 'transfer' || what === 'resell' ? holder : acme;
  return { ...attempt, by: by ?? rightful };
}

/** The instruction for a step; where it names the holder, it names the right one, for it is who signs that varies. */
export function instructionOf(
  { what, index, by, to, price }: Step,
  model: Model,
): [TransactionInstruction, Actor[]] {
  const holder = (model.tickets.get(index)?.holder ?? alice).address;
  const asOrganizer = { authority: by.address, organizer: ACME, event: SHOW };
  const input = { ...sale, ...asOrganizer, index, holder, to: to.address };
  switch (what) {
    case 'mint':
      return [mintOf(SHOW, index, to.address, ACME, by), [payer, by]];
    case 'transfer':
      return [transferTicket(PROGRAM, { ...input, holder: by.address }), [payer, by]];
    case 'resell':
      return [resell(PROGRAM, { ...input, seller: by.address, buyer: to.address, price }), [payer, by, to]];
    case 'check_in':
      return [checkIn(PROGRAM, { gateAuthority: by.address, event: SHOW, index }), [by]];
    case 'revoke':
      return [revoke(PROGRAM, { ...input, reason: 'other' }), [by]];
    case 'reissue':
      return [reissue(PROGRAM, input), [payer, by]];
    case 'close_ticket':
      return [closeTicket(PROGRAM, input), [by]];
    case 'cancel':
      return [cancelEvent(PROGRAM, asOrganizer), [by]];
    case 'close_event':
      return [closeEvent(PROGRAM, { ...asOrganizer, rentRecipient: sale.rentRecipient }), [by]];
  }
}

/** Whether a step is allowed; if so, the model moves on. */
export function apply(model: Model, { what, index, by, to, price }: Step): boolean {
  const ticket = model.tickets.get(index);
  const active = model.event === 'active' && ticket?.status === 'active';
  switch (what) {
    case 'mint':
      if (by !== acme || model.event !== 'active' || ticket !== undefined) return false;
      model.tickets.set(index, { holder: to, status: 'active', version: 1 });
      return true;
    case 'transfer':
      return active && by === ticket.holder && to !== by && change(ticket, { holder: to });
    case 'resell':
      return active && by === ticket.holder && to !== by && price <= CAP && change(ticket, { holder: to });
    case 'check_in':
      return active && by === gate && change(ticket, { status: 'checked_in' });
    case 'reissue':
      return active && by === acme && to !== ticket.holder && change(ticket, { holder: to });
    case 'revoke': {
      const there = ticket?.status === 'active' || ticket?.status === 'checked_in';
      return by === acme && model.event !== 'closed' && there && change(ticket, { status: 'revoked' });
    }
    case 'close_ticket': {
      const there = ticket !== undefined && ticket.status !== 'closed';
      return by === acme && model.event === 'closed' && there && change(ticket, { status: 'closed' });
    }
    case 'cancel':
      if (by !== acme || model.event !== 'active') return false;
      model.event = 'cancelled';
      return true;
    case 'close_event':
      if (by !== acme || model.event !== 'cancelled') return false;
      model.event = 'closed';
      return true;
  }
}

function change(ticket: TicketModel, changes: Partial<TicketModel>): true {
  Object.assign(ticket, changes, { version: ticket.version + 1 });
  return true;
}
