import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { toAddress } from '../../../programs-client/addresses.ts';
import { knownAddress } from '../../../programs-client/known-address.ts';

const bytesOf = (n: number): Uint8Array => createHash('sha256').update(`${n}`).digest();

it('says the same as toAddress, the first time, again, and after more addresses than it remembers', () => {
  for (let round = 0; round < 2; round++)
    for (let n = 0; n < 4_500; n++) expect(knownAddress(bytesOf(n))).toBe(toAddress(bytesOf(n)));
});

it('does not remember the array that it was given: one that is used again is another address', () => {
  const bytes = Uint8Array.from(bytesOf(1));
  expect(knownAddress(bytes)).toBe(toAddress(bytesOf(1)));
  bytes.set(bytesOf(2));
  expect(knownAddress(bytes)).toBe(toAddress(bytesOf(2)));
  expect(knownAddress(Buffer.concat([bytesOf(3), bytesOf(4)]).subarray(32))).toBe(toAddress(bytesOf(4)));
});

it('takes no other number of bytes, however often it is asked', () => {
  for (let times = 0; times < 2; times++) expect(() => knownAddress(new Uint8Array(31))).toThrow(TypeError);
});
