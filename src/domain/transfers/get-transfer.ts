import type { AppContext } from '../../context.ts';
import { type Actor, isStaff } from '../../platform/actor.ts';
import { notFound } from '../../platform/errors.ts';
import { withTenant } from '../../platform/tenant-tx.ts';
import { findTransfer, showTransfer } from './queries.ts';
import type { TransferView } from './schema.ts';

/** A transfer, to the giver, the receiver and staff. */
export async function getTransfer(
  ctx: AppContext,
  actor: Actor,
  input: { id: string },
): Promise<TransferView> {
  const row = await withTenant(ctx.db, actor.tenantId, (tx) => findTransfer(tx, actor.tenantId, input.id));
  const concerned =
    row && (row.from_user_id === actor.subject || row.to_user_id === actor.subject || isStaff(actor));
  if (!concerned) throw notFound('transfer');
  return showTransfer(row, ctx.clock.now());
}
