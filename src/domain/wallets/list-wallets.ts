import type { AppContext } from '../../context.ts';
import type { Actor } from '../../platform/actor.ts';
import { withTenant } from '../../platform/tenant-tx.ts';
import type { WalletView } from './link-wallet.ts';

/** The wallets of the one who asks. A custodial one appears with the first ticket that is put on chain. */
export async function listWallets(ctx: AppContext, actor: Actor): Promise<{ items: WalletView[] }> {
  const rows = await withTenant(ctx.db, actor.tenantId, (tx) =>
    tx
      .selectFrom('wallets')
      .select(['address', 'custody', 'is_primary', 'verified_at'])
      .where('tenant_id', '=', actor.tenantId)
      .where('user_id', '=', actor.subject)
      .orderBy('created_at')
      .execute(),
  );
  return {
    items: rows.map((row) => ({
      address: row.address,
      custody: row.custody as WalletView['custody'],
      isPrimary: row.is_primary,
      verifiedAt: row.verified_at.toISOString(),
    })),
  };
}
