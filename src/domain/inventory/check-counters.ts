import { sql } from 'kysely';
import type { AppContext } from '../../context.ts';
import type { Db } from '../../platform/db.ts';
import { type TenantId, toTenantId } from '../../platform/ids.ts';
import { withSystem, withTenant } from '../../platform/tenant-tx.ts';
import { verifyCounter } from './verify-counter.ts';

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
 * Compares every counter of all tenants with the rows it counts, while they are sold. Returns how many there are, and
 * those that are wrong. A difference that was found earlier and is gone stays in `capacity_drift`.
 */
export async function checkCounters(
  ctx: Pick<AppContext, 'db' | 'clock'>,
  relay: Db,
): Promise<{ checked: number; drift: Drift[] }> {
  const tenants = await withSystem(relay, (tx) =>
    tx.selectFrom('tenants').select('tenant_id').orderBy('tenant_id').execute(),
  );
  let checked = 0;
  const drift: Drift[] = [];
  for (const { tenant_id } of tenants) {
    const tenantId = toTenantId(tenant_id);
    const counters = await withTenant(ctx.db, tenantId, (tx) =>
      tx.selectFrom('inventory').select('ticket_type_id').where('tenant_id', '=', tenantId).execute(),
    );
    for (const { ticket_type_id } of counters)
      await verifyCounter(ctx, tenantId, { ticketTypeId: ticket_type_id });
    checked += counters.length;
    drift.push(...(await listOfTenant(ctx, tenantId)));
  }
  return { checked, drift };
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
