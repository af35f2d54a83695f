import fc from 'fast-check';
import type { LiteSVM } from 'litesvm';
import { describe, expect, it } from 'vitest';
import { TOKEN_2022_PROGRAM } from '../../../programs-client/addresses.ts';
import { ticketAddresses } from '../../../programs-client/pdas.ts';
import { account, PROGRAM, send } from './support/chain.ts';
import {
  type Attempt,
  apply,
  attempts,
  HOLDERS,
  INDICES,
  instructionOf,
  type Model,
  stepOf,
} from './support/model.ts';
import { lamportsOf, readMint, readTicket, readToken } from './support/read.ts';
import { newWorld, people, SHOW } from './support/world.ts';

const { alice, feePayer } = people;

/** What was allowed in all sequences: the property would hold just as well for a program that refuses everything. */
const allowed: string[] = [];

describe('any sequence of acts by anybody', () => {
  it.each([1, 2, 3, 4, 5, 6])(
    'does what the model allows and nothing else, and keeps supply, holder, version and lamports (seed %i)',
    (seed) => {
      fc.assert(fc.property(attempts, holds), { numRuns: 15, seed });
    },
    60_000,
  );

  it('has had every act succeed somewhere, and many of them', () => {
    expect([...new Set(allowed)].sort()).toEqual([
      'cancel',
      'check_in',
      'close_event',
      'close_ticket',
      'mint',
      'reissue',
      'resell',
      'revoke',
      'transfer',
    ]);
    expect(allowed.length).toBeGreaterThan(300);
  });
});

function holds(sequence: Attempt[]): void {
  const svm = newWorld();
  const model: Model = { event: 'active', tickets: new Map() };
  model.tickets.set(0, { holder: alice, status: 'active', version: 1 });
  const lamports = allLamports(svm);
  for (const attempt of sequence) {
    const step = stepOf(attempt, model);
    const [instruction, signers] = instructionOf(step, model);
    const { error } = send(svm, [instruction], [feePayer, ...signers]);
    const may = apply(model, step);
    expect(error === undefined, `${step.what} of ${step.index} by ${step.by.name}: ${error}`).toBe(may);
    if (may) allowed.push(step.what);
  }
  for (const index of INDICES) checkTicket(svm, model, index);
  expect(allLamports(svm)).toBe(lamports);
}

function checkTicket(svm: LiteSVM, model: Model, index: number): void {
  const ticket = model.tickets.get(index);
  const exists = ticket !== undefined && ticket.status !== 'closed';
  const live = ticket?.status === 'active' || ticket?.status === 'checked_in';
  expect(account(svm, ticketAddresses(PROGRAM, SHOW, index).ticket) !== undefined).toBe(exists);
  if (exists) {
    const { status, version, holder } = readTicket(svm, SHOW, index);
    expect({ status, version, holder }).toEqual({ ...ticket, holder: ticket.holder.address });
  }
  expect(readMint(svm, SHOW, index)?.supply ?? 0n).toBe(live ? 1n : 0n);
  const amounts = HOLDERS.map(({ address }) => readToken(svm, SHOW, index, address)?.amount ?? 0n);
  expect(amounts).toEqual(HOLDERS.map((holder) => (live && holder === ticket.holder ? 1n : 0n)));
}

/** Everything there is, but for the fee payer's, which pays fees and nothing else. */
function allLamports(svm: LiteSVM): bigint {
  const owned = [PROGRAM, TOKEN_2022_PROGRAM].flatMap((program) => svm.getProgramAccounts(program as never));
  const everybody = Object.values(people).filter((one) => one !== feePayer);
  return [
    ...owned.map(({ lamports }) => lamports as bigint),
    ...everybody.map(({ address }) => lamportsOf(svm, address)),
  ].reduce((sum, lamports) => sum + lamports, 0n);
}
