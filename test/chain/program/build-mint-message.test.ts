import { ComputeBudgetProgram } from '@solana/web3.js';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import {
  type Address,
  addressBytes,
  TOKEN_2022_PROGRAM,
  toAddress,
} from '../../../programs-client/addresses.ts';
import {
  buildMintMessage,
  type MintMessageInput,
  type MintOfMessage,
} from '../../../programs-client/build-mint-message.ts';
import { decodeEntries } from '../../../programs-client/decode-entries.ts';
import { mintTicket, TEXT_LIMITS } from '../../../programs-client/instructions/mint-ticket.ts';
import { ticketAddresses, tokenAddress } from '../../../programs-client/pdas.ts';
import { compileMessage } from '../../../programs-client/send.ts';
import { actor } from './support/actors.ts';
import { PROGRAM, sendMessage } from './support/chain.ts';
import { ACME, id16, newWorld, people, SHOW } from './support/world.ts';

vi.setConfig({ testTimeout: 60_000 });

const { payer, acme, alice, bob } = people;

/** The same message by way of instructions and `compileMessage`; undefined where it throws that it does not fit. */
function compiled(input: MintMessageInput): Uint8Array | undefined {
  const { programId, blockhash, computeUnitLimit = 0, computeUnitPrice, mints, ...common } = input;
  const budget = [ComputeBudgetProgram.setComputeUnitLimit({ units: computeUnitLimit })];
  if (computeUnitPrice !== undefined) {
    budget.push(ComputeBudgetProgram.setComputeUnitPrice({ microLamports: computeUnitPrice }));
  }
  const instructions = mints.map((mint) => mintTicket(programId, { ...common, ...mint }));
  try {
    return compileMessage([...budget, ...instructions], input.payer, toAddress(blockhash));
  } catch (error) {
    if (/do not fit/.test((error as Error).message)) return undefined;
    throw error;
  }
}

const someAddress = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => toAddress(bytes));
/** Addresses that meet others in one message, beside random ones. */
const meeting: fc.Arbitrary<Address> = fc.oneof(
  { arbitrary: someAddress, weight: 3 },
  fc.constantFrom(payer.address, acme.address, SHOW, PROGRAM, TOKEN_2022_PROGRAM, alice.address),
);
const text = (limit: number) =>
  fc
    .oneof(
      fc.string({ maxLength: limit / 4, unit: 'grapheme', size: 'max' }),
      fc.string({ maxLength: limit, unit: 'binary-ascii', size: 'max' }),
    )
    .filter((value) => Buffer.byteLength(value) <= limit);
const attribute = fc.option(text(TEXT_LIMITS.attribute), { nil: undefined });

const mintOfMessage: fc.Arbitrary<MintOfMessage> = fc.record({
  index: fc.oneof(fc.nat(3), fc.integer({ min: 0, max: 0xffffffff })),
  ticketId: fc.uint8Array({ minLength: 16, maxLength: 16 }),
  holder: meeting,
  faceValue: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  name: text(TEXT_LIMITS.name),
  symbol: text(TEXT_LIMITS.symbol),
  uri: text(TEXT_LIMITS.uri),
  attributes: fc.record({ event: attribute, type: attribute, seat: attribute, number: attribute }),
});

const anyInput: fc.Arbitrary<MintMessageInput> = fc.record({
  programId: fc.constantFrom(PROGRAM, actor('another program').address),
  payer: meeting,
  authority: meeting,
  organizer: meeting,
  event: meeting,
  blockhash: fc.oneof(someAddress, fc.uint8Array({ minLength: 32, maxLength: 32 })),
  computeUnitLimit: fc.integer({ min: 0, max: 0xffffffff }),
  computeUnitPrice: fc.option(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), { nil: undefined }),
  mints: fc.array(mintOfMessage, { minLength: 1, maxLength: 2 }),
});

const usual = (index: number, holder = alice.address): MintOfMessage => ({
  index,
  ticketId: id16(index),
  holder,
  faceValue: 25_000_000n,
  name: 'Rock Night 2027 #000123',
  symbol: 'TSRA',
  uri: 'https://tickets.example.com/nft/0123456789abcdef/metadata.json',
  attributes: { event: 'Rock Night 2027', type: 'Standing', seat: 'A-12', number: '000123' },
});
const common: Omit<MintMessageInput, 'mints'> = {
  programId: PROGRAM,
  payer: payer.address,
  authority: acme.address,
  organizer: ACME,
  event: SHOW,
  blockhash: PROGRAM,
  computeUnitLimit: 200_000,
};

describe('buildMintMessage', () => {
  it('gives the bytes that compileMessage gives, or nothing where that finds no room', () => {
    const outcomes = { fits: 0, not: 0 };
    fc.assert(
      fc.property(anyInput, (input) => {
        const expected = compiled(input);
        const built = buildMintMessage(input);
        outcomes[expected ? 'fits' : 'not']++;
        expect(built && Buffer.from(built.message).toString('hex')).toBe(
          expected && Buffer.from(expected).toString('hex'),
        );
      }),
      { numRuns: 400, seed: 11 },
    );
    expect(outcomes.fits).toBeGreaterThan(200);
    expect(outcomes.not).toBeGreaterThan(20);
  });

  it('takes as much as a transaction holds, and not a byte more', () => {
    for (const mints of [[usual(1)], [usual(1), usual(2, bob.address)]]) {
      const sizes = Array.from({ length: 201 }, (_, length) => {
        const input = {
          ...common,
          mints: mints.map((mint) => ({ ...mint, uri: 'u'.repeat(length), name: 'n'.repeat(64) })),
        };
        const built = buildMintMessage(input);
        expect(built === undefined).toBe(compiled(input) === undefined);
        return built === undefined ? 0 : built.message.length + 1 + 2 * 64;
      });
      expect(Math.max(...sizes)).toBeLessThanOrEqual(1232);
      expect(Math.max(...sizes)).toBeGreaterThan(mints.length === 2 ? 1229 : 900);
    }
  });

  it('names the addresses that the tickets will have', () => {
    const built = buildMintMessage({ ...common, mints: [usual(7), usual(9, bob.address)] });
    expect(built?.tickets).toEqual(
      [
        { index: 7, holder: alice.address },
        { index: 9, holder: bob.address },
      ].map(({ index, holder }) => {
        const { ticket, mint } = ticketAddresses(PROGRAM, SHOW, index);
        return { ticket, mint, token: tokenAddress(PROGRAM, ticket, holder) };
      }),
    );
  });

  it('gives messages that the program takes, two tickets in one', () => {
    const svm = newWorld();
    const mints = [usual(7), usual(9, bob.address)];
    const built = buildMintMessage({ ...common, blockhash: svm.latestBlockhash(), mints });
    const { transaction, error } = sendMessage(svm, built?.message as Uint8Array, [payer, acme]);
    expect(error).toBeUndefined();
    expect(decodeEntries(PROGRAM, transaction)).toMatchObject([
      {
        kind: 'ticket_minted',
        complete: true,
        index: 7,
        to: alice.address,
        ...(built?.tickets[0] && { mint: built.tickets[0].mint }),
      },
      { kind: 'ticket_minted', complete: true, index: 9, to: bob.address },
    ]);
  });

  it.each<[string, Partial<MintMessageInput>, string]>([
    ['no mint', { mints: [] }, 'RangeError'],
    ['three mints', { mints: [usual(1), usual(2), usual(3)] }, 'RangeError'],
    ['a negative index', { mints: [usual(-1)] }, 'RangeError'],
    ['an index between two', { mints: [usual(0.5)] }, 'RangeError'],
    ['an index that is no number', { mints: [usual(Number.NaN)] }, 'RangeError'],
    ['an index beyond 32 bits', { mints: [{ ...usual(1), index: 2 ** 32 }] }, 'RangeError'],
    ['a short id', { mints: [{ ...usual(1), ticketId: new Uint8Array(15) }] }, 'RangeError'],
    ['a negative face value', { mints: [{ ...usual(1), faceValue: -1n }] }, 'RangeError'],
    ['a face value beyond 64 bits', { mints: [{ ...usual(1), faceValue: 2n ** 64n }] }, 'RangeError'],
    ['a long name', { mints: [{ ...usual(1), name: 'é'.repeat(33) }] }, 'RangeError'],
    ['a long attribute', { mints: [{ ...usual(1), attributes: { seat: 'x'.repeat(65) } }] }, 'RangeError'],
    ['half a compute unit', { computeUnitLimit: 0.5, mints: [usual(1)] }, 'RangeError'],
    ['a price beyond 64 bits', { computeUnitPrice: 2n ** 64n, mints: [usual(1)] }, 'RangeError'],
    ['a holder that is none', { mints: [usual(1, 'nobody' as Address)] }, 'TypeError'],
    ['a payer that is none', { payer: 'nobody' as Address, mints: [usual(1)] }, 'TypeError'],
    ['a short blockhash', { blockhash: new Uint8Array(31), mints: [usual(1)] }, 'TypeError'],
  ])('refuses %s', (_, changes, name) => {
    const build = () => buildMintMessage({ ...common, mints: [usual(1)], ...changes });
    expect(build).toThrow(expect.objectContaining({ name }));
  });

  it('takes a blockhash in base58 or as it is', () => {
    const mints = [usual(1)];
    expect(buildMintMessage({ ...common, blockhash: addressBytes(PROGRAM), mints })).toEqual(
      buildMintMessage({ ...common, mints }),
    );
  });
});
