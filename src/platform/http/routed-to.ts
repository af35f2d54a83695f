import type { Context } from 'hono';
import { matchedRoutes } from 'hono/route';

/**
 * The route that a request will come to, `PUT /api/events/:id/seat-map`, while it is still in the middleware before it;
 * undefined when there is none.
 */
export function routedTo(c: Context): string | undefined {
  const route = matchedRoutes(c).find(({ method }) => method === c.req.method);
  return route && `${route.method} ${route.path}`;
}
