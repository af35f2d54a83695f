import { describe, expect, it } from 'vitest';
import { isCurrency, writeAmount } from '../../src/platform/money.ts';

describe('an amount', () => {
  it.each([
    [2_500, 'EUR', '25.00 EUR'],
    [5, 'USD', '0.05 USD'],
    [0n, 'EUR', '0.00 EUR'],
    [5_000, 'JPY', '5000 JPY'],
    [250_000, 'HUF', '2500.00 HUF'],
    [1_234, 'IQD', '1.234 IQD'],
    [12_345, 'KWD', '12.345 KWD'],
  ])('of %s minor units of %s is %s', (minor, currency, text) => {
    expect(writeAmount(minor, currency)).toBe(text);
  });
});

describe('a currency', () => {
  it.each(['EUR', 'JPY', 'HUF', 'VED'])('is %s', (code) => expect(isCurrency(code)).toBe(true));
  it.each(['ZZZ', 'eur', 'EURO', ''])('is not %j', (code) => expect(isCurrency(code)).toBe(false));
});
