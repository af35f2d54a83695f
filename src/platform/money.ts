const currencies = new Set(Intl.supportedValuesOf('currency'));

/** Whether `code` is a currency of ISO 4217. */
export function isCurrency(code: string): boolean {
  return currencies.has(code);
}

/** `25.00 EUR` of 2500 minor units; a currency has as many decimals as ISO 4217 gives it. */
export function writeAmount(minor: number | bigint, currency: string): string {
  const { maximumFractionDigits: digits = 2 } = new Intl.NumberFormat('en', {
    style: 'currency',
    currency,
  }).resolvedOptions();
  return `${(Number(minor) / 10 ** digits).toFixed(digits)} ${currency}`;
}
