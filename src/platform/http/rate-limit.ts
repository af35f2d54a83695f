import type { Context, MiddlewareHandler } from 'hono';
import { type Cache, tenantKey } from '../cache.ts';
import type { Clock } from '../clock.ts';
import { DomainError } from '../errors.ts';
import type { AppEnv } from './app-env.ts';

/**
 * At most `perMinute` requests of one principal in a minute of the clock. Counted in the cache: without Redis each
 * process counts for itself, so the limit loosens but never ends.
 */
export function rateLimit(options: {
  cache: Cache;
  clock: Clock;
  perMinute: number;
}): MiddlewareHandler<AppEnv> {
  const { cache, clock, perMinute } = options;
  return async (c, next) => {
    const actor = c.get('actor');
    const seconds = Math.floor(clock.now().getTime() / 1000);
    const minute = Math.floor(seconds / 60);
    const count = await cache.increment(tenantKey(actor.tenantId, 'rate', actor.subject, String(minute)), 60);
    const reset = 60 - (seconds % 60);
    setHeaders(c, perMinute, Math.max(0, perMinute - count), reset);
    if (count > perMinute) {
      throw new DomainError('rate_limited', 'rate_limited', 'Too many requests.', { retryAfter: reset });
    }
    return next();
  };
}

function setHeaders(c: Context, limit: number, remaining: number, reset: number): void {
  c.header('RateLimit-Limit', String(limit));
  c.header('RateLimit-Remaining', String(remaining));
  c.header('RateLimit-Reset', String(reset));
}
