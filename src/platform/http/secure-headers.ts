import type { MiddlewareHandler } from 'hono';

const YEAR_SECONDS = 31_536_000;

/**
 * What every answer says unless its route says otherwise: it is of the type that it says, stands in nobody's frame, and is
 * kept by nobody, for most of what we answer is somebody's. Where the world comes by TLS, it shall not come without.
 */
export function secureHeaders({ tls }: { tls: boolean }): MiddlewareHandler {
  return async (c, next) => {
    c.header('X-Content-Type-Options', 'nosniff');
    c.header('Content-Security-Policy', "frame-ancestors 'none'");
    c.header('X-Frame-Options', 'DENY');
    c.header('Referrer-Policy', 'no-referrer');
    c.header('Cache-Control', 'no-store');
    if (tls) c.header('Strict-Transport-Security', `max-age=${YEAR_SECONDS}`);
    return next();
  };
}
