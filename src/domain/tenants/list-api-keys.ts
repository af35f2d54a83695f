import type { AppContext } from '../../context.ts';
import { type Actor, requireRole } from '../../platform/actor.ts';
import { withTenant } from '../../platform/tenant-tx.ts';

/** The keys that are not revoked, newest first, without their secrets. */
export async function listApiKeys(ctx: AppContext, actor: Actor) {
  requireRole(actor, 'admin');
  const rows = await withTenant(ctx.db, actor.tenantId, (tx) =>
    tx
      .selectFrom('api_keys')
      .select(['id', 'name', 'role', 'scopes', 'created_at', 'expires_at'])
      .where('tenant_id', '=', actor.tenantId)
      .where('revoked_at', 'is', null)
      .orderBy('id', 'desc')
      .limit(100)
      .execute(),
  );
  return rows.map(({ id, name, role, scopes, created_at, expires_at }) => ({
    id,
    name,
    role,
    scopes,
    createdAt: created_at.toISOString(),
    expiresAt: expires_at?.toISOString() ?? null,
  }));
}
