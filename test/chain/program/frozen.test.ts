import type { LiteSVM } from 'litesvm';
import { beforeAll, describe, expect, it } from 'vitest';
import { SYSTEM_PROGRAM, TOKEN_2022_PROGRAM } from '../../../programs-client/addresses.ts';
import { ticketAddresses, tokenAddress } from '../../../programs-client/pdas.ts';
import { actor } from './support/actors.ts';
import { PROGRAM, putAccount, send } from './support/chain.ts';
import { readMint, readTicket, readToken } from './support/read.ts';
import { stateOf } from './support/state-of.ts';
import * as plain from './support/token-instructions.ts';
import { must, newWorld, people, SHOW } from './support/world.ts';

const { feePayer, alice, bob } = people;
const { ticket, mint } = ticketAddresses(PROGRAM, SHOW, 0);
const held = tokenAddress(PROGRAM, ticket, alice.address);
/** A token account of Bob's for the same mint, made by hand and not frozen. */
const elsewhere = actor("a token account of bob's").address;

describe("a ticket in its holder's wallet", () => {
  let svm: LiteSVM;
  beforeAll(() => {
    svm = newWorld();
    const empty = { lamports: 10_000_000n, owner: TOKEN_2022_PROGRAM, data: new Uint8Array(165) };
    putAccount(svm, elsewhere, empty);
    must(svm, plain.initializeAccount(elsewhere, mint, bob.address));
  });

  const FROZEN = 'code: 17';
  const OWNER_MISMATCH = 'code: 4';
  const attempts = {
    'transfer the NFT': [plain.transfer(held, elsewhere, alice.address), FROZEN],
    'transfer it with a check': [plain.transferChecked(held, mint, elsewhere, alice.address), FROZEN],
    'let somebody else take it': [plain.approve(held, bob.address, alice.address), FROZEN],
    'burn it': [plain.burn(held, mint, alice.address), FROZEN],
    'give the token account away': [plain.setAuthority(held, 2, bob.address, alice.address), FROZEN],
    'say who may close the token account': [plain.setAuthority(held, 3, bob.address, alice.address), FROZEN],
    'close the token account': [plain.closeAccount(held, alice.address, alice.address), 'code: 11'],
    'thaw it': [plain.thaw(held, mint, alice.address), OWNER_MISMATCH],
    'take the power to freeze': [plain.setAuthority(mint, 1, alice.address, alice.address), OWNER_MISMATCH],
    'close the mint': [plain.closeAccount(mint, alice.address, alice.address), OWNER_MISMATCH],
  } as const;

  it.each(Object.entries(attempts))('does not let its holder %s', (_, [instruction, error]) => {
    const before = stateOf(svm, [held, mint, elsewhere]);
    expect(send(svm, [instruction], [feePayer, alice]).error).toContain(error);
    expect(stateOf(svm, [held, mint, elsewhere])).toEqual(before);
  });

  it('stays where it is when its holder guards the token account', () => {
    for (const one of plain.guard(held, alice.address, SYSTEM_PROGRAM)) must(svm, one, alice);
    expect(send(svm, [plain.transfer(held, elsewhere, alice.address)], [feePayer, alice]).error).toContain(
      FROZEN,
    );
    expect(readToken(svm, SHOW, 0, alice.address)).toMatchObject({
      amount: 1n,
      frozen: true,
      owner: alice.address,
    });
    expect(readTicket(svm, SHOW, 0)).toMatchObject({ holder: alice.address, version: 1 });
    expect(readMint(svm, SHOW, 0)?.supply).toBe(1n);
  });
});
