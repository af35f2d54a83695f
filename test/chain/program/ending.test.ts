import type { LiteSVM } from 'litesvm';
import { describe, expect, it } from 'vitest';
import { type Address, SYSTEM_PROGRAM } from '../../../programs-client/addresses.ts';
import { OPEN_WINDOWS, type RevokeReason } from '../../../programs-client/event-rules.ts';
import { checkIn } from '../../../programs-client/instructions/check-in.ts';
import { closeTicket } from '../../../programs-client/instructions/close-ticket.ts';
import { mintTicket } from '../../../programs-client/instructions/mint-ticket.ts';
import { reissue } from '../../../programs-client/instructions/reissue.ts';
import { revoke } from '../../../programs-client/instructions/revoke.ts';
import { ticketAddresses, tokenAddress } from '../../../programs-client/pdas.ts';
import { account, PROGRAM, send } from './support/chain.ts';
import { lamportsOf, readMint, readTicket, readToken } from './support/read.ts';
import { sale } from './support/scenarios.ts';
import { byAcme, cancel, cancelAndClose } from './support/special-attacks.ts';
import * as token from './support/token-instructions.ts';
import { id16, makeEvent, mint, must, NOW, newWorld, people, SHOW } from './support/world.ts';

const { feePayer, payer, acme, alice, bob, carol, gate, vault } = people;
const using = (event = SHOW) => checkIn(PROGRAM, { gateAuthority: gate.address, event, index: 0 });
const voiding = (reason: RevokeReason, event = SHOW) =>
  revoke(PROGRAM, { ...sale, ...byAcme, event, holder: alice.address, reason });
const closing = (event = SHOW, holder = alice.address) =>
  closeTicket(PROGRAM, { ...sale, ...byAcme, event, holder });

/** Everything that a ticket of Alice's has paid rent for. */
const addressesOf = (event = SHOW) => {
  const { ticket, mint: nft } = ticketAddresses(PROGRAM, event, 0);
  return [ticket, nft, tokenAddress(PROGRAM, ticket, alice.address)];
};

describe('check_in', () => {
  it('marks the ticket as used and leaves it with its holder', () => {
    const svm = newWorld();
    must(svm, using(), gate);
    const used = { status: 'checked_in', checkedInAt: NOW, version: 2, holder: alice.address };
    expect(readTicket(svm, SHOW, 0)).toMatchObject(used);
    expect(readToken(svm, SHOW, 0, alice.address)).toMatchObject({ amount: 1n, frozen: true });
  });

  it('works in the first and in the last second of its window', () => {
    for (const window of [{ checkInOpensAt: NOW }, { checkInClosesAt: NOW }]) {
      const svm = newWorld();
      const event = makeEvent(svm, 3, { windows: { ...OPEN_WINDOWS, ...window } });
      mint(svm, event, 0, alice);
      must(svm, using(event), gate);
      expect(readTicket(svm, event, 0).status).toBe('checked_in');
    }
  });
});

describe('revoke', () => {
  it.each(['refunded', 'chargeback', 'fraud', 'event_cancelled', 'other'] as const)(
    'keeps the reason %s',
    (reason) => {
      const svm = newWorld();
      must(svm, voiding(reason), acme);
      expect(readTicket(svm, SHOW, 0)).toMatchObject({ status: 'revoked', revokeReason: reason, version: 2 });
    },
  );

  it('burns the NFT and gives back the rent of mint and token account, to the lamport', () => {
    const svm = newWorld();
    const [, nft, tokens] = addressesOf().map((address) => lamportsOf(svm, address));
    const before = lamportsOf(svm, vault.address);
    must(svm, voiding('refunded'), acme);
    expect(readMint(svm, SHOW, 0)).toBeUndefined();
    expect(readToken(svm, SHOW, 0, alice.address)).toBeUndefined();
    expect(lamportsOf(svm, vault.address) - before).toBe((nft ?? 0n) + (tokens ?? 0n));
  });

  it('works on a used ticket, and after a cancellation', () => {
    const svm = newWorld();
    must(svm, using(), gate);
    cancel(svm, SHOW);
    must(svm, voiding('event_cancelled'), acme);
    expect(readTicket(svm, SHOW, 0)).toMatchObject({ status: 'revoked', version: 3, checkedInAt: NOW });
  });

  it('cannot be stopped by a holder who guards the token account against programs', () => {
    const svm = newWorld();
    for (const one of token.guard(addressesOf()[2] ?? alice.address, alice.address, SYSTEM_PROGRAM))
      must(svm, one, alice);
    must(svm, voiding('fraud'), acme);
    expect(readTicket(svm, SHOW, 0).status).toBe('revoked');
    expect(readMint(svm, SHOW, 0)).toBeUndefined();
    expect(readToken(svm, SHOW, 0, alice.address)?.amount).toBe(0n);
  });
});

describe('reissue', () => {
  it('cannot be stopped by a guarded token account either', () => {
    const svm = newWorld();
    for (const one of token.guard(addressesOf()[2] ?? alice.address, alice.address, SYSTEM_PROGRAM)) {
      must(svm, one, alice);
    }
    const input = { ...sale, ...byAcme, event: SHOW, holder: alice.address, to: carol.address };
    must(svm, reissue(PROGRAM, input), payer, acme);
    expect(readTicket(svm, SHOW, 0).holder).toBe(carol.address);
    expect(readToken(svm, SHOW, 0, carol.address)?.amount).toBe(1n);
  });
});

describe('close_ticket', () => {
  it('gives back all the rent that minting took', () => {
    const svm = newWorld();
    const rents = addressesOf().map((address) => lamportsOf(svm, address));
    cancelAndClose(svm, SHOW);
    const before = lamportsOf(svm, vault.address);
    must(svm, closing(), acme);
    expect(lamportsOf(svm, vault.address) - before).toBe(rents.reduce((sum, rent) => sum + rent, 0n));
    expect(addressesOf().map((address) => account(svm, address))).toEqual([undefined, undefined, undefined]);
  });

  it('closes what is left of a revoked ticket', () => {
    const svm = newWorld();
    must(svm, voiding('other'), acme);
    cancelAndClose(svm, SHOW);
    must(svm, closing(), acme);
    expect(account(svm, ticketAddresses(PROGRAM, SHOW, 0).ticket)).toBeUndefined();
  });

  it('works on a guarded token account, which stays behind empty', () => {
    const svm = newWorld();
    for (const one of token.guard(addressesOf()[2] ?? alice.address, alice.address, SYSTEM_PROGRAM)) {
      must(svm, one, alice);
    }
    cancelAndClose(svm, SHOW);
    must(svm, closing(), acme);
    expect(readMint(svm, SHOW, 0)).toBeUndefined();
    expect(readToken(svm, SHOW, 0, alice.address)?.amount).toBe(0n);
  });

  it('never lets the same ticket be minted again', () => {
    const svm = newWorld();
    cancelAndClose(svm, SHOW);
    must(svm, closing(), acme);
    const input = {
      ...byAcme,
      payer: payer.address,
      event: SHOW,
      index: 0,
      ticketId: id16(0),
      holder: bob.address,
    };
    const again = mintTicket(PROGRAM, {
      ...input,
      faceValue: 1n,
      name: '',
      symbol: '',
      uri: '',
      attributes: {},
    });
    expect(send(svm, [again], [feePayer, payer, acme]).error).toContain('6002');
  });
});

describe('a ticket that is kept as a collectible', () => {
  const kept = (prepare?: (svm: LiteSVM, tokens: Address) => void) => {
    const svm = newWorld();
    const event = makeEvent(svm, 3, { keepCollectible: true });
    mint(svm, event, 0, alice);
    const { ticket, mint: nft } = ticketAddresses(PROGRAM, event, 0);
    const tokens = tokenAddress(PROGRAM, ticket, alice.address);
    prepare?.(svm, tokens);
    must(svm, using(event), gate);
    cancelAndClose(svm, event);
    must(svm, closing(event), acme);
    return { svm, event, ticket, nft, tokens };
  };

  it('is free, and nobody but its holder has any power over it', () => {
    const { svm, event, ticket } = kept();
    expect(account(svm, ticket)).toBeUndefined();
    const [nft, tokens] = [readMint(svm, event, 0), readToken(svm, event, 0, alice.address)];
    expect(nft).toMatchObject({ supply: 1n, mintAuthority: undefined, freezeAuthority: undefined });
    expect(tokens).toMatchObject({
      amount: 1n,
      frozen: false,
      owner: alice.address,
      closeAuthority: undefined,
    });
    const permanentDelegate = account(svm, ticketAddresses(PROGRAM, event, 0).mint)?.data.subarray(206, 238);
    expect(permanentDelegate).toEqual(new Uint8Array(32));
  });

  it("can be burned by its holder, who gets the rent of the account, and whoever paid the mint's can have that", () => {
    const { svm, nft, tokens } = kept();
    must(svm, token.burn(tokens, nft, alice.address), alice);
    must(svm, token.closeAccount(tokens, alice.address, alice.address), alice);
    must(svm, token.closeAccount(nft, vault.address, vault.address), vault);
    expect(account(svm, nft)).toBeUndefined();
  });

  it('is set free in a guarded token account too', () => {
    const { svm, event } = kept((chain, tokens) => {
      for (const one of token.guard(tokens, alice.address, SYSTEM_PROGRAM)) must(chain, one, alice);
    });
    const free = { amount: 1n, frozen: false, closeAuthority: undefined };
    expect(readToken(svm, event, 0, alice.address)).toMatchObject(free);
  });

  it('keeps the mint from being closed while there is a token', () => {
    const { svm, nft } = kept();
    const { error } = send(svm, [token.closeAccount(nft, vault.address, vault.address)], [feePayer, vault]);
    expect(error).toContain('code: 28');
  });
});
