import { sql } from 'kysely';
import type { TenantId } from '../../../platform/ids.ts';
import type { TenantTx } from '../../../platform/tenant-tx.ts';

/**
 * Counts what a tenant's transactions cost at most, in the transaction that keeps their bytes; one statement decides, so
 * workers side by side cannot go beyond the limit together. The row is locked until the commit: count last.
 * @param limit in lamports for an hour of the database's clock
 * @returns false beyond the limit, and nothing is counted
 */
export async function spend(
  tx: TenantTx,
  tenantId: TenantId,
  lamports: bigint,
  limit: bigint,
): Promise<boolean> {
  const { rows } = await sql`
    insert into chain_spending as s (tenant_id, hour, lamports)
    select ${tenantId}, date_trunc('hour', now(), 'UTC'), ${lamports}::bigint where ${lamports}::bigint <= ${limit}::bigint
    on conflict (tenant_id, hour) do update set lamports = s.lamports + excluded.lamports
      where s.lamports + excluded.lamports <= ${limit}::bigint
    returning lamports`.execute(tx);
  return rows.length > 0;
}

/** What a tenant may still spend within this hour, in lamports; as many transactions are worth signing. */
export async function leftToSpend(tx: TenantTx, tenantId: TenantId, limit: bigint): Promise<bigint> {
  const row = await tx
    .selectFrom('chain_spending')
    .select('lamports')
    .where('tenant_id', '=', tenantId)
    .where('hour', '=', sql<Date>`date_trunc('hour', now(), 'UTC')`)
    .executeTakeFirst();
  const left = limit - (row?.lamports ?? 0n);
  return left > 0n ? left : 0n;
}

/**
 * Takes back what was counted for a transaction that can never land: one that is signed again is counted again.
 * @param keptAt when its bytes were kept
 */
export async function giveBack(
  tx: TenantTx,
  tenantId: TenantId,
  { lamports, keptAt }: { lamports: bigint; keptAt: Date },
): Promise<void> {
  await sql`update chain_spending set lamports = greatest(lamports - ${lamports}::bigint, 0)
    where tenant_id = ${tenantId} and hour = date_trunc('hour', ${keptAt}::timestamptz, 'UTC')`.execute(tx);
}
