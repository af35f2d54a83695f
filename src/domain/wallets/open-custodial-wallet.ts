import { sql } from 'kysely';
import type { TenantId } from '../../platform/ids.ts';
import type { TenantTx } from '../../platform/tenant-tx.ts';
import { findPrimaryWallets, lockWallets, type Wallet } from './queries.ts';

/** The user's wallet, or the custodial one at `address` when they have none yet. */
export async function openCustodialWallet(
  tx: TenantTx,
  tenantId: TenantId,
  now: Date,
  input: { userId: string; address: string },
): Promise<Wallet> {
  return (await openCustodialWallets(tx, tenantId, now, [input]))[0] as Wallet;
}

/** The same for many users at once, each named once; the wallets in the order of `wanted`. */
export async function openCustodialWallets(
  tx: TenantTx,
  tenantId: TenantId,
  now: Date,
  wanted: readonly { userId: string; address: string }[],
): Promise<Wallet[]> {
  const users = wanted.map(({ userId }) => userId);
  const known = await findPrimaryWallets(tx, tenantId, users);
  const missing = wanted.filter(({ userId }) => !known.has(userId));
  if (missing.length > 0) {
    const without = missing.map(({ userId }) => userId);
    await lockWallets(tx, tenantId, without);
    await sql`insert into wallets (tenant_id, address, user_id, custody, is_primary, verified_at, created_at)
      select ${tenantId}::uuid, address, user_id, 'custodial', true, ${now}, ${now}
      from unnest(${without}::text[], ${missing.map(({ address }) => address)}::text[]) as one(user_id, address)
      on conflict do nothing`.execute(tx);
    for (const [userId, wallet] of await findPrimaryWallets(tx, tenantId, without)) known.set(userId, wallet);
  }
  return wanted.map((one) => known.get(one.userId) ?? { ...one, custody: 'custodial' });
}
