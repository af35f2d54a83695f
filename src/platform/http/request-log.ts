import type { MiddlewareHandler } from 'hono';
import { routePath } from 'hono/route';
import { newId } from '../ids.ts';
import type { Logger } from '../logger.ts';
import type { Metrics } from '../metrics.ts';
import type { AppEnv } from './app-env.ts';

const GIVEN_ID = /^[A-Za-z0-9._-]{8,64}$/;

/** Gives every request an id (the caller's `X-Request-Id` when it is plain), a logger, one log line and a measurement. */
export function requestLog(log: Logger, metrics: Metrics): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    const given = c.req.header('x-request-id');
    const requestId = given && GIVEN_ID.test(given) ? given : newId();
    c.set('requestId', requestId);
    c.header('X-Request-Id', requestId);
    const start = performance.now();
    await next();
    const ms = performance.now() - start;
    const route = routePath(c, -1);
    const { method } = c.req;
    const { status } = c.res;
    metrics.httpDuration.observe({ method, route, status: String(status) }, ms / 1000);
    if (c.error && status >= 500) {
      log.error({ requestId, method, route, status, ms: Math.round(ms), err: c.error }, 'request failed');
    } else if (log.isLevelEnabled('debug')) {
      log.debug({ requestId, method, route, status, ms: Math.round(ms) }, 'request');
    }
  };
}
