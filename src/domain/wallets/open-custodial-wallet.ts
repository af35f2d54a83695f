import type { TenantId } from '../../platform/ids.ts';
import type { TenantTx } from '../../platform/tenant-tx.ts';
import { findPrimaryWallet, lockWallets, type Wallet } from './queries.ts';

/** The user's wallet, or the custodial one at `address` when they have none yet. */
export async function openCustodialWallet(
  tx: TenantTx,
  tenantId: TenantId,
  now: Date,
  input: { userId: string; address: string },
): Promise<Wallet> {
  const { userId, address } = input;
  const existing = await findPrimaryWallet(tx, tenantId, userId);
  if (existing) return existing;
  await lockWallets(tx, tenantId, userId);
  await tx
    .insertInto('wallets')
    .values({
      tenant_id: tenantId,
      address,
      user_id: userId,
      custody: 'custodial',
      is_primary: true,
      verified_at: now,
      created_at: now,
    })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  return (await findPrimaryWallet(tx, tenantId, userId)) ?? { address, userId, custody: 'custodial' };
}
