import type { AppContext } from '../../context.ts';
import type { Db } from '../../platform/db.ts';
import { type TenantId, toTenantId } from '../../platform/ids.ts';
import { backoff } from '../../platform/retry.ts';
import { withSystem, withTenant } from '../../platform/tenant-tx.ts';

type Context = Pick<AppContext, 'db' | 'clock' | 'log' | 'payments'>;

const BATCH = 100;

/** Keeps one promise of money back. The provider pays once for each refund, so asking again is harmless. */
export async function sendRefund(ctx: Context, tenantId: TenantId, refundId: string): Promise<void> {
  const due = await withTenant(ctx.db, tenantId, (tx) =>
    tx
      .selectFrom('refunds as r')
      .innerJoin('payments as p', (join) =>
        join.onRef('p.tenant_id', '=', 'r.tenant_id').onRef('p.id', '=', 'r.payment_id'),
      )
      .select(['r.amount_minor', 'r.currency', 'r.attempts', 'r.provider_reference as refundReference'])
      .select(['p.id as reference', 'p.provider_reference'])
      .where('r.tenant_id', '=', tenantId)
      .where('r.id', '=', refundId)
      .where('r.status', '=', 'requested')
      .executeTakeFirst(),
  );
  if (!due) return;
  const { reference, provider_reference, amount_minor: amountMinor, currency, attempts } = due;
  const refundReference = due.refundReference ?? undefined;
  const providerReference = provider_reference ?? undefined;
  const outcome = await ctx.payments.refund({
    tenantId,
    reference,
    providerReference,
    refundId,
    amountMinor,
    currency,
    attempts,
    refundReference,
  });
  const now = ctx.clock.now();
  if (outcome.status === 'failed')
    ctx.log.error({ tenantId, refundId, code: outcome.code }, 'a refund was refused');
  const named = 'providerReference' in outcome ? outcome.providerReference : undefined;
  await withTenant(ctx.db, tenantId, async (tx) => {
    const moved = await tx
      .updateTable('refunds')
      .set({
        status: outcome.status === 'unknown' ? 'requested' : outcome.status,
        provider_reference: named ?? null,
        failure_code: outcome.status === 'failed' ? outcome.code : null,
        attempts: attempts + 1,
        next_attempt_at:
          outcome.status === 'unknown'
            ? new Date(now.getTime() + 1_000 + backoff(attempts + 1, 2_000, 600_000))
            : null,
        updated_at: now,
      })
      .where('tenant_id', '=', tenantId)
      .where('id', '=', refundId)
      .where('status', '=', 'requested')
      .executeTakeFirst();
    // What the provider will not pay back can be promised again.
    if (outcome.status === 'failed' && moved.numUpdatedRows === 1n) {
      await tx
        .updateTable('payments')
        .set((eb) => ({ refunded_minor: eb('refunded_minor', '-', amountMinor), updated_at: now }))
        .where('tenant_id', '=', tenantId)
        .where('id', '=', reference)
        .execute();
    }
  });
}

/** Sends what is due whether or not its message arrived. Returns how many. */
export async function sendDueRefunds(ctx: Context, relay: Db): Promise<number> {
  const due = await withSystem(relay, (tx) =>
    tx
      .selectFrom('refunds')
      .select(['tenant_id', 'id'])
      .where('next_attempt_at', '<=', ctx.clock.now())
      .orderBy('next_attempt_at')
      .limit(BATCH)
      .execute(),
  );
  for (const { tenant_id, id } of due) {
    await sendRefund(ctx, toTenantId(tenant_id), id).catch((error: Error) =>
      ctx.log.warn(
        { tenantId: tenant_id, refundId: id, err: error.message },
        'a refund could not be sent yet',
      ),
    );
  }
  return due.length;
}
