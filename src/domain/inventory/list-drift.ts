import { sql } from 'kysely';
import type { AppContext } from '../../context.ts';
import type { Db } from '../../platform/db.ts';
import { type TenantId, toTenantId } from '../../platform/ids.ts';
import { withSystem, withTenant } from '../../platform/tenant-tx.ts';

export type Drift = {
  tenantId: TenantId;
  event: string;
  ticketType: string;
  foundAt: string;
  counterSold: number;
  rowsSold: number;
  counterHeld: number;
  rowsHeld: number;
};

/**
 * Counters that did not equal their rows when the background service looked last, of all tenants. A difference that a
 * later look did not find again is history and stays in `capacity_drift`.
 */
export async function listDrift(ctx: Pick<AppContext, 'db'>, relay: Db): Promise<Drift[]> {
  const tenants = await withSystem(relay, (tx) =>
    tx.selectFrom('tenants').select('tenant_id').orderBy('tenant_id').execute(),
  );
  const drift: Drift[] = [];
  for (const { tenant_id } of tenants) drift.push(...(await listOfTenant(ctx, toTenantId(tenant_id))));
  return drift;
}

function listOfTenant(ctx: Pick<AppContext, 'db'>, tenantId: TenantId): Promise<Drift[]> {
  return withTenant(ctx.db, tenantId, async (tx) => {
    const { rows } = await sql<Drift & { foundAt: Date }>`
      select distinct on (e.title, t.name, t.id) d.tenant_id as "tenantId", e.title as event, t.name as "ticketType",
        d.found_at as "foundAt", d.counter_sold as "counterSold", d.rows_sold as "rowsSold",
        d.counter_held as "counterHeld", d.rows_held as "rowsHeld"
      from capacity_drift d
      join inventory_checks c on c.tenant_id = d.tenant_id and c.ticket_type_id = d.ticket_type_id
      join ticket_types t on t.tenant_id = d.tenant_id and t.id = d.ticket_type_id
      join events e on e.tenant_id = t.tenant_id and e.id = t.event_id
      where d.tenant_id = ${tenantId} and d.found_at >= c.verified_at
      order by e.title, t.name, t.id, d.found_at desc`.execute(tx);
    return rows.map((row) => ({ ...row, foundAt: row.foundAt.toISOString() }));
  });
}
