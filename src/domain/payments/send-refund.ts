import type { AppContext, RefundOutcome, RefundRequest } from '../../context.ts';
import type { Db } from '../../platform/db.ts';
import { type TenantId, toTenantId } from '../../platform/ids.ts';
import { backoff } from '../../platform/retry.ts';
import { type TenantTx, withSystem, withTenant } from '../../platform/tenant-tx.ts';
import { providerUnavailable } from './provider-unavailable.ts';

type Context = Pick<AppContext, 'db' | 'clock' | 'log' | 'payments'>;

const BATCH = 100;
const PUT_OFF_MS = 5 * 60_000;

/** Keeps one promise of money back. The provider pays once for each refund, so asking again is harmless. */
export async function sendRefund(ctx: Context, tenantId: TenantId, refundId: string): Promise<void> {
  const due = await withTenant(ctx.db, tenantId, (tx) => begin(tx, tenantId, refundId));
  if (!due) return;
  await record(ctx, tenantId, refundId, due, await ctx.payments.refund({ tenantId, refundId, ...due }));
}

/**
 * Asks how a refund stands: one that was paid may come back from the buyer's bank, and can be promised again then.
 * @throws DomainError unavailable when the provider cannot be asked, or somebody else moved the refund meanwhile
 */
export async function recheckRefund(ctx: Context, tenantId: TenantId, refundId: string): Promise<void> {
  const refund = await withTenant(ctx.db, tenantId, (tx) => find(tx, tenantId, refundId));
  if (!refund || refund.status === 'failed') return;
  if (refund.status === 'requested') return sendRefund(ctx, tenantId, refundId);
  const outcome = await ctx.payments.refund({ tenantId, refundId, ...refund });
  if (outcome.status === 'succeeded') return;
  if (outcome.status === 'failed' && (await record(ctx, tenantId, refundId, refund, outcome))) return;
  throw providerUnavailable();
}

type Due = Omit<RefundRequest, 'tenantId' | 'refundId'> & { status: string };

/** Whether the refund was still as it was known. */
async function record(
  ctx: Context,
  tenantId: TenantId,
  refundId: string,
  { amountMinor, reference, attempts, status, refundReference }: Due,
  outcome: RefundOutcome,
): Promise<boolean> {
  const now = ctx.clock.now();
  if (outcome.status === 'failed')
    ctx.log.error({ tenantId, refundId, code: outcome.code }, 'a refund was refused');
  const named = 'providerReference' in outcome ? outcome.providerReference : undefined;
  return withTenant(ctx.db, tenantId, async (tx) => {
    const moved = await tx
      .updateTable('refunds')
      .set({
        status: outcome.status === 'unknown' ? 'requested' : outcome.status,
        provider_reference: named ?? refundReference ?? null,
        failure_code: outcome.status === 'failed' ? outcome.code : null,
        next_attempt_at:
          outcome.status === 'unknown'
            ? new Date(now.getTime() + 1_000 + backoff(attempts + 1, 2_000, 600_000))
            : null,
        updated_at: now,
      })
      .where('tenant_id', '=', tenantId)
      .where('id', '=', refundId)
      .where('status', '=', status)
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
    return moved.numUpdatedRows === 1n;
  });
}

/** Counts the attempt before it is made: the next one then looks for what came of it, even if this process dies. */
async function begin(tx: TenantTx, tenantId: TenantId, refundId: string): Promise<Due | undefined> {
  const counted = await tx
    .updateTable('refunds')
    .set((eb) => ({ attempts: eb('attempts', '+', 1) }))
    .where('tenant_id', '=', tenantId)
    .where('id', '=', refundId)
    .where('status', '=', 'requested')
    .executeTakeFirst();
  if (counted.numUpdatedRows === 0n) return undefined;
  const due = (await find(tx, tenantId, refundId)) as Due;
  return { ...due, attempts: due.attempts - 1 };
}

async function find(tx: TenantTx, tenantId: TenantId, refundId: string): Promise<Due | undefined> {
  const row = await tx
    .selectFrom('refunds as r')
    .innerJoin('payments as p', (join) =>
      join.onRef('p.tenant_id', '=', 'r.tenant_id').onRef('p.id', '=', 'r.payment_id'),
    )
    .select(['r.amount_minor', 'r.currency', 'r.attempts', 'r.payment_id', 'r.status'])
    .select(['r.provider_reference as refundReference', 'p.provider_reference as providerReference'])
    .where('r.tenant_id', '=', tenantId)
    .where('r.id', '=', refundId)
    .executeTakeFirst();
  return (
    row && {
      status: row.status,
      reference: row.payment_id,
      providerReference: row.providerReference ?? undefined,
      amountMinor: row.amount_minor,
      currency: row.currency,
      attempts: row.attempts,
      refundReference: row.refundReference ?? undefined,
    }
  );
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
    const tenantId = toTenantId(tenant_id);
    try {
      await sendRefund(ctx, tenantId, id);
    } catch (error) {
      ctx.log.warn(
        { tenantId, refundId: id, err: (error as Error).message },
        'a refund could not be sent yet',
      );
      await putOff(ctx, tenantId, id);
    }
  }
  return due.length;
}

/** One that fails stands at the head of the queue: it must not keep the others waiting. */
async function putOff(ctx: Context, tenantId: TenantId, refundId: string): Promise<void> {
  await withTenant(ctx.db, tenantId, (tx) =>
    tx
      .updateTable('refunds')
      .set({ next_attempt_at: new Date(ctx.clock.now().getTime() + PUT_OFF_MS) })
      .where('tenant_id', '=', tenantId)
      .where('id', '=', refundId)
      .where('next_attempt_at', 'is not', null)
      .execute(),
  );
}
