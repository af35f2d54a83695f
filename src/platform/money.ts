const currencies = new Set([...Intl.supportedValuesOf('currency'), 'VED']);

/** How many decimals ISO 4217 gives a currency, where they are not two. What people write, which Intl knows, may be fewer. */
const decimals = new Map([
  ...'BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF'
    .split(' ')
    .map((code) => [code, 0]),
  ...'BHD IQD JOD KWD LYD OMR TND'.split(' ').map((code) => [code, 3]),
  ...'CLF UYW'.split(' ').map((code) => [code, 4]),
] as [string, number][]);

/** Whether `code` is a currency of ISO 4217. */
export function isCurrency(code: string): boolean {
  return currencies.has(code);
}

/** How many decimals the minor unit of `currency` has. */
export function minorDigits(currency: string): number {
  return decimals.get(currency) ?? 2;
}

/** `25.00 EUR` of 2500 minor units. */
export function writeAmount(minor: number | bigint, currency: string): string {
  const digits = minorDigits(currency);
  return `${(Number(minor) / 10 ** digits).toFixed(digits)} ${currency}`;
}
