import type { OpenAPIHono } from '@hono/zod-openapi';
import type { MiddlewareHandler } from 'hono';
import { type Role, requireRole } from '../actor.ts';
import type { AppEnv } from './app-env.ts';
import { routedTo } from './routed-to.ts';

const BASE = '/api';

/**
 * Refuses a role that a route does not name among its callers before its body is read, so that nobody has work done
 * by an upload that they may not make. The verb decides all the same: whose a thing is, it alone knows.
 */
export function allowRoles(routes: OpenAPIHono<AppEnv>): MiddlewareHandler<AppEnv> {
  let callers: Map<string, readonly Role[]> | undefined;
  return async (c, next) => {
    // At the first request: middleware comes before the routes that it guards.
    callers ??= readCallers(routes);
    const route = routedTo(c);
    const allowed = route === undefined ? undefined : callers.get(route);
    if (allowed) requireRole(c.get('actor'), ...allowed);
    return next();
  };
}

function readCallers(routes: OpenAPIHono<AppEnv>): Map<string, readonly Role[]> {
  const callers = new Map<string, readonly Role[]>();
  for (const definition of routes.openAPIRegistry.definitions) {
    if (definition.type !== 'route' || !definition.route.request?.body) continue;
    const { method, path } = definition.route;
    const route = definition.route as { 'x-roles'?: readonly Role[]; 'x-roles-with-scope'?: readonly Role[] };
    // Whether somebody has the scope, the verb decides.
    const allowed = route['x-roles'] && [...route['x-roles'], ...(route['x-roles-with-scope'] ?? [])];
    if (allowed) callers.set(`${method.toUpperCase()} ${BASE}${path.replace(/\{(\w+)\}/g, ':$1')}`, allowed);
  }
  return callers;
}
