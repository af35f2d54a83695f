import { sql } from 'kysely';
import type { AppContext } from '../../context.ts';
import { newId, type TenantId } from '../../platform/ids.ts';
import { type TenantTx, withTenant } from '../../platform/tenant-tx.ts';

export type Verification = 'proven' | 'proven_before' | 'drifted' | 'gone';

type Counts = {
  ticket_type_id: string;
  counter_sold: number;
  counter_held: number;
  rows_sold: number;
  rows_held: number;
  version: bigint;
};

/** Compares the counter of a ticket type with the rows it counts, in any case; see `verifyCounters`. */
export async function verifyCounter(
  ctx: Pick<AppContext, 'db' | 'clock'>,
  tenantId: TenantId,
  input: { ticketTypeId: string },
): Promise<Verification> {
  const found = await withTenant(ctx.db, tenantId, (tx) =>
    verifyCounters(tx, tenantId, ctx.clock.now(), [input]),
  );
  return found.get(input.ticketTypeId) ?? 'gone';
}

/**
 * Compares the counters of ticket types with the rows they count, in one snapshot, and records differences. A version
 * that a later look has covered is not looked at again, so a burst of sales costs a few looks, not one each; without a
 * version a counter is looked at in any case. Returns what became of each type.
 */
export async function verifyCounters(
  tx: TenantTx,
  tenantId: TenantId,
  now: Date,
  counters: readonly { ticketTypeId: string; version?: number }[],
): Promise<Map<string, Verification>> {
  // The newest version that anybody told of; without one there is no end to it. In one order, as the rows are written.
  const newest = new Map<string, number>();
  for (const { ticketTypeId, version = Number.MAX_SAFE_INTEGER } of counters)
    newest.set(ticketTypeId, Math.max(version, newest.get(ticketTypeId) ?? 0));
  const types = [...newest.keys()].sort();
  const outcomes = new Map(types.map((type): [string, Verification] => [type, 'gone']));

  const checked = await tx
    .selectFrom('inventory_checks')
    .select(['ticket_type_id', 'verified_version'])
    .where('tenant_id', '=', tenantId)
    .where('ticket_type_id', 'in', types)
    .execute();
  for (const { ticket_type_id, verified_version } of checked)
    if (verified_version >= BigInt(newest.get(ticket_type_id) as number))
      outcomes.set(ticket_type_id, 'proven_before');
  const unproven = types.filter((type) => outcomes.get(type) !== 'proven_before');
  if (unproven.length === 0) return outcomes;

  const counts = await readCounts(tx, tenantId, unproven);
  for (const count of counts) outcomes.set(count.ticket_type_id, isEqual(count) ? 'proven' : 'drifted');
  await recordDrift(
    tx,
    tenantId,
    now,
    counts.filter((count) => !isEqual(count)),
  );
  await sql`
    insert into inventory_checks (tenant_id, ticket_type_id, verified_version, verified_at)
    select ${tenantId}, type, version, ${now}
    from unnest(${counts.map((count) => count.ticket_type_id)}::uuid[], ${counts.map((count) => count.version)}::bigint[])
      as c (type, version) order by type
    on conflict (tenant_id, ticket_type_id) do update
    set verified_version = excluded.verified_version, verified_at = excluded.verified_at`.execute(tx);
  return outcomes;
}

function isEqual(count: Counts): boolean {
  return count.counter_sold === count.rows_sold && count.counter_held === count.rows_held;
}

async function recordDrift(tx: TenantTx, tenantId: TenantId, now: Date, drifted: Counts[]): Promise<void> {
  if (drifted.length === 0) return;
  const rows = drifted.map(({ version: _version, ...count }) => ({
    tenant_id: tenantId,
    id: newId(),
    found_at: now,
    ...count,
  }));
  await tx.insertInto('capacity_drift').values(rows).execute();
}

/** One statement, so one snapshot: a sale is in all of these numbers or in none. */
async function readCounts(tx: TenantTx, tenantId: TenantId, ticketTypeIds: string[]): Promise<Counts[]> {
  const { rows } = await sql<Counts>`
    select i.ticket_type_id, i.sold as counter_sold, i.held as counter_held, i.version,
      (select count(*)::integer from tickets t
        where t.tenant_id = i.tenant_id and t.ticket_type_id = i.ticket_type_id
          and t.status not in ('cancelled', 'refunded')) as rows_sold,
      (select coalesce(sum(h.quantity), 0)::integer from holds h
        where h.tenant_id = i.tenant_id and h.ticket_type_id = i.ticket_type_id and h.state = 'active') as rows_held
    from inventory i where i.tenant_id = ${tenantId} and i.ticket_type_id = any(${ticketTypeIds}::uuid[])
    order by i.ticket_type_id`.execute(tx);
  return rows;
}
