import type { Clock } from '../../platform/clock.ts';
import type { Db } from '../../platform/db.ts';
import { newId, toTenantId } from '../../platform/ids.ts';
import { withTenant } from '../../platform/tenant-tx.ts';
import { insertApiKey, type NewApiKey } from './create-api-key.ts';

/** Opens a tenant with one admin key. Done by the operator of the installation, not over HTTP. */
export async function createTenant(
  ctx: { db: Db; clock: Clock },
  input: { name: string },
): Promise<{ tenantId: string; name: string; apiKey: NewApiKey }> {
  const tenantId = toTenantId(newId());
  const now = ctx.clock.now();
  return withTenant(ctx.db, tenantId, async (tx) => {
    await tx
      .insertInto('tenants')
      .values({ tenant_id: tenantId, name: input.name, created_at: now })
      .execute();
    const apiKey = await insertApiKey(tx, tenantId, now, {
      name: 'first admin key',
      role: 'admin',
      scopes: ['on_behalf_of'],
    });
    return { tenantId, name: input.name, apiKey };
  });
}
