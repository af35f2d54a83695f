import { sql } from 'kysely';
import type { TenantId } from '../../platform/ids.ts';
import type { TenantTx } from '../../platform/tenant-tx.ts';

/** Tickets that came into a wallet before anybody had linked it become its owner's; earlier codes die. */
export async function claimTickets(
  tx: TenantTx,
  tenantId: TenantId,
  now: Date,
  claim: { wallet: string; userId: string },
): Promise<void> {
  await tx
    .updateTable('tickets')
    .set({ user_id: claim.userId, owner_epoch: sql<number>`owner_epoch + 1`, updated_at: now })
    .where('tenant_id', '=', tenantId)
    .where('user_id', '=', `wallet:${claim.wallet}`)
    .where('owner_wallet', '=', claim.wallet)
    .execute();
}
