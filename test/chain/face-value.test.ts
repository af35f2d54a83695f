import { describe, expect, it } from 'vitest';
import { faceValueOf, resaleRules } from '../../src/domain/chain/send/face-value.ts';

const mint = 'EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v';

describe('a face value', () => {
  it.each([
    ['25 euros in a coin of six decimals', 2_500n, 'EUR', 6, 25_000_000n],
    ['25 euros in a coin of two', 2_500n, 'EUR', 2, 2_500n],
    ['one cent in a coin of nine', 1n, 'EUR', 9, 10_000_000n],
    ['2500 yen, which have no cents', 2_500n, 'JPY', 6, 2_500_000_000n],
    ['2500 yen in a coin without decimals', 2_500n, 'JPY', 0, 2_500n],
    ['a dinar of a thousand fils', 1_000n, 'KWD', 6, 1_000_000n],
    ['a ticket for nothing', 0n, 'EUR', 6, 0n],
  ])('is %s, exactly', (_, priceMinor, currency, decimals, units) => {
    expect(faceValueOf({ priceMinor, currency }, { mint, decimals })).toBe(units);
  });

  it('is the price in minor units where the currency has no coin', () => {
    expect(faceValueOf({ priceMinor: 2_500n, currency: 'EUR' }, undefined)).toBe(2_500n);
  });

  it('is never rounded: a coin that is too coarse is refused', () => {
    const price = { priceMinor: 1_000n, currency: 'KWD' };
    expect(() => faceValueOf(price, { mint, decimals: 2 })).toThrow(RangeError);
  });
});

describe('the rules of resale', () => {
  it.each(['open', 'organiser_approved', 'resale_only', 'locked'])(
    'of %s hold as they are in a coin',
    (policy) => {
      const rules = { resaleCapBps: 11_000, transferPolicy: policy };
      expect(resaleRules(rules, { mint, decimals: 6 })).toEqual(rules);
    },
  );

  it.each([
    ['open', 'open'],
    ['organiser_approved', 'organiser_approved'],
    ['resale_only', 'locked'],
    ['locked', 'locked'],
  ])('of %s without a coin are %s and a cap of nothing', (policy, onChain) => {
    const rules = { resaleCapBps: 11_000, transferPolicy: policy };
    expect(resaleRules(rules, undefined)).toEqual({ resaleCapBps: 0, transferPolicy: onChain });
  });
});
