import { PublicKey } from '@solana/web3.js';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import {
  type Address,
  ASSOCIATED_TOKEN_PROGRAM,
  addressBytes,
  TOKEN_PROGRAM,
  toAddress,
} from '../../../programs-client/addresses.ts';
import { findAddress } from '../../../programs-client/find-address.ts';
import { isOnCurve, isSquare, isSquareByBigint } from '../../../programs-client/is-on-curve.ts';
import * as pdas from '../../../programs-client/pdas.ts';
import { actor } from './support/actors.ts';
import { PROGRAM } from './support/chain.ts';

vi.setConfig({ testTimeout: 60_000 });

const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 });

describe('toAddress', () => {
  it('takes base58, bytes and public keys, and gives base58', () => {
    const { address } = actor('somebody');
    expect(toAddress(address)).toBe(address);
    expect(toAddress(addressBytes(address))).toBe(address);
    expect(toAddress(new PublicKey(address))).toBe(address);
  });

  it.each(['', 'x', '0OIl', `${actor('somebody').address}1`, 'é', new Uint8Array(31), new Uint8Array(33)])(
    'refuses what is no address: %s',
    (value) => {
      expect(() => toAddress(value)).toThrow(TypeError);
    },
  );
});

describe('findAddress', () => {
  it('knows a point of the curve from what is none, as web3.js does', () => {
    fc.assert(
      fc.property(bytes32, (bytes) => {
        expect(isOnCurve(bytes)).toBe(PublicKey.isOnCurve(bytes));
      }),
      { numRuns: 500, seed: 3 },
    );
    expect(isOnCurve(addressBytes(actor('somebody').address))).toBe(true);
  });

  it('finds squares as the plain way does, also where leading bits cannot decide a quotient', () => {
    const p = 2n ** 255n - 19n;
    const number = fc
      .integer({ min: 1, max: 255 })
      .chain((bits) => fc.bigInt({ min: 0n, max: 2n ** BigInt(bits) - 1n }));
    fc.assert(
      fc.property(number, (value) => {
        expect(isSquare(value % p)).toBe(isSquareByBigint(value % p));
      }),
      { numRuns: 3000, seed: 5 },
    );
    const parts = Array.from({ length: 60 }, (_, bits) => p >> BigInt(bits));
    for (const part of [...parts, ...parts.map((one) => one + 1n), ...parts.map((one) => p - one)]) {
      expect(isSquare(part % p)).toBe(isSquareByBigint(part % p));
    }
    const squares = Array.from({ length: 100 }, (_, at) => BigInt(at) ** 37n % p);
    for (const root of squares) expect(isSquare((root * root) % p)).toBe(true);
  });

  it('gives the address and bump that web3.js gives', () => {
    const seeds = fc.array(fc.uint8Array({ maxLength: 32 }), { maxLength: 5 });
    fc.assert(
      fc.property(seeds, bytes32, (parts, program) => {
        const programId = new PublicKey(program);
        const [address, bump] = PublicKey.findProgramAddressSync(parts, programId);
        expect(findAddress(parts, toAddress(programId))).toEqual({ address: address.toBase58(), bump });
      }),
      { numRuns: 150, seed: 4 },
    );
  });
});

describe('the addresses of the program', () => {
  const web3 = (...seeds: (string | Uint8Array)[]) =>
    PublicKey.findProgramAddressSync(
      seeds.map((seed) => Buffer.from(seed)),
      new PublicKey(PROGRAM),
    )[0].toBase58();
  const [one, two] = [actor('one').address, actor('two').address];
  const key = (address: Address) => addressBytes(address);
  const id = new Uint8Array(16).fill(7);

  it('follow from the seeds that the documentation names', () => {
    expect(pdas.configAddress(PROGRAM)).toBe(web3('config'));
    expect(pdas.organizerAddress(PROGRAM, id)).toBe(web3('org', id));
    expect(pdas.eventAddress(PROGRAM, one, id)).toBe(web3('event', key(one), id));
    expect(pdas.authAddress(PROGRAM, one)).toBe(web3('auth', key(one)));
    expect(pdas.ticketAddress(PROGRAM, one, 0x01020304)).toBe(
      web3('ticket', key(one), Uint8Array.of(4, 3, 2, 1)),
    );
    expect(pdas.mintAddress(PROGRAM, one)).toBe(web3('mint', key(one)));
    expect(pdas.tokenAddress(PROGRAM, one, two)).toBe(web3('token', key(one), key(two)));
    const { ticket, mint } = pdas.ticketAddresses(PROGRAM, one, 9);
    expect([ticket, mint]).toEqual([pdas.ticketAddress(PROGRAM, one, 9), pdas.mintAddress(PROGRAM, ticket)]);
  });

  it('take ids of 16 bytes and indices of 32 bits only', () => {
    expect(() => pdas.organizerAddress(PROGRAM, new Uint8Array(15))).toThrow(RangeError);
    expect(() => pdas.eventAddress(PROGRAM, one, new Uint8Array(17))).toThrow(RangeError);
    for (const index of [-1, 0.5, 2 ** 32, Number.NaN]) {
      expect(() => pdas.ticketAddress(PROGRAM, one, index)).toThrow(RangeError);
    }
  });

  it('include the associated token accounts of any token program', () => {
    const wrapped = toAddress('So11111111111111111111111111111111111111112');
    const expected = PublicKey.findProgramAddressSync(
      [key(one), key(TOKEN_PROGRAM), key(wrapped)],
      new PublicKey(ASSOCIATED_TOKEN_PROGRAM),
    )[0].toBase58();
    expect(pdas.associatedTokenAddress(wrapped, one, TOKEN_PROGRAM)).toBe(expected);
  });
});
