import { describe, expect, it } from 'vitest';
import { TOKEN_2022_PROGRAM, TOKEN_PROGRAM } from '../../../programs-client/addresses.ts';
import { createAssociatedToken } from '../../../programs-client/create-associated-token.ts';
import { OPEN_WINDOWS } from '../../../programs-client/event-rules.ts';
import { reissue } from '../../../programs-client/instructions/reissue.ts';
import { resell } from '../../../programs-client/instructions/resell.ts';
import { setConfig } from '../../../programs-client/instructions/set-config.ts';
import { transferTicket } from '../../../programs-client/instructions/transfer-ticket.ts';
import { updateOrganizer } from '../../../programs-client/instructions/update-organizer.ts';
import { account, PROGRAM } from './support/chain.ts';
import { COIN, coinsOf, giveCoins, putCoin } from './support/currency.ts';
import { lamportsOf, readMint, readTicket, readToken } from './support/read.ts';
import { CAP, PROCEEDS } from './support/rule-attacks.ts';
import { sale } from './support/scenarios.ts';
import { byAcme } from './support/special-attacks.ts';
import { makeEvent, mint, must, NOW, newWorld, people, SHOW } from './support/world.ts';

const { payer, admin, acme, alice, bob, carol, royalties, treasury, vault } = people;
const TOKEN_RENT = 2_039_280n;

describe('transfer_ticket', () => {
  const giving = (from: typeof alice, to: typeof bob, event = SHOW) =>
    transferTicket(PROGRAM, { ...sale, event, holder: from.address, to: to.address });

  it('moves the NFT, frozen again, and counts the version', () => {
    const svm = newWorld();
    must(svm, giving(alice, bob), payer, alice);
    expect(readTicket(svm, SHOW, 0)).toMatchObject({ holder: bob.address, version: 2, status: 'active' });
    expect(readToken(svm, SHOW, 0, bob.address)).toMatchObject({
      owner: bob.address,
      amount: 1n,
      frozen: true,
    });
    expect(readToken(svm, SHOW, 0, alice.address)).toBeUndefined();
  });

  it('takes the rent of the new token account from the payer and gives that of the old one back', () => {
    const svm = newWorld();
    const [paid, returned] = [lamportsOf(svm, payer.address), lamportsOf(svm, vault.address)];
    const aliceHad = lamportsOf(svm, alice.address);
    must(svm, giving(alice, bob), payer, alice);
    expect(paid - lamportsOf(svm, payer.address)).toBe(TOKEN_RENT);
    expect(lamportsOf(svm, vault.address) - returned).toBe(TOKEN_RENT);
    expect(lamportsOf(svm, alice.address)).toBe(aliceHad);
  });

  it('can go round in a circle', () => {
    const svm = newWorld();
    must(svm, giving(alice, bob), payer, alice);
    must(svm, giving(bob, carol), payer, bob);
    must(svm, giving(carol, alice), payer, carol);
    expect(readTicket(svm, SHOW, 0)).toMatchObject({ holder: alice.address, version: 4 });
    expect(readMint(svm, SHOW, 0)?.supply).toBe(1n);
  });

  it('works in the first and in the last second of its window', () => {
    for (const window of [{ transferOpensAt: NOW }, { transferClosesAt: NOW }]) {
      const svm = newWorld();
      const event = makeEvent(svm, 3, { windows: { ...OPEN_WINDOWS, ...window } });
      mint(svm, event, 0, alice);
      must(svm, giving(alice, bob, event), payer, alice);
      expect(readTicket(svm, event, 0).holder).toBe(bob.address);
    }
  });

  it("works with the organizer's approval where that is the policy", () => {
    const svm = newWorld();
    const event = makeEvent(svm, 3, { transferPolicy: 'organizer_approved' });
    mint(svm, event, 0, alice);
    const input = { ...sale, event, holder: alice.address, to: bob.address, approver: acme.address };
    must(svm, transferTicket(PROGRAM, input), payer, alice, acme);
    expect(readTicket(svm, event, 0).holder).toBe(bob.address);
  });
});

describe('resell in SOL', () => {
  it('pays seller, organizer and treasury out of the price, and nobody anything else', () => {
    const svm = newWorld();
    const everybody = [bob, alice, royalties, treasury];
    const before = everybody.map(({ address }) => lamportsOf(svm, address));
    must(
      svm,
      resell(PROGRAM, { ...sale, event: SHOW, price: CAP, minProceeds: PROCEEDS }),
      payer,
      alice,
      bob,
    );
    const after = everybody.map(({ address }, at) => lamportsOf(svm, address) - (before[at] ?? 0n));
    const [royalty, fee] = [CAP / 10n, CAP / 40n];
    expect(after).toEqual([-CAP, CAP - royalty - fee, royalty, fee]);
    expect(PROCEEDS).toBe(CAP - royalty - fee);
    expect(readTicket(svm, SHOW, 0)).toMatchObject({ holder: bob.address, version: 2 });
    expect(readToken(svm, SHOW, 0, bob.address)).toMatchObject({ amount: 1n, frozen: true });
  });

  it('rounds fees down, in favour of the seller', () => {
    const svm = newWorld();
    const before = lamportsOf(svm, alice.address);
    must(svm, resell(PROGRAM, { ...sale, event: SHOW, price: 39n }), payer, alice, bob);
    expect(lamportsOf(svm, alice.address) - before).toBe(39n - 3n - 0n);
  });

  it('may cost nothing, also where only resale is allowed', () => {
    const svm = newWorld();
    const event = makeEvent(svm, 3, { transferPolicy: 'resale_only', resaleCapBps: 0 });
    mint(svm, event, 0, alice);
    const before = lamportsOf(svm, bob.address);
    must(svm, resell(PROGRAM, { ...sale, event, price: 0n }), payer, alice, bob);
    expect(lamportsOf(svm, bob.address)).toBe(before);
    expect(readTicket(svm, event, 0).holder).toBe(bob.address);
  });

  it('splits by the highest fees that there can be', () => {
    const svm = newWorld();
    must(svm, setConfig(PROGRAM, { admin: admin.address, protocolFeeBps: 1000 }), admin);
    must(svm, updateOrganizer(PROGRAM, { ...byAcme, resaleFeeBps: 5000 }), acme);
    const before = lamportsOf(svm, alice.address);
    must(svm, resell(PROGRAM, { ...sale, event: SHOW, price: 1000n, minProceeds: 400n }), payer, alice, bob);
    expect(lamportsOf(svm, alice.address) - before).toBe(400n);
  });

  it('lets an organizer sell a ticket of their own and be paid twice', () => {
    const svm = newWorld();
    mint(svm, SHOW, 5, royalties);
    const before = lamportsOf(svm, royalties.address);
    const input = { ...sale, index: 5, event: SHOW, seller: royalties.address, price: 1000n };
    must(svm, resell(PROGRAM, input), payer, royalties, bob);
    expect(lamportsOf(svm, royalties.address) - before).toBe(975n);
  });
});

describe.each([
  ['the classic token program', TOKEN_PROGRAM],
  ['Token-2022', TOKEN_2022_PROGRAM],
])('resell in a coin of %s', (_, tokenProgram) => {
  it('pays in coins, and no lamport moves but rent', () => {
    const svm = newWorld();
    putCoin(svm, COIN, tokenProgram);
    const event = makeEvent(svm, 3, { currencyMint: COIN });
    mint(svm, event, 0, alice);
    const everybody = [bob, alice, royalties, treasury].map(({ address }) => address);
    for (const owner of everybody) {
      // Twice, since the second one finds it there.
      for (const mint of [COIN, COIN]) {
        must(svm, createAssociatedToken({ payer: payer.address, owner, mint, tokenProgram }), payer);
      }
      expect(coinsOf(svm, owner, COIN, tokenProgram)).toBe(0n);
      giveCoins(svm, owner, 10n * CAP, COIN, tokenProgram);
    }
    const lamports = everybody.map((address) => lamportsOf(svm, address));
    const input = {
      ...sale,
      event,
      price: CAP,
      minProceeds: PROCEEDS,
      currency: { mint: COIN, tokenProgram },
    };
    must(svm, resell(PROGRAM, input), payer, alice, bob);
    const gained = everybody.map((address) => coinsOf(svm, address, COIN, tokenProgram) - 10n * CAP);
    expect(gained).toEqual([-CAP, PROCEEDS, CAP / 10n, CAP / 40n]);
    expect(everybody.map((address) => lamportsOf(svm, address))).toEqual(lamports);
    expect(readTicket(svm, event, 0)).toMatchObject({ holder: bob.address, version: 2 });
  });
});

describe('a buyer who is the organizer too', () => {
  it('pays the royalty to themselves, in a coin as in SOL', () => {
    const svm = newWorld();
    putCoin(svm);
    const event = makeEvent(svm, 3, { currencyMint: COIN });
    mint(svm, event, 0, alice);
    for (const { address } of [alice, royalties, treasury]) giveCoins(svm, address, CAP);
    const input = { ...sale, event, buyer: royalties.address, price: 1000n, currency: { mint: COIN } };
    must(svm, resell(PROGRAM, input), payer, alice, royalties);
    expect(coinsOf(svm, royalties.address)).toBe(CAP - 900n);
    mint(svm, SHOW, 5, alice);
    must(
      svm,
      resell(PROGRAM, { ...sale, index: 5, event: SHOW, buyer: royalties.address }),
      payer,
      alice,
      royalties,
    );
    expect(readTicket(svm, SHOW, 5).holder).toBe(royalties.address);
  });
});

describe('reissue', () => {
  it('moves the NFT without its holder, whatever the policy and the window', () => {
    const svm = newWorld();
    const windows = { ...OPEN_WINDOWS, transferClosesAt: 1 };
    const event = makeEvent(svm, 3, { transferPolicy: 'locked', windows });
    mint(svm, event, 0, alice);
    const input = { ...sale, ...byAcme, event, holder: alice.address, to: carol.address };
    must(svm, reissue(PROGRAM, input), payer, acme);
    expect(readTicket(svm, event, 0)).toMatchObject({ holder: carol.address, version: 2, status: 'active' });
    expect(readToken(svm, event, 0, carol.address)).toMatchObject({
      owner: carol.address,
      amount: 1n,
      frozen: true,
    });
    expect(account(svm, alice.address)?.lamports).toBe(lamportsOf(svm, alice.address));
    expect(readToken(svm, event, 0, alice.address)).toBeUndefined();
  });
});
