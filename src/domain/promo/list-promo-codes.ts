import type { AppContext } from '../../context.ts';
import { type Actor, requireRole } from '../../platform/actor.ts';
import { type Page, readIdCursor, toPage } from '../../platform/page.ts';
import { withTenant } from '../../platform/tenant-tx.ts';
import { showPromoCode } from './create-promo-code.ts';
import type { PromoView } from './schema.ts';

/** The tenant's codes, the newest first. */
export async function listPromoCodes(
  ctx: AppContext,
  actor: Actor,
  filter: { limit: number; cursor?: string | undefined },
): Promise<Page<PromoView>> {
  requireRole(actor, 'organiser', 'support');
  const after = readIdCursor(filter.cursor);
  const rows = await withTenant(ctx.db, actor.tenantId, (tx) => {
    const query = tx
      .selectFrom('promo_codes')
      .selectAll()
      .where('tenant_id', '=', actor.tenantId)
      .orderBy('id', 'desc')
      .limit(filter.limit + 1);
    return (after === undefined ? query : query.where('id', '<', after)).execute();
  });
  return toPage(rows, filter.limit, (row) => [row.id], showPromoCode);
}
