import { sql } from 'kysely';
import type { AppContext, RefundOutcome, RefundRequest } from '../../context.ts';
import type { Db } from '../../platform/db.ts';
import { type TenantId, toTenantId } from '../../platform/ids.ts';
import { createRoom } from '../../platform/lane.ts';
import { backoff } from '../../platform/retry.ts';
import { type TenantTx, withSystem, withTenant } from '../../platform/tenant-tx.ts';
import { providerUnavailable } from './provider-unavailable.ts';

type Context = Pick<AppContext, 'db' | 'clock' | 'log' | 'payments'>;

const BATCH = 100;
/** Refunds that one batch asks the provider for side by side. */
const ASKED_AT_ONCE = 8;
const PUT_OFF_MS = 5 * 60_000;

/** Keeps one promise of money back; see `sendRefunds`. */
export async function sendRefund(ctx: Context, tenantId: TenantId, refundId: string): Promise<void> {
  const [error] = await sendRefunds(ctx, tenantId, [refundId]);
  if (error) throw error;
}

/**
 * Keeps promises of money back: all are counted, asked for side by side, and noted together. The provider pays once for
 * each refund, so asking again is harmless. Returns for each why the provider could not be asked, or undefined.
 */
export async function sendRefunds(
  ctx: Context,
  tenantId: TenantId,
  refundIds: readonly string[],
): Promise<(Error | undefined)[]> {
  const due = await withTenant(ctx.db, tenantId, (tx) => begin(tx, tenantId, refundIds));
  const enter = createRoom(ASKED_AT_ONCE);
  const errors = new Map<string, Error>();
  const answers: Answer[] = [];
  await Promise.all(
    [...due].map(async ([refundId, refund]) => {
      const leave = await enter();
      try {
        const outcome = await ctx.payments.refund({ tenantId, refundId, ...refund });
        answers.push({ refundId, refund, outcome });
      } catch (error) {
        errors.set(refundId, error as Error);
      } finally {
        leave();
      }
    }),
  );
  await record(ctx, tenantId, answers);
  return refundIds.map((refundId) => errors.get(refundId));
}

/**
 * Asks how a refund stands: one that was paid may come back from the buyer's bank, and can be promised again then.
 * @throws DomainError unavailable when the provider cannot be asked, or somebody else moved the refund meanwhile
 */
export async function recheckRefund(ctx: Context, tenantId: TenantId, refundId: string): Promise<void> {
  const refund = (await withTenant(ctx.db, tenantId, (tx) => find(tx, tenantId, [refundId]))).get(refundId);
  if (!refund || refund.status === 'failed') return;
  if (refund.status === 'requested') return sendRefund(ctx, tenantId, refundId);
  const outcome = await ctx.payments.refund({ tenantId, refundId, ...refund });
  if (outcome.status === 'succeeded') return;
  if (outcome.status === 'failed' && (await record(ctx, tenantId, [{ refundId, refund, outcome }])) === 1)
    return;
  throw providerUnavailable();
}

type Due = Omit<RefundRequest, 'tenantId' | 'refundId'> & { status: string };
type Answer = { refundId: string; refund: Due; outcome: RefundOutcome };

/** How many of the refunds were still as they were known. */
async function record(ctx: Context, tenantId: TenantId, answers: Answer[]): Promise<number> {
  if (answers.length === 0) return 0;
  const now = ctx.clock.now();
  const rows = answers.map(({ refundId, refund, outcome }) => {
    if (outcome.status === 'failed')
      ctx.log.error({ tenantId, refundId, code: outcome.code }, 'a refund was refused');
    const named = 'providerReference' in outcome ? outcome.providerReference : undefined;
    const unknown = outcome.status === 'unknown';
    return {
      id: refundId,
      known_as: refund.status,
      status: unknown ? 'requested' : outcome.status,
      provider_reference: named ?? refund.refundReference ?? null,
      failure_code: outcome.status === 'failed' ? outcome.code : null,
      next_attempt_at: unknown
        ? new Date(now.getTime() + 1_000 + backoff(refund.attempts + 1, 2_000, 600_000))
        : null,
    };
  });
  return withTenant(ctx.db, tenantId, async (tx) => {
    const { rows: moved } = await sql<{ id: string; status: string }>`
      update refunds r set status = a.status, provider_reference = a.provider_reference,
        failure_code = a.failure_code, next_attempt_at = a.next_attempt_at, updated_at = ${now}
      from json_to_recordset(${JSON.stringify(rows)}) as a (id uuid, known_as text, status text,
        provider_reference text, failure_code text, next_attempt_at timestamptz)
      where r.tenant_id = ${tenantId} and r.id = a.id and r.status = a.known_as
      returning r.id, r.status`.execute(tx);
    const failed = moved.filter(({ status }) => status === 'failed').map(({ id }) => id);
    // What the provider will not pay back can be promised again.
    if (failed.length > 0) {
      await sql`
        update payments p set refunded_minor = p.refunded_minor - f.amount_minor, updated_at = ${now}
        from (select payment_id, sum(amount_minor) as amount_minor from refunds
          where tenant_id = ${tenantId} and id = any(${failed}::uuid[]) group by payment_id) f
        where p.tenant_id = ${tenantId} and p.id = f.payment_id`.execute(tx);
    }
    return moved.length;
  });
}

/** Counts the attempts before they are made: the next ones then look for what came of them, even if this process dies. */
async function begin(
  tx: TenantTx,
  tenantId: TenantId,
  refundIds: readonly string[],
): Promise<Map<string, Due>> {
  const { rows } = await sql<{ id: string }>`
    update refunds set attempts = attempts + 1
    where tenant_id = ${tenantId} and status = 'requested' and id in (
      select id from refunds where tenant_id = ${tenantId} and id = any(${[...refundIds]}::uuid[]) order by id for update)
    returning id`.execute(tx);
  if (rows.length === 0) return new Map();
  const due = await find(
    tx,
    tenantId,
    rows.map(({ id }) => id),
  );
  for (const refund of due.values()) refund.attempts--;
  return due;
}

async function find(tx: TenantTx, tenantId: TenantId, refundIds: string[]): Promise<Map<string, Due>> {
  const rows = await tx
    .selectFrom('refunds as r')
    .innerJoin('payments as p', (join) =>
      join.onRef('p.tenant_id', '=', 'r.tenant_id').onRef('p.id', '=', 'r.payment_id'),
    )
    .select(['r.id', 'r.amount_minor', 'r.currency', 'r.attempts', 'r.payment_id', 'r.status'])
    .select(['r.provider_reference as refundReference', 'p.provider_reference as providerReference'])
    .where('r.tenant_id', '=', tenantId)
    .where('r.id', 'in', refundIds)
    .execute();
  return new Map(
    rows.map((row) => [
      row.id,
      {
        status: row.status,
        reference: row.payment_id,
        providerReference: row.providerReference ?? undefined,
        amountMinor: row.amount_minor,
        currency: row.currency,
        attempts: row.attempts,
        refundReference: row.refundReference ?? undefined,
      },
    ]),
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
