import { sql } from 'kysely';
import type { TenantId } from '../../platform/ids.ts';
import type { TenantTx } from '../../platform/tenant-tx.ts';

export type Wallet = { address: string; userId: string; custody: 'custodial' | 'linked' };

/** Lets one transaction at a time change which of a user's wallets is the primary one; always in the same order. */
export async function lockWallets(
  tx: TenantTx,
  tenantId: TenantId,
  userIds: readonly string[],
): Promise<void> {
  const names = userIds.map((userId) => `wallets\n${tenantId}\n${userId}`).sort();
  await sql`select pg_advisory_xact_lock(hashtextextended(name, 0))
    from unnest(${names}::text[]) with ordinality as one(name, nth) order by nth`.execute(tx);
}

/** The wallets that users' tickets go to, by user; a user who has none is left out. */
export async function findPrimaryWallets(
  tx: TenantTx,
  tenantId: TenantId,
  userIds: readonly string[],
): Promise<Map<string, Wallet>> {
  const rows = await tx
    .selectFrom('wallets')
    .select(['address', 'user_id', 'custody'])
    .where('tenant_id', '=', tenantId)
    .where(sql<boolean>`user_id = any(${userIds}::text[])`)
    .where('is_primary', '=', true)
    .execute();
  return new Map(
    rows.map(({ address, user_id, custody }) => [
      user_id,
      { address, userId: user_id, custody: custody as Wallet['custody'] },
    ]),
  );
}

/** Whose wallet an address is, if we know it. */
export async function findWallet(
  tx: TenantTx,
  tenantId: TenantId,
  address: string,
): Promise<Wallet | undefined> {
  const row = await tx
    .selectFrom('wallets')
    .select(['address', 'user_id', 'custody'])
    .where('tenant_id', '=', tenantId)
    .where('address', '=', address)
    .executeTakeFirst();
  return row && { address: row.address, userId: row.user_id, custody: row.custody as Wallet['custody'] };
}
