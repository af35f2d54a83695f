import { sql } from 'kysely';
import type { AppContext } from '../../context.ts';
import { newId, type TenantId } from '../../platform/ids.ts';
import { type TenantTx, withTenant } from '../../platform/tenant-tx.ts';

export type Verification = 'proven' | 'proven_before' | 'drifted' | 'gone';

type Counts = {
  counter_sold: number;
  counter_held: number;
  rows_sold: number;
  rows_held: number;
  version: bigint;
};

/**
 * Compares the counter of a ticket type with the rows it counts, in one snapshot, and records a difference. A version
 * that a later look has covered is not looked at again, so a burst of sales costs a few looks, not one each; without a
 * version it is looked at in any case.
 */
export async function verifyCounter(
  ctx: Pick<AppContext, 'db' | 'clock'>,
  tenantId: TenantId,
  input: { ticketTypeId: string; version?: number },
): Promise<Verification> {
  return withTenant(ctx.db, tenantId, (tx) => verify(tx, tenantId, ctx.clock.now(), input));
}

async function verify(
  tx: TenantTx,
  tenantId: TenantId,
  now: Date,
  input: { ticketTypeId: string; version?: number },
): Promise<Verification> {
  const { ticketTypeId, version } = input;
  const checked = await tx
    .selectFrom('inventory_checks')
    .select('verified_version')
    .where('tenant_id', '=', tenantId)
    .where('ticket_type_id', '=', ticketTypeId)
    .executeTakeFirst();
  if (version !== undefined && checked && checked.verified_version >= BigInt(version)) return 'proven_before';
  const counts = await readCounts(tx, tenantId, ticketTypeId);
  if (!counts) return 'gone';
  const equal = counts.counter_sold === counts.rows_sold && counts.counter_held === counts.rows_held;
  if (!equal) {
    const { counter_sold, counter_held, rows_sold, rows_held } = counts;
    await tx
      .insertInto('capacity_drift')
      .values({
        tenant_id: tenantId,
        id: newId(),
        ticket_type_id: ticketTypeId,
        found_at: now,
        counter_sold,
        counter_held,
        rows_sold,
        rows_held,
      })
      .execute();
  }
  const check = { verified_version: counts.version, verified_at: now };
  await tx
    .insertInto('inventory_checks')
    .values({ tenant_id: tenantId, ticket_type_id: ticketTypeId, ...check })
    .onConflict((conflict) => conflict.columns(['tenant_id', 'ticket_type_id']).doUpdateSet(check))
    .execute();
  return equal ? 'proven' : 'drifted';
}

/** One statement, so one snapshot: a sale is in all of these numbers or in none. */
async function readCounts(
  tx: TenantTx,
  tenantId: TenantId,
  ticketTypeId: string,
): Promise<Counts | undefined> {
  const { rows } = await sql<Counts>`
    select i.sold as counter_sold, i.held as counter_held, i.version,
      (select count(*)::integer from tickets t
        where t.tenant_id = i.tenant_id and t.ticket_type_id = i.ticket_type_id
          and t.status not in ('cancelled', 'refunded')) as rows_sold,
      (select coalesce(sum(h.quantity), 0)::integer from holds h
        where h.tenant_id = i.tenant_id and h.ticket_type_id = i.ticket_type_id and h.state = 'active') as rows_held
    from inventory i where i.tenant_id = ${tenantId} and i.ticket_type_id = ${ticketTypeId}`.execute(tx);
  return rows[0];
}
