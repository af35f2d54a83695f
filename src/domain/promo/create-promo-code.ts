import type { Selectable } from 'kysely';
import pg from 'pg';
import type { AppContext } from '../../context.ts';
import { type Actor, actorName, requireRole } from '../../platform/actor.ts';
import { recordAudit } from '../../platform/audit.ts';
import { DomainError, notFound } from '../../platform/errors.ts';
import { newId } from '../../platform/ids.ts';
import type { PromoCodes } from '../../platform/schema.ts';
import { withTenant } from '../../platform/tenant-tx.ts';
import type { PromoInput, PromoView } from './schema.ts';

/** A code that takes something off an order. Its limits are kept by the database, whatever comes at once. */
export async function createPromoCode(ctx: AppContext, actor: Actor, input: PromoInput): Promise<PromoView> {
  requireRole(actor, 'organiser');
  const { tenantId } = actor;
  const now = ctx.clock.now();
  try {
    return await withTenant(ctx.db, tenantId, async (tx) => {
      const row = await tx
        .insertInto('promo_codes')
        .values({
          tenant_id: tenantId,
          id: newId(),
          code: input.code,
          event_id: input.eventId ?? null,
          percent: input.percent ?? null,
          amount_minor: input.amountMinor === undefined ? null : BigInt(input.amountMinor),
          currency: input.currency ?? null,
          max_redemptions: input.maxRedemptions ?? null,
          per_user_limit: input.perUserLimit ?? null,
          valid_from: input.validFrom ?? null,
          valid_until: input.validUntil ?? null,
          created_at: now,
          updated_at: now,
        })
        .returningAll()
        .executeTakeFirstOrThrow();
      await recordAudit(tx, tenantId, now, {
        actor: actorName(actor),
        action: 'promo_code.created',
        subject: row.id,
        details: { code: row.code, percent: row.percent, maxRedemptions: row.max_redemptions },
      });
      return showPromoCode(row);
    });
  } catch (error) {
    if (error instanceof pg.DatabaseError && error.code === '23505') {
      throw new DomainError('conflict', 'promo_code_taken', 'There is such a code already.');
    }
    if (error instanceof pg.DatabaseError && error.code === '23503') throw notFound('event');
    throw error;
  }
}

export function showPromoCode(row: Selectable<PromoCodes>): PromoView {
  return {
    id: row.id,
    code: row.code,
    eventId: row.event_id,
    percent: row.percent,
    amountMinor: row.amount_minor === null ? null : Number(row.amount_minor),
    currency: row.currency,
    maxRedemptions: row.max_redemptions,
    perUserLimit: row.per_user_limit,
    redeemed: row.redeemed,
    validFrom: row.valid_from?.toISOString() ?? null,
    validUntil: row.valid_until?.toISOString() ?? null,
    isActive: row.is_active,
  };
}
