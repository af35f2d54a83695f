import type { MiddlewareHandler } from 'hono';
import type { Actor } from '../platform/actor.ts';
import { DomainError } from '../platform/errors.ts';
import type { AppEnv } from '../platform/http/app-env.ts';
import { unauthenticated, type VerifyToken } from '../platform/http/verify-token.ts';
import type { TenantId } from '../platform/ids.ts';

const USER_ID = /^[\x21-\x7e]{1,128}$/;

/**
 * `Authorization: Bearer`, then an access token or an API key. The tenant comes from there and from nowhere else.
 * A tenant that is unknown or closed is let in by neither.
 * A key with the scope `on_behalf_of` may name a user in `On-Behalf-Of` and then acts as that buyer.
 */
export function authenticate(options: {
  verifyToken: VerifyToken;
  findByApiKey: (text: string) => Promise<Actor | undefined>;
  isApiKey: (text: string) => boolean;
  isOpen: (tenantId: TenantId) => Promise<boolean>;
}): MiddlewareHandler<AppEnv> {
  const { verifyToken, findByApiKey, isApiKey, isOpen } = options;
  return async (c, next) => {
    const [scheme, token, ...rest] = (c.req.header('authorization') ?? '').split(' ');
    if (scheme?.toLowerCase() !== 'bearer' || !token || rest.length > 0) throw unauthenticated();
    const actor = isApiKey(token) ? await findByApiKey(token) : await verifyToken(token);
    if (!actor || !(await isOpen(actor.tenantId))) throw unauthenticated();
    const user = c.req.header('on-behalf-of');
    c.set('actor', user === undefined ? actor : onBehalfOf(actor, user));
    return next();
  };
}

function onBehalfOf(actor: Actor, user: string): Actor {
  if (!actor.scopes.includes('on_behalf_of')) {
    throw new DomainError('forbidden', 'scope_missing', 'This key may not act for a user.');
  }
  if (!USER_ID.test(user)) {
    throw new DomainError(
      'invalid',
      'bad_user_id',
      'On-Behalf-Of must be 1 to 128 visible ASCII characters.',
    );
  }
  return { ...actor, subject: user, role: 'buyer', scopes: [] };
}
