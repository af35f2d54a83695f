import type { LiteSVM } from 'litesvm';
import { Rent } from 'litesvm';
import { describe, expect, it } from 'vitest';
import { SYSTEM_PROGRAM } from '../../../programs-client/addresses.ts';
import { closeTicket } from '../../../programs-client/instructions/close-ticket.ts';
import { reissue } from '../../../programs-client/instructions/reissue.ts';
import { revoke } from '../../../programs-client/instructions/revoke.ts';
import { transferTicket } from '../../../programs-client/instructions/transfer-ticket.ts';
import { ticketAddresses, tokenAddress } from '../../../programs-client/pdas.ts';
import { account, PROGRAM, putAccount, send } from './support/chain.ts';
import { lamportsOf, readTicket, readToken } from './support/read.ts';
import { sale } from './support/scenarios.ts';
import { byAcme, cancelAndClose } from './support/special-attacks.ts';
import * as token from './support/token-instructions.ts';
import { must, newWorld, people, SHOW } from './support/world.ts';

const { feePayer, payer, acme, alice, bob, carol, vault } = people;
const { ticket, mint } = ticketAddresses(PROGRAM, SHOW, 0);
const held = tokenAddress(PROGRAM, ticket, alice.address);
const on = { ...sale, ...byAcme, event: SHOW, holder: alice.address };

/** Token-2022's CpiGuardTransferBlocked. */
const TRANSFER_GUARDED = 'code: 42';

/** What a holder can do to their frozen token account on their own, and whether it can be closed for them after. */
const extensions = {
  'a guard that is on': [token.guard(held, alice.address, SYSTEM_PROGRAM), false],
  'a guard that was switched off again': [
    [...token.guard(held, alice.address, SYSTEM_PROGRAM), token.unguard(held, alice.address)],
    true,
  ],
  'required memos': [token.requireMemos(held, alice.address, SYSTEM_PROGRAM), true],
  'required memos and a guard': [
    [
      ...token.requireMemos(held, alice.address, SYSTEM_PROGRAM),
      ...token.guard(held, alice.address, SYSTEM_PROGRAM),
    ],
    false,
  ],
} as const;

/** How a ticket leaves its holder without them. */
const departures = {
  revoke: (svm: LiteSVM) => must(svm, revoke(PROGRAM, { ...on, reason: 'fraud' }), acme),
  reissue: (svm: LiteSVM) => must(svm, reissue(PROGRAM, { ...on, to: carol.address }), payer, acme),
  close_ticket: (svm: LiteSVM) => {
    cancelAndClose(svm, SHOW);
    must(svm, closeTicket(PROGRAM, on), acme);
  },
};

function extended(extension: keyof typeof extensions): LiteSVM {
  const svm = newWorld();
  for (const one of extensions[extension][0]) must(svm, one, alice);
  return svm;
}

describe.each(Object.keys(departures) as (keyof typeof departures)[])('%s', (name) => {
  it.each(Object.keys(extensions) as (keyof typeof extensions)[])(
    'is not stopped by %s, and gets back the rent that Token-2022 lets go',
    (extension) => {
      const svm = extended(extension);
      const locked = lamportsOf(svm, held);
      const everything = () => [held, mint, ticket, SHOW, vault.address].map((one) => lamportsOf(svm, one));
      const before = everything().reduce((sum, one) => sum + one, 0n);
      departures[name](svm);
      const [left, ...others] = everything();
      expect(left).toBe(extensions[extension][1] ? 0n : locked);
      if (name !== 'reissue') expect(others.reduce((sum, one) => sum + one, left ?? 0n)).toBe(before);
      expect(readToken(svm, SHOW, 0, alice.address)?.amount ?? 0n).toBe(0n);
    },
  );
});

describe('a holder who passes a ticket on from an extended token account', () => {
  const giving = transferTicket(PROGRAM, { ...on, to: bob.address });

  it('cannot do so while the guard is on, so that nobody pays rent for an account that stays behind', () => {
    const svm = extended('a guard that is on');
    const before = lamportsOf(svm, payer.address);
    expect(send(svm, [giving], [feePayer, payer, alice]).error).toContain(TRANSFER_GUARDED);
    expect(lamportsOf(svm, payer.address)).toBe(before);
    expect(readTicket(svm, SHOW, 0)).toMatchObject({ holder: alice.address, version: 1 });
  });

  it.each(['a guard that was switched off again', 'required memos'] as const)(
    'leaves nothing behind with %s, and may get it back later',
    (extension) => {
      const svm = extended(extension);
      must(svm, giving, payer, alice);
      expect(account(svm, held)).toBeUndefined();
      must(svm, transferTicket(PROGRAM, { ...on, holder: bob.address, to: alice.address }), payer, bob);
      expect(readTicket(svm, SHOW, 0)).toMatchObject({ holder: alice.address, version: 3 });
      expect(account(svm, held)?.data).toHaveLength(165);
    },
  );
});

describe('lamports above the rent of a ticket', () => {
  const took = (svm: LiteSVM) => {
    const before = lamportsOf(svm, alice.address);
    must(svm, token.withdrawExcess(held, alice.address, alice.address), alice);
    return lamportsOf(svm, alice.address) - before;
  };

  it('are for its holder to take from the token account, as Token-2022 has it, and the ticket stays as it is', () => {
    const svm = newWorld();
    expect(took(svm)).toBe(0n);
    const paid = lamportsOf(svm, held);
    svm.setRent(new Rent(3480n, 1, 50));
    expect(took(svm)).toBe(paid / 2n);
    expect(readToken(svm, SHOW, 0, alice.address)).toMatchObject({ amount: 1n, frozen: true });
    const before = lamportsOf(svm, vault.address) + lamportsOf(svm, mint);
    must(svm, revoke(PROGRAM, { ...on, reason: 'other' }), acme);
    expect(lamportsOf(svm, vault.address) - before).toBe(paid - paid / 2n);
  });

  it('are for nobody to take from the mint, and come back with its rent', () => {
    const svm = newWorld();
    const found = account(svm, mint);
    if (found === undefined) throw new Error('there is no mint');
    putAccount(svm, mint, { ...found, lamports: found.lamports + 1000n });
    const stealing = token.withdrawExcess(mint, alice.address, alice.address);
    expect(send(svm, [stealing], [feePayer, alice]).error).toBeDefined();
    const before = lamportsOf(svm, vault.address) + lamportsOf(svm, held);
    must(svm, revoke(PROGRAM, { ...on, reason: 'other' }), acme);
    expect(lamportsOf(svm, vault.address) - before).toBe(found.lamports + 1000n);
  });
});
