import { newId, type TenantId } from './ids.ts';
import type { TenantTx } from './tenant-tx.ts';

/** Notes who did what, in the transaction that did it. `details` hold no personal data. */
export async function recordAudit(
  tx: TenantTx,
  tenantId: TenantId,
  now: Date,
  entry: { actor: string; action: string; subject: string; details: Record<string, unknown> },
): Promise<void> {
  await tx
    .insertInto('audit_log')
    .values({ tenant_id: tenantId, id: newId(), at: now, ...entry, details: JSON.stringify(entry.details) })
    .execute();
}
