import type { Clock } from '../../platform/clock.ts';
import type { Db } from '../../platform/db.ts';
import type { TenantId } from '../../platform/ids.ts';
import { withTenant } from '../../platform/tenant-tx.ts';

/** A tenant that was closed is still let in for so long through the memory of a process. */
const REMEMBER_MS = 30_000;
const REMEMBERED_TENANTS = 10_000;

/** Whether a tenant exists and is active: an issuer may sign tokens for tenants that we never had or no longer serve. */
export function createTenantGate(ctx: { db: Db; clock: Clock }): (tenantId: TenantId) => Promise<boolean> {
  const open = new Map<TenantId, number>();
  return async (tenantId) => {
    const now = ctx.clock.now().getTime();
    if ((open.get(tenantId) ?? 0) > now) return true;
    open.delete(tenantId);
    const row = await withTenant(ctx.db, tenantId, (tx) =>
      tx.selectFrom('tenants').select('is_active').where('tenant_id', '=', tenantId).executeTakeFirst(),
    );
    if (!row?.is_active) return false;
    open.set(tenantId, now + REMEMBER_MS);
    if (open.size > REMEMBERED_TENANTS) {
      const [oldest] = open.keys();
      if (oldest !== undefined) open.delete(oldest);
    }
    return true;
  };
}
