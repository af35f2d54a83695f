import type { AppContext, ChargeOutcome } from '../../context.ts';
import { newId, type TenantId } from '../../platform/ids.ts';
import type { SaleLanes } from './sale-lanes.ts';
import type { OrderAnswer } from './schema.ts';

export type Settlement = {
  tenantId: TenantId;
  orderId: string;
  paymentId: string;
  eventId: string;
  /** Where all of the order is of one type, and the caller knows of which. */
  ticketTypeId?: string | undefined;
  /** How many tickets it comes to, where the caller knows: for so many an id is made. */
  quantity?: number | undefined;
  outcome: ChargeOutcome;
  /** For the history: who brought the outcome. */
  by: string;
  requestId?: string;
};

/** `open`: the provider does not know yet. `refund_due`: paid after the places were gone or the event was over. `unchanged`: settled before. */
export type SettledOrder =
  | { outcome: 'paid'; answer: OrderAnswer }
  | { outcome: 'failed' | 'refund_due'; failureCode: string }
  | { outcome: 'open' | 'unchanged' };

export type SettleOrder = (settlement: Settlement) => Promise<SettledOrder>;

const MAX_TICKETS = 10;

/** Success confirms the order, converts its hold, issues the tickets and tells everybody, in one transaction. */
export function createSettleOrder(ctx: Pick<AppContext, 'metrics'>, lanes: SaleLanes): SettleOrder {
  return async (settlement) => {
    const { tenantId, ticketTypeId, eventId } = settlement;
    const request = toRequest(settlement);
    const row = await lanes.submit(ticketTypeId ?? `event:${eventId}`, { kind: 'settle', tenantId, request });
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

/** As `settle_orders` takes it. */
function toRequest(settlement: Settlement): Record<string, unknown> {
  const { orderId, paymentId, outcome, by, requestId, quantity = MAX_TICKETS } = settlement;
  return {
    order_id: orderId,
    payment_id: paymentId,
    payment_status: outcome.status,
    provider_reference: 'providerReference' in outcome ? outcome.providerReference : undefined,
    failure_code: outcome.status === 'failed' ? outcome.code : undefined,
    ticket_ids: outcome.status === 'succeeded' ? Array.from({ length: quantity }, newId) : [],
    actor: by,
    request_id: requestId,
  };
}
