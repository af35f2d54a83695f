import type { AppContext } from '../../context.ts';
import { type Actor, requireRole } from '../../platform/actor.ts';
import { type Page, readIdCursor, toPage } from '../../platform/page.ts';
import { withTenant } from '../../platform/tenant-tx.ts';

export type ListedApiKey = {
  id: string;
  name: string;
  role: string;
  scopes: string[];
  createdAt: string;
  expiresAt: string | null;
};

/** The keys that open something, newest first, without their secrets. */
export async function listApiKeys(
  ctx: AppContext,
  actor: Actor,
  input: { limit: number; cursor?: string | undefined },
): Promise<Page<ListedApiKey>> {
  requireRole(actor, 'admin');
  const after = readIdCursor(input.cursor);
  const rows = await withTenant(ctx.db, actor.tenantId, (tx) => {
    let query = tx
      .selectFrom('api_keys')
      .select(['id', 'name', 'role', 'scopes', 'created_at', 'expires_at'])
      .where('tenant_id', '=', actor.tenantId)
      .where('revoked_at', 'is', null)
      .where((eb) => eb.or([eb('expires_at', 'is', null), eb('expires_at', '>', ctx.clock.now())]))
      .orderBy('id', 'desc')
      .limit(input.limit + 1);
    if (after) query = query.where('id', '<', after);
    return query.execute();
  });
  return toPage(
    rows,
    input.limit,
    (row) => [row.id],
    ({ id, name, role, scopes, created_at, expires_at }) => ({
      id,
      name,
      role,
      scopes,
      createdAt: created_at.toISOString(),
      expiresAt: expires_at?.toISOString() ?? null,
    }),
  );
}
