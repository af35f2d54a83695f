import type { TenantId } from '../../../platform/ids.ts';
import { withTenant } from '../../../platform/tenant-tx.ts';
import type { ChainContext } from './chain-context.ts';
import { ProgramRefusal } from './submit-transaction.ts';

/** A mint that the program refuses for good is parked, where people see it; any other failure is tried again. */
export async function parkMint(
  ctx: ChainContext,
  tenantId: TenantId,
  ticketId: string,
  error: unknown,
): Promise<void> {
  if (!(error instanceof ProgramRefusal)) throw error;
  ctx.log.error({ tenantId, ticketId, reason: error.reason }, 'a mint is parked');
  ctx.metrics.transactions.inc({ purpose: 'mint', step: 'parked' });
  await withTenant(ctx.db, tenantId, (tx) =>
    tx
      .updateTable('tickets')
      .set({ blockchain_sync_status: 'parked', updated_at: ctx.clock.now() })
      .where('tenant_id', '=', tenantId)
      .where('id', '=', ticketId)
      .where('status', 'in', ['sold', 'minting'])
      .execute(),
  );
}
