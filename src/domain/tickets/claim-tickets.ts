import { sql } from 'kysely';
import type { TenantId } from '../../platform/ids.ts';
import type { TenantTx } from '../../platform/tenant-tx.ts';

/**
 * Tickets that came into a wallet before anybody had linked it become its owner's; earlier codes die. Returns which,
 * for the caller to publish after the commit.
 */
export async function claimTickets(
  tx: TenantTx,
  tenantId: TenantId,
  now: Date,
  claim: { wallet: string; userId: string },
): Promise<string[]> {
  const { userId } = claim;
  const claimed = await tx
    .updateTable('tickets')
    .set((eb) => ({
      user_id: userId,
      holder_name: eb.fn.coalesce(
        eb
          .selectFrom('users')
          .select('name')
          .where('users.tenant_id', '=', tenantId)
          .where('users.user_id', '=', userId),
        eb.val(userId),
      ),
      owner_epoch: sql<number>`owner_epoch + 1`,
      updated_at: now,
    }))
    .where('tenant_id', '=', tenantId)
    .where('user_id', '=', `wallet:${claim.wallet}`)
    .where('owner_wallet', '=', claim.wallet)
    .returning('id')
    .execute();
  return claimed.map(({ id }) => id);
}
