import type { MiddlewareHandler } from 'hono';
import type { FindByApiKey } from '../domain/tenants/authenticate-api-key.ts';
import type { Actor } from '../platform/actor.ts';
import { DomainError } from '../platform/errors.ts';
import type { AppEnv } from '../platform/http/app-env.ts';
import type { StrangerLimit } from '../platform/http/limit-strangers.ts';
import { type Refusal, unauthenticated } from '../platform/http/refusal.ts';
import type { VerifyToken } from '../platform/http/verify-token.ts';
import type { TenantId } from '../platform/ids.ts';
import { isUserId } from '../platform/user-id.ts';

const USER_ID = /^[\x21-\x7e]{1,128}$/;

/**
 * `Authorization: Bearer`, then an access token or an API key. The tenant comes from there and from nowhere else.
 * A tenant that is unknown or closed is let in by neither. Why somebody is not let in is told to the log alone.
 * A key with the scope `on_behalf_of` may name a user in `On-Behalf-Of` and then acts as that buyer.
 */
export function authenticate(options: {
  verifyToken: VerifyToken;
  findByApiKey: FindByApiKey;
  isApiKey: (text: string) => boolean;
  isOpen: (tenantId: TenantId) => Promise<boolean>;
  logRefusal: (requestId: string, refusal: Refusal) => void;
  strangers: Pick<StrangerLimit, 'prove'>;
}): MiddlewareHandler<AppEnv> {
  const { verifyToken, findByApiKey, isApiKey, isOpen, logRefusal, strangers } = options;

  async function identify(token: string | undefined): Promise<Actor> {
    if (token === undefined) throw unauthenticated('no_token');
    if (token === '') throw unauthenticated('malformed');
    const actor = isApiKey(token) ? await findByApiKey(token) : await verifyToken(token);
    if (!(await isOpen(actor.tenantId))) throw unauthenticated('tenant_closed');
    return actor;
  }

  /** Who was let in a moment ago is no stranger, whatever others do behind the same address. */
  function isKnown(token: string | undefined): boolean {
    if (!token) return false;
    return (isApiKey(token) ? findByApiKey : verifyToken).remembered(token) !== undefined;
  }

  return async (c, next) => {
    const token = readToken(c.req.header('authorization'));
    const find = () => identify(token);
    const actor = await (isKnown(token) ? find() : strangers.prove(c, find)).catch((error) => {
      if (error instanceof DomainError && error.kind === 'unauthenticated')
        logRefusal(c.get('requestId'), error.cause as Refusal);
      throw error;
    });
    const user = c.req.header('on-behalf-of');
    c.set('actor', user === undefined ? actor : onBehalfOf(actor, user));
    return next();
  };
}

/** Undefined without the header, empty for a header that holds no token. */
function readToken(header: string | undefined): string | undefined {
  if (header === undefined) return undefined;
  const [scheme, token = '', ...rest] = header.split(' ', 3);
  return scheme?.toLowerCase() === 'bearer' && rest.length === 0 ? token : '';
}

function onBehalfOf(actor: Actor, user: string): Actor {
  if (!actor.scopes.includes('on_behalf_of')) {
    throw new DomainError('forbidden', 'scope_missing', 'This key may not act for a user.');
  }
  if (!USER_ID.test(user) || !isUserId(user)) {
    throw new DomainError(
      'invalid',
      'bad_user_id',
      'On-Behalf-Of must be 1 to 128 visible ASCII characters, and no name that is reserved.',
    );
  }
  return { ...actor, subject: user, role: 'buyer', scopes: [], keyId: actor.subject };
}
