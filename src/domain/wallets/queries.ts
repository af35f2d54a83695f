import { sql } from 'kysely';
import type { TenantId } from '../../platform/ids.ts';
import type { TenantTx } from '../../platform/tenant-tx.ts';

export type Wallet = { address: string; userId: string; custody: 'custodial' | 'linked' };

/** Lets one transaction at a time change which of a user's wallets is the primary one. */
export async function lockWallets(tx: TenantTx, tenantId: TenantId, userId: string): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtextextended(${`wallets\n${tenantId}\n${userId}`}, 0))`.execute(
    tx,
  );
}

/** The wallet that a user's tickets go to. */
export async function findPrimaryWallet(
  tx: TenantTx,
  tenantId: TenantId,
  userId: string,
): Promise<Wallet | undefined> {
  const row = await tx
    .selectFrom('wallets')
    .select(['address', 'user_id', 'custody'])
    .where('tenant_id', '=', tenantId)
    .where('user_id', '=', userId)
    .where('is_primary', '=', true)
    .executeTakeFirst();
  return row && { address: row.address, userId: row.user_id, custody: row.custody as Wallet['custody'] };
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
