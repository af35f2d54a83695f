import type { LiteSVM } from 'litesvm';
import { Rent } from 'litesvm';
import { describe, expect, it } from 'vitest';
import { SYSTEM_PROGRAM } from '../../../programs-client/addresses.ts';
import { ticketAddresses, tokenAddress } from '../../../programs-client/pdas.ts';
import { account, PROGRAM, putAccount, send } from './support/chain.ts';
import { errorName } from './support/error-name.ts';
import { mintOf, newWorld, people, SHOW } from './support/world.ts';

const { feePayer, payer, acme, bob } = people;

/** What minting costs where rent has this form. */
function mintAt(rent: Rent): { svm: LiteSVM; error: string; lamports: bigint[]; sizes: number[] } {
  const svm = newWorld();
  // Enough for the runtime to let them pay at any price.
  for (const { address } of [feePayer, payer, acme]) {
    putAccount(svm, address, { lamports: 2n ** 60n, owner: SYSTEM_PROGRAM, data: new Uint8Array() });
  }
  svm.setRent(rent);
  const { error } = send(svm, [mintOf(SHOW, 5, bob.address)], [feePayer, payer, acme]);
  const { ticket, mint } = ticketAddresses(PROGRAM, SHOW, 5);
  const made = [ticket, mint, tokenAddress(PROGRAM, ticket, bob.address)].map((one) => account(svm, one));
  return {
    svm,
    error: errorName(error),
    lamports: made.map((one) => one?.lamports ?? 0n),
    sizes: made.map((one) => one?.data.length ?? 0),
  };
}

describe('rent', () => {
  it.each([
    ['lamports per byte, as clusters have it now', new Rent(6960n, 1, 50), 6960n],
    ['lamports per byte and year, as it was', new Rent(3480n, 2, 50), 6960n],
    ['a lower price', new Rent(2575n, 1, 50), 2575n],
    ['a price so low that it is almost nothing', new Rent(1n, 1, 50), 1n],
  ])('is taken from the cluster: %s', (_, rent, perByte) => {
    const { error, lamports, sizes } = mintAt(rent);
    expect(error).toBe('success');
    expect(lamports).toEqual(sizes.map((size) => BigInt(size + 128) * perByte));
  });

  it.each([
    ['a threshold that is neither one nor two', new Rent(3480n, 1.5, 50), 'UnknownRent'],
    ['a price beyond reckoning', new Rent(2n ** 40n, 1, 50), 'MathOverflow'],
  ])('stops the program where it has another form: %s', (_, rent, expected) => {
    expect(mintAt(rent).error).toBe(expected);
  });
});
