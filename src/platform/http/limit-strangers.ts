import type { Context, MiddlewareHandler } from 'hono';
import type { Clock } from '../clock.ts';
import { DomainError } from '../errors.ts';
import { addressOf } from './address-of.ts';
import type { AppEnv } from './app-env.ts';

/** A proof that fails costs as much as so many pages. */
const FAILED = 10;
const MINUTE_MS = 60_000;
/** Beyond it the address that came first is forgotten: memory stays flat whoever comes. */
const MAX_ADDRESSES = 100_000;

/** Bounds what an address may ask for without proving who asks. */
export type StrangerLimit = {
  /** A page for everybody. */
  page: MiddlewareHandler<AppEnv>;
  /** Runs what finds out who asks; a proof that holds costs nothing. @throws DomainError rate_limited before it runs */
  prove<T>(c: Context, work: () => Promise<T>): Promise<T>;
};

/**
 * At most `perMinute` in a minute of the clock: a page counts one, a token, key or signature that is refused ten. Counted
 * in this process alone, so that it costs no call to anything. Requests without a socket have no address.
 */
export function createStrangerLimit(options: {
  clock: Clock;
  perMinute: number;
  proxies: number;
}): StrangerLimit {
  const { clock, perMinute, proxies } = options;
  let minute = 0;
  let spent = new Map<string, number>();

  function add(address: string, cost: number): number {
    const now = Math.floor(clock.now().getTime() / MINUTE_MS);
    if (now !== minute) {
      minute = now;
      spent = new Map();
    }
    const sum = Math.max(0, (spent.get(address) ?? 0) + cost);
    spent.set(address, sum);
    if (spent.size > MAX_ADDRESSES) {
      const [oldest] = spent.keys();
      if (oldest !== undefined) spent.delete(oldest);
    }
    return sum;
  }

  function take(address: string): void {
    if (add(address, 1) <= perMinute) return;
    add(address, -1);
    const retryAfter = Math.ceil((MINUTE_MS - (clock.now().getTime() % MINUTE_MS)) / 1000);
    throw new DomainError('rate_limited', 'rate_limited', 'Too many requests from this address.', {
      retryAfter,
    });
  }

  return {
    page: async (c, next) => {
      const address = addressOf(c, proxies);
      if (address !== undefined) take(address);
      return next();
    },
    async prove(c, work) {
      const address = addressOf(c, proxies);
      if (address === undefined) return work();
      take(address);
      try {
        const proven = await work();
        add(address, -1);
        return proven;
      } catch (error) {
        const refused = error instanceof DomainError && error.kind === 'unauthenticated';
        add(address, refused ? FAILED - 1 : -1);
        throw error;
      }
    },
  };
}
