import type { AppContext } from '../../context.ts';
import { type Actor, actorName, requireRole } from '../../platform/actor.ts';
import { recordAudit } from '../../platform/audit.ts';
import { notFound } from '../../platform/errors.ts';
import { withTenant } from '../../platform/tenant-tx.ts';

/** The key is dead within half a minute everywhere (see `authenticate-api-key.ts`). */
export async function revokeApiKey(ctx: AppContext, actor: Actor, input: { id: string }): Promise<void> {
  requireRole(actor, 'admin');
  const now = ctx.clock.now();
  await withTenant(ctx.db, actor.tenantId, async (tx) => {
    const revoked = await tx
      .updateTable('api_keys')
      .set({ revoked_at: now })
      .where('tenant_id', '=', actor.tenantId)
      .where('id', '=', input.id)
      .where('revoked_at', 'is', null)
      .executeTakeFirst();
    if (revoked.numUpdatedRows === 0n) throw notFound('API key');
    await recordAudit(tx, actor.tenantId, now, {
      actor: actorName(actor),
      action: 'api_key.revoked',
      subject: input.id,
      details: {},
    });
  });
}
