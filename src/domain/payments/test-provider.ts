import { createHmac, timingSafeEqual } from 'node:crypto';
import type {
  AppContext,
  Charge,
  ChargeOutcome,
  PaymentName,
  PaymentProvider,
  RefundOutcome,
  RefundRequest,
} from '../../context.ts';
import { unauthenticated } from '../../platform/http/refusal.ts';
import { createLanes } from '../../platform/lane.ts';
import { callFunction, withTenant } from '../../platform/tenant-tx.ts';
import { bankPage } from './test-bank.ts';
import { parseNotice, toNotice } from './to-notice.ts';

/** What a charge with each token comes to, and whether our side hears of it. */
const tokens = {
  tok_success: { status: 'succeeded', heard: true },
  tok_declined: { status: 'declined', heard: true },
  tok_timeout: { status: 'succeeded', heard: false },
  tok_requires_action: { status: 'awaiting_confirmation', heard: true },
} as const;

type Token = keyof typeof tokens;
type ProviderContext = Pick<AppContext, 'db' | 'clock' | 'config'>;

/** How far the clock of a notice may be off. */
const TOLERANCE_MS = 5 * 60_000;
const MAX_BATCH = 128;

/**
 * A payment provider without money, for development and tests. It keeps its own books, as a real one does, so an
 * outcome that was not heard can be looked up, by another process and after a restart too.
 */
export function createTestProvider(ctx: ProviderContext): PaymentProvider {
  const books = createLanes<Charge, string>({
    maxBatch: MAX_BATCH,
    flush: (_key, charges) => bookCharges(ctx, charges),
  });
  return {
    name: 'test',
    async charge(charge) {
      const plan = tokens[charge.token as Token];
      if (!plan) return { status: 'failed', code: 'unknown_token' };
      const standing = await books.submit(charge.tenantId, charge);
      return plan.heard ? toOutcome(ctx, standing, charge) : { status: 'unknown' };
    },
    async look(payment, { abandon = false, early = false } = {}) {
      if (abandon) await abandonCharge(ctx, payment);
      const status = await statusOf(ctx, payment);
      if (status) return toOutcome(ctx, status, payment);
      return early ? { status: 'unknown' } : { status: 'failed', code: 'never_received' };
    },
    refund: (request) => refundOnce(ctx, request),
    async readNotice(body, headers) {
      const [time = '', signature = ''] = (headers.get('test-signature') ?? '').split('.');
      const expected = signNotice(ctx, time, body);
      const given = Buffer.from(signature, 'hex');
      const age = Math.abs(ctx.clock.now().getTime() - Number(time));
      if (given.length !== expected.length || !timingSafeEqual(given, expected) || !(age < TOLERANCE_MS))
        throw unauthenticated();
      const { id, type, tenant, reference, refund } = parseNotice(body);
      return toNotice({ eventId: id, kind: type, tenant, payment: reference, refund });
    },
  };
}

/** `time.signature`, as the provider would send it in the header `Test-Signature`. */
export function noticeSignature(ctx: Pick<AppContext, 'config'>, now: Date, body: string): string {
  const time = String(now.getTime());
  return `${time}.${signNotice(ctx, time, body).toString('hex')}`;
}

function signNotice(ctx: Pick<AppContext, 'config'>, time: string, body: string): Buffer {
  return createHmac('sha256', ctx.config.TEST_WEBHOOK_SECRET).update(`${time}.${body}`).digest();
}

/** Charges of a tenant that arrive together are one entry in the books. Returns what each charge stands at. */
async function bookCharges(ctx: ProviderContext, charges: Charge[]): Promise<string[]> {
  const { tenantId } = charges[0] as Charge;
  const entries = charges.map(({ reference, token, amountMinor, currency }) => ({
    reference,
    token,
    amount_minor: String(amountMinor),
    currency,
    status: tokens[token as Token].status,
  }));
  const rows = await callFunction<{ reference: string; status: string }>(ctx.db, {
    name: 'book_test_charges',
    text: 'select reference, status from book_test_charges($1, $2, $3)',
    values: [tenantId, ctx.clock.now(), JSON.stringify(entries)],
  });
  const standing = new Map(rows.map(({ reference, status }) => [reference, status]));
  return charges.map(({ reference }) => standing.get(reference) as string);
}

async function statusOf(
  ctx: ProviderContext,
  { tenantId, reference }: PaymentName,
): Promise<string | undefined> {
  const entry = await withTenant(ctx.db, tenantId, (tx) =>
    tx
      .selectFrom('test_provider_charges')
      .select('status')
      .where('tenant_id', '=', tenantId)
      .where('reference', '=', reference)
      .executeTakeFirst(),
  );
  return entry?.status;
}

async function abandonCharge(ctx: ProviderContext, { tenantId, reference }: PaymentName): Promise<void> {
  await withTenant(ctx.db, tenantId, (tx) =>
    tx
      .updateTable('test_provider_charges')
      .set({ status: 'abandoned' })
      .where('tenant_id', '=', tenantId)
      .where('reference', '=', reference)
      .where('status', '=', 'awaiting_confirmation')
      .execute(),
  );
}

function toOutcome(
  ctx: ProviderContext,
  status: string,
  { tenantId, reference }: PaymentName,
): ChargeOutcome {
  const providerReference = `test_${reference}`;
  if (status === 'succeeded') return { status, providerReference };
  if (status === 'declined') return { status: 'failed', code: 'card_declined' };
  if (status === 'abandoned') return { status: 'failed', code: 'abandoned' };
  const nextAction = { type: 'redirect', url: bankPage(ctx, tenantId, reference) } as const;
  return { status: 'requires_action', providerReference, nextAction };
}

async function refundOnce(ctx: ProviderContext, request: RefundRequest): Promise<RefundOutcome> {
  const { tenantId, reference, refundId, amountMinor } = request;
  if ((await statusOf(ctx, request)) !== 'succeeded') return { status: 'failed', code: 'nothing_to_refund' };
  await withTenant(ctx.db, tenantId, (tx) =>
    tx
      .insertInto('test_provider_refunds')
      .values({
        tenant_id: tenantId,
        reference: refundId,
        charge: reference,
        amount_minor: amountMinor,
        created_at: ctx.clock.now(),
      })
      .onConflict((conflict) => conflict.doNothing())
      .execute(),
  );
  return { status: 'succeeded', providerReference: `test_refund_${refundId}` };
}
