import type { Actor, Role } from '../../platform/actor.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Db } from '../../platform/db.ts';
import { unauthenticated } from '../../platform/http/refusal.ts';
import { withTenant } from '../../platform/tenant-tx.ts';
import { matchesHash, type ParsedApiKey, parseApiKey } from './api-key-format.ts';

/** A revoked key still opens for so long through the memory of a process. */
const REMEMBER_MS = 30_000;
const REMEMBERED_KEYS = 10_000;

export type FindByApiKey = ((text: string) => Promise<Actor>) & {
  /** Whose a key is that was looked up a moment ago; undefined for any other. */
  remembered(text: string): Actor | undefined;
};

/** A function from the text of a key to who asks. It throws `unauthenticated` for a key that is not in force. */
export function createApiKeyAuthenticator(ctx: { db: Db; clock: Clock }): FindByApiKey {
  const known = new Map<string, { actor: Actor; until: number }>();

  function remembered(text: string): Actor | undefined {
    const hit = known.get(text);
    if (hit && hit.until > ctx.clock.now().getTime()) return hit.actor;
    known.delete(text);
    return undefined;
  }

  async function find(text: string): Promise<Actor> {
    const hit = remembered(text);
    if (hit) return hit;
    const now = ctx.clock.now().getTime();
    const parsed = parseApiKey(text);
    if (!parsed) throw unauthenticated('api_key_malformed');
    const found = await findActor(ctx, parsed);
    known.set(text, { actor: found.actor, until: Math.min(now + REMEMBER_MS, found.expiresAt) });
    if (known.size > REMEMBERED_KEYS) {
      const [oldest] = known.keys();
      if (oldest !== undefined) known.delete(oldest);
    }
    return found.actor;
  }

  return Object.assign(find, { remembered });
}

async function findActor(
  ctx: { db: Db; clock: Clock },
  { tenantId, id, secret }: ParsedApiKey,
): Promise<{ actor: Actor; expiresAt: number }> {
  const row = await withTenant(ctx.db, tenantId, (tx) =>
    tx
      .selectFrom('api_keys')
      .innerJoin('tenants', 'tenants.tenant_id', 'api_keys.tenant_id')
      .select(['secret_hash', 'role', 'scopes', 'expires_at', 'revoked_at', 'tenants.is_active'])
      .where('api_keys.tenant_id', '=', tenantId)
      .where('api_keys.id', '=', id)
      .executeTakeFirst(),
  );
  if (!row || !matchesHash(secret, row.secret_hash)) throw unauthenticated('api_key_unknown');
  const expiresAt = row.expires_at?.getTime() ?? Number.POSITIVE_INFINITY;
  if (row.revoked_at) throw unauthenticated('api_key_revoked');
  if (expiresAt <= ctx.clock.now().getTime()) throw unauthenticated('api_key_expired');
  if (!row.is_active) throw unauthenticated('tenant_closed');
  const actor: Actor = { tenantId, subject: id, role: row.role as Role, via: 'api_key', scopes: row.scopes };
  return { actor, expiresAt };
}
