import type { AppContext, ChargeOutcome } from '../../context.ts';
import { newId, type TenantId } from '../../platform/ids.ts';
import { createLanes } from '../../platform/lane.ts';
import { callFunction } from '../../platform/tenant-tx.ts';
import type { OrderAnswer } from './schema.ts';

export type Settlement = {
  tenantId: TenantId;
  orderId: string;
  paymentId: string;
  eventId: string;
  outcome: ChargeOutcome;
  /** For the history: who brought the outcome. */
  by: string;
  requestId?: string;
};

/** `open`: the provider does not know yet. `refund_due`: paid after the places were gone. `unchanged`: settled before. */
export type SettledOrder =
  | { outcome: 'paid'; answer: OrderAnswer }
  | { outcome: 'failed' | 'refund_due'; failureCode: string }
  | { outcome: 'open' | 'unchanged' };

export type SettleOrder = (settlement: Settlement) => Promise<SettledOrder>;

type Row = { n: number; outcome: string; details: Record<string, unknown> };

const MAX_BATCH = 128;
const MAX_TICKETS = 10;
const POLL_AGAIN_MS = 15_000;

/** Success confirms the order, converts its hold, issues the tickets and tells everybody, in one transaction. */
export function createSettleOrder(ctx: Pick<AppContext, 'db' | 'clock' | 'metrics'>): SettleOrder {
  const lanes = createLanes<Settlement, Row>({
    maxBatch: MAX_BATCH,
    flush: (_key, items) => flush(ctx, items),
  });
  return async (settlement) => {
    const row = await lanes.submit(`${settlement.tenantId}:${settlement.eventId}`, settlement);
    ctx.metrics.sales.inc({ outcome: row.outcome });
    switch (row.outcome) {
      case 'paid':
        return { outcome: 'paid', answer: row.details as OrderAnswer };
      case 'failed':
      case 'refund_due':
        return { outcome: row.outcome, failureCode: String(row.details.failureCode) };
      case 'open':
      case 'unchanged':
        return { outcome: row.outcome };
      default:
        throw new Error(`settle_orders answered ${row.outcome} for order ${settlement.orderId}`);
    }
  };
}

async function flush(ctx: Pick<AppContext, 'db' | 'clock'>, items: Settlement[]): Promise<Row[]> {
  const now = ctx.clock.now();
  const settlements = items.map(({ orderId, paymentId, outcome, by, requestId }, i) => ({
    n: i + 1,
    order_id: orderId,
    payment_id: paymentId,
    payment_status: outcome.status,
    provider_reference: 'providerReference' in outcome ? outcome.providerReference : undefined,
    failure_code: outcome.status === 'failed' ? outcome.code : undefined,
    ticket_ids: Array.from({ length: MAX_TICKETS }, newId),
    actor: by,
    request_id: requestId,
  }));
  return callFunction<Row>(ctx.db, {
    name: 'settle_orders',
    text: 'select n, outcome, details from settle_orders($1, $2, $3, $4)',
    values: [
      (items[0] as Settlement).tenantId,
      now,
      new Date(now.getTime() + POLL_AGAIN_MS),
      JSON.stringify(settlements),
    ],
  });
}
