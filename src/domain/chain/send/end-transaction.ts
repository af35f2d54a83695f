import type { TenantId } from '../../../platform/ids.ts';
import type { TenantTx } from '../../../platform/tenant-tx.ts';

/** Notes that a transaction came to nothing. False when the listener saw it land meanwhile. */
export async function endTransaction(
  tx: TenantTx,
  pending: { tenantId: TenantId; id: string },
  status: 'failed' | 'expired',
  code: string | null,
): Promise<boolean> {
  const { numUpdatedRows } = await tx
    .updateTable('pending_transactions')
    .set({ status, error_code: code, next_check_at: null })
    .where('tenant_id', '=', pending.tenantId)
    .where('id', '=', pending.id)
    .where('status', 'in', ['prepared', 'submitted'])
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}
