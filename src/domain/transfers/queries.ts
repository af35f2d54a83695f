import type { Selectable } from 'kysely';
import type { TenantId } from '../../platform/ids.ts';
import type { Transfers } from '../../platform/schema.ts';
import type { TenantTx } from '../../platform/tenant-tx.ts';
import type { TransferView } from './schema.ts';

export type TransferRow = Selectable<Transfers>;

export const OFFER_EXPIRED = 'offer_expired';

export async function findTransfer(
  tx: TenantTx,
  tenantId: TenantId,
  id: string,
): Promise<TransferRow | undefined> {
  return tx
    .selectFrom('transfers')
    .selectAll()
    .where('tenant_id', '=', tenantId)
    .where('id', '=', id)
    .executeTakeFirst();
}

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

/** Nothing else may happen at the moment an offer runs out, so it is told by the clock. */
export function isStale(row: TransferRow, now: Date): boolean {
  return row.status === 'offered' && row.expires_at !== null && row.expires_at <= now;
}

export function showTransfer(row: TransferRow, now: Date): TransferView {
  const stale = isStale(row, now);
  return {
    id: row.id,
    ticketId: row.ticket_id,
    fromUserId: row.from_user_id,
    toUserId: row.to_user_id,
    toWallet: row.to_wallet,
    status: stale ? 'failed' : (row.status as TransferView['status']),
    failureCode: stale ? OFFER_EXPIRED : row.failure_code,
    expiresAt: row.expires_at?.toISOString() ?? null,
    createdAt: row.created_at.toISOString(),
    updatedAt: row.updated_at.toISOString(),
  };
}
