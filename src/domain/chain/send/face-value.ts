import { minorDigits } from '../../../platform/money.ts';

/** What a currency of ISO 4217 is on the chain: the mint of a stable coin, and the decimals of that mint. */
export type Coin = { mint: string; decimals: number };
export type Coins = ReadonlyMap<string, Coin>;

/** The coin that an event in `currency` is counted in on the chain; undefined when none is configured. */
export function coinOf(currency: string, coins: Coins): Coin | undefined {
  return coins.get(currency);
}

/**
 * A ticket's face value in the smallest unit of its event's coin, exact. Without a coin in minor units of the currency
 * itself: a number that says the price, and that nothing on the chain is ever paid by, since the event's cap is 0 then.
 * @param coin as it was recorded when the event was made on the chain, which is for good; not as it is configured now
 * The program refuses what is not below 2^48 of them.
 * @throws RangeError for a coin that would have to be rounded to
 */
export function faceValueOf(price: { priceMinor: bigint; currency: string }, coin: Coin | undefined): bigint {
  const { priceMinor, currency } = price;
  const more = coin === undefined ? 0 : coin.decimals - minorDigits(currency);
  if (more < 0)
    throw new RangeError(`a coin of ${coin?.decimals} decimals cannot hold the minor units of ${currency}`);
  return priceMinor * 10n ** BigInt(more);
}

/**
 * The rules of resale that an event gets on the chain. Without a coin nothing can be paid there: the chain would count the
 * price in lamports and compare them with cents. So the cap is 0, and an event of resales only is locked, which may be
 * loosened later, as the cap may not.
 */
export function resaleRules<Policy extends string>(
  event: { resaleCapBps: number; transferPolicy: Policy },
  coin: Coin | undefined,
): { resaleCapBps: number; transferPolicy: Policy | 'locked' } {
  if (coin !== undefined) return event;
  const { transferPolicy } = event;
  return { resaleCapBps: 0, transferPolicy: transferPolicy === 'resale_only' ? 'locked' : transferPolicy };
}
