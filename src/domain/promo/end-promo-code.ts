import type { AppContext } from '../../context.ts';
import { type Actor, actorName, requireRole } from '../../platform/actor.ts';
import { recordAudit } from '../../platform/audit.ts';
import { notFound } from '../../platform/errors.ts';
import { withTenant } from '../../platform/tenant-tx.ts';
import { showPromoCode } from './create-promo-code.ts';
import type { PromoView } from './schema.ts';

/** The code takes nothing off any more; orders that used it keep their price. */
export async function endPromoCode(ctx: AppContext, actor: Actor, input: { id: string }): Promise<PromoView> {
  requireRole(actor, 'organiser');
  const { tenantId } = actor;
  const now = ctx.clock.now();
  return withTenant(ctx.db, tenantId, async (tx) => {
    const row = await tx
      .updateTable('promo_codes')
      .set({ is_active: false, updated_at: now })
      .where('tenant_id', '=', tenantId)
      .where('id', '=', input.id)
      .returningAll()
      .executeTakeFirst();
    if (!row) throw notFound('promotion code');
    await recordAudit(tx, tenantId, now, {
      actor: actorName(actor),
      action: 'promo_code.ended',
      subject: row.id,
      details: {},
    });
    return showPromoCode(row);
  });
}
