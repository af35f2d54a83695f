import { randomUUID } from 'node:crypto';
import { noticeSignature } from '../../src/domain/payments/test-provider.ts';
import type { TestContext, TestTenant } from './test-context.ts';

/** The payment of an order, as our tables have it. */
export async function paymentOf(ctx: TestContext, orderId: string) {
  const { rows } = await ctx.database.owner.query(
    `select p.id, p.status, p.amount_minor::integer as amount, p.refunded_minor::integer as refunded, p.failure_code as "failureCode",
       o.status as "orderStatus", o.failure_code as "orderFailure"
     from payments p join orders o on o.id = p.order_id where p.order_id = $1`,
    [orderId],
  );
  if (rows.length !== 1) throw new Error(`order ${orderId} has ${rows.length} payments`);
  return rows[0] as {
    id: string;
    status: string;
    amount: number;
    refunded: number;
    failureCode: string | null;
    orderStatus: string;
    orderFailure: string | null;
  };
}

/** Changes what the test provider has in its books, as a bank would: behind our back. */
export async function changeCharge(
  ctx: TestContext,
  reference: string,
  status: 'succeeded' | 'declined' | 'awaiting_confirmation',
): Promise<void> {
  const { rowCount } = await ctx.database.owner.query(
    'update test_provider_charges set status = $2 where reference = $1',
    [reference, status],
  );
  if (rowCount !== 1) throw new Error(`the provider knows no charge ${reference}`);
}

/** What the test provider charged and paid back for an order. */
export async function booksOf(ctx: TestContext, orderId: string) {
  const { rows } = await ctx.database.owner.query(
    `select
       (select coalesce(sum(c.amount_minor), 0)::integer from test_provider_charges c
        where c.reference = p.id and c.status = 'succeeded') as charged,
       (select coalesce(sum(r.amount_minor), 0)::integer from test_provider_refunds r where r.charge = p.id) as "paidBack"
     from payments p where p.order_id = $1`,
    [orderId],
  );
  return rows[0] as { charged: number; paidBack: number } | undefined;
}

export type Notice = { id: string; type: string; tenant: string; reference: string };

export function sampleNotice(
  tenant: Pick<TestTenant, 'tenantId'>,
  reference: string,
  overrides: Partial<Notice> = {},
): Notice {
  return {
    id: `evt_${randomUUID()}`,
    type: 'charge.succeeded',
    tenant: tenant.tenantId,
    reference,
    ...overrides,
  };
}

/** The header that the test provider signs a notice with. */
export function signature(
  ctx: TestContext,
  body: string,
  at = ctx.clock.now(),
): { 'test-signature': string } {
  return { 'test-signature': noticeSignature(ctx, at, body) };
}
