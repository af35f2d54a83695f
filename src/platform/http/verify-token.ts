import { hash } from 'node:crypto';
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  type JWTPayload,
  type JWTVerifyGetKey,
  jwtVerify,
} from 'jose';
import { type Actor, type Role, roles, TRANSFER_FOR_OTHERS } from '../actor.ts';
import type { Clock } from '../clock.ts';
import { toTenantId } from '../ids.ts';
import { isUserId } from '../user-id.ts';
import { isClean } from './read-json.ts';
import { refusalOf, unauthenticated } from './refusal.ts';

export type TokenOptions = {
  issuer: string;
  audience: string;
  algorithms: readonly string[];
  /** Exactly one source of keys. */
  keys: { jwksUrl: string } | { jwks: string } | { secret: string };
  clock: Clock;
};

export type VerifyToken = ((token: string) => Promise<Actor>) & {
  /** Who a token is of that was verified a moment ago; undefined for any other. */
  remembered(token: string): Actor | undefined;
};

const CACHED_TOKENS = 20_000;
/** An issuer signs a name, a role and a few claims more. */
const MAX_LENGTH = 8_192;
/** A key that the issuer withdrew may still verify for so long through the cache. */
const CACHE_MS = 60_000;

/**
 * A verifier of access tokens: fixed algorithms, iss, aud, exp and typ checked; tenant, subject and role come from the
 * claims `tenant`, `sub`, `role`, rights from `scope`, and an address from `email` when `email_verified` says so.
 * Verified tokens are remembered until they expire, a minute at most, each by the digest of its only spelling: a
 * signature can be written in many ways that decode alike, and all but one are refused.
 * The verifier throws DomainError `unauthenticated`, the same for every fault; its cause is the refusal, for the log.
 */
export function createTokenVerifier(options: TokenOptions): VerifyToken {
  const { issuer, audience, algorithms, clock } = options;
  const getKey = keySource(options.keys);
  const known = new Map<string, { actor: Actor; until: number }>();

  function remembered(token: string): Actor | undefined {
    if (token.length > MAX_LENGTH) return undefined;
    const key = hash('sha256', token, 'base64');
    const hit = known.get(key);
    if (hit && hit.until > clock.now().getTime()) return hit.actor;
    known.delete(key);
    return undefined;
  }

  async function verify(token: string): Promise<Actor> {
    const hit = remembered(token);
    if (hit) return hit;
    if (token.length > MAX_LENGTH || !token.split('.').every(isCanonical)) throw unauthenticated('malformed');
    const now = clock.now();
    let payload: JWTPayload;
    try {
      ({ payload } = await jwtVerify(token, getKey as JWTVerifyGetKey, {
        issuer,
        audience,
        algorithms: [...algorithms],
        typ: 'JWT',
        requiredClaims: ['exp', 'sub', 'tenant', 'role'],
        currentDate: now,
        clockTolerance: 5,
      }));
    } catch (error) {
      // Which check failed is nobody's business outside, an issuer that does not answer included.
      throw unauthenticated(refusalOf(error));
    }
    const actor = toActor(payload);
    const until = Math.min((payload.exp ?? 0) * 1000, now.getTime() + CACHE_MS);
    known.set(hash('sha256', token, 'base64'), { actor, until });
    if (known.size > CACHED_TOKENS) {
      const [oldest] = known.keys();
      if (oldest !== undefined) known.delete(oldest);
    }
    return actor;
  }

  return Object.assign(verify, { remembered });
}

/** Whether a part is base64url as an encoder writes it: no padding, no white space, no bits behind the last byte. */
function isCanonical(part: string): boolean {
  return Buffer.from(part, 'base64url').toString('base64url') === part;
}

function keySource(keys: TokenOptions['keys']): JWTVerifyGetKey | Uint8Array {
  if ('secret' in keys) {
    const secret = new TextEncoder().encode(keys.secret);
    return (async () => secret) as unknown as JWTVerifyGetKey;
  }
  if ('jwks' in keys) return createLocalJWKSet(JSON.parse(keys.jwks));
  return createRemoteJWKSet(new URL(keys.jwksUrl), { timeoutDuration: 3_000, cooldownDuration: 10_000 });
}

function toActor(payload: JWTPayload): Actor {
  const { sub, tenant, role } = payload;
  // A subject that cannot be stored as it is would fail later, or be taken for another one.
  if (typeof sub !== 'string' || !isUserId(sub)) throw unauthenticated('bad_subject');
  if (!roles.includes(role as Role)) throw unauthenticated('bad_role');
  if (typeof tenant !== 'string') throw unauthenticated('bad_tenant');
  try {
    return {
      tenantId: toTenantId(tenant),
      subject: sub,
      ...verifiedEmail(payload),
      role: role as Role,
      via: 'jwt',
      scopes: scopesOf(payload),
    };
  } catch {
    throw unauthenticated('bad_tenant');
  }
}

/** Some providers write the flag as text. An address that is none is passed over: it is worth no more than no address. */
function verifiedEmail({ email, email_verified: verified }: JWTPayload): { verifiedEmail?: string } {
  if (verified !== true && verified !== 'true') return {};
  if (typeof email !== 'string' || email.length > 200 || !/^[^@\s]+@[^@\s]+$/.test(email) || !isClean(email))
    return {};
  return { verifiedEmail: email.toLowerCase() };
}

/** What a token may grant; to act for others is for keys alone. */
function scopesOf({ scope }: JWTPayload): string[] {
  return typeof scope === 'string' && scope.split(' ').includes(TRANSFER_FOR_OTHERS)
    ? [TRANSFER_FOR_OTHERS]
    : [];
}
