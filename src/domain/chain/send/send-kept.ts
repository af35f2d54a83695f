import { sql } from 'kysely';
import type { TenantId } from '../../../platform/ids.ts';
import { withTenant } from '../../../platform/tenant-tx.ts';
import type { RpcRefusal } from '../rpc/rpc-error.ts';
import type { ChainContext } from './chain-context.ts';

export type Kept = { tenantId: TenantId; signature: string; raw: Uint8Array };

/** Sends bytes that are kept already, however often, and notes what a node took. */
export async function sendKept(ctx: ChainContext, kept: readonly Kept[]): Promise<void> {
  if (kept.length === 0) return;
  let refusals: (RpcRefusal | undefined)[];
  try {
    refusals = await ctx.rpc.ask((node) => node.sendTransactions(kept.map(({ raw }) => raw)));
  } catch (error) {
    // Kept is kept: the tracker sends the same bytes again.
    ctx.log.warn({ transactions: kept.length, err: (error as Error).message }, 'not sent yet');
    return;
  }
  const refused = kept.flatMap(({ signature }, i) => {
    const refusal = refusals[i];
    return refusal ? [{ signature, err: refusal.message }] : [];
  });
  if (refused.length > 0)
    ctx.log.warn({ refused: refused.length, first: refused[0] }, 'a node did not take transactions');
  const taken = kept.filter((_, i) => refusals[i] === undefined);
  const now = ctx.clock.now();
  for (const [tenantId, own] of Map.groupBy(taken, (one) => one.tenantId)) {
    const signatures = own.map(({ signature }) => signature);
    await withTenant(ctx.db, tenantId, (tx) =>
      tx
        .updateTable('pending_transactions')
        .set({ status: 'submitted', submitted_at: now })
        .where('tenant_id', '=', tenantId)
        .where(sql<boolean>`tx_signature = any(${signatures}::text[])`)
        .where('status', '=', 'prepared')
        .execute(),
    );
  }
}
