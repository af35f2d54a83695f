import type { Selectable } from 'kysely';
import type { TenantId } from '../../platform/ids.ts';
import type { Transfers } from '../../platform/schema.ts';
import type { TenantTx } from '../../platform/tenant-tx.ts';
import type { TransferView } from './schema.ts';

export type TransferRow = Selectable<Transfers>;

/** A transfer with its row locked until the transaction ends. */
export async function lockTransfer(
  tx: TenantTx,
  tenantId: TenantId,
  id: string,
): Promise<TransferRow | undefined> {
  return tx
    .selectFrom('transfers')
    .selectAll()
    .where('tenant_id', '=', tenantId)
    .where('id', '=', id)
    .forUpdate()
    .executeTakeFirst();
}

export function showTransfer(row: TransferRow): TransferView {
  return {
    id: row.id,
    ticketId: row.ticket_id,
    fromUserId: row.from_user_id,
    toUserId: row.to_user_id,
    toWallet: row.to_wallet,
    status: row.status as TransferView['status'],
    failureCode: row.failure_code,
    createdAt: row.created_at.toISOString(),
    updatedAt: row.updated_at.toISOString(),
  };
}
