import type { AppContext, ChargeOutcome } from '../../context.ts';
import { type Actor, actorName, requireRole } from '../../platform/actor.ts';
import { inFlight } from '../../platform/idempotency.ts';
import { forgetHold } from '../inventory/forget-hold.ts';
import { publishAvailability } from '../inventory/publish-availability.ts';
import type { SoldOutGate } from '../inventory/sold-out-gate.ts';
import { createPlaceOrder, type PlaceOrderInput, paymentRefused } from '../orders/place-order.ts';
import { createSaleLanes } from '../orders/sale-lanes.ts';
import type { OrderAnswer } from '../orders/schema.ts';
import { createSettleOrder, type SettledOrder, type SettleOrder } from '../orders/settle-order.ts';
import { publishSale } from './publish-sale.ts';
import { findUnsettled, keepReference } from './queries.ts';

export type PayOrderInput = Omit<PlaceOrderInput, 'provider' | 'hasPayment'> & { token: string | undefined };

/** Paid, with tickets; or pending, when the buyer must confirm at the provider or nobody knows the outcome yet. */
export type Purchase =
  | { status: 'paid'; answer: OrderAnswer }
  | {
      status: 'pending';
      orderId: string;
      transactionId: string;
      nextAction: { type: 'redirect'; url: string } | null;
    };

export type PayOrder = (actor: Actor, input: PayOrderInput) => Promise<Purchase>;

/**
 * Hold → pay → confirm. The places are held before the provider is asked, the provider is asked outside of any
 * transaction under a reference that cannot be charged twice, and its answer confirms or frees in one transaction.
 * A repetition with the same key gets the same answer, or takes up where the first was cut off.
 */
export function createPayOrder(ctx: AppContext, gate: SoldOutGate): PayOrder {
  const lanes = createSaleLanes(ctx);
  const placeOrder = createPlaceOrder(ctx, lanes, gate);
  const settleOrder = createSettleOrder(ctx, lanes);
  return async (actor, input) => {
    requireRole(actor, 'buyer', 'organiser', 'support');
    const { token, ...order } = input;
    const code = 'holdCode' in input.wanted ? input.wanted.holdCode : undefined;
    const ticketTypeId = 'ticketTypeId' in input.wanted ? input.wanted.ticketTypeId : undefined;
    const request = { ...order, provider: ctx.payments.name, hasPayment: token !== undefined };
    const placed = await placeOrder(actor, request);
    await ctx.failpoints.hit('purchase.placed');
    if (placed.outcome === 'sold') {
      if (placed.fresh) {
        await publishSale(ctx, actor.tenantId, placed.answer, actor.subject);
        if (code !== undefined) await forgetHold(ctx, actor.tenantId, { code });
      }
      return { status: 'paid', answer: placed.answer };
    }
    if (placed.outcome === 'placed') {
      const outcome = await charge(ctx, actor, placed, token as string);
      await ctx.failpoints.hit('purchase.charged');
      const due = { ...placed, code, ticketTypeId };
      return (await settle(ctx, settleOrder, actor, due, outcome, input.requestId)) ?? repeat();
    }
    const due = await unsettled(ctx, actor, placed.orderId);
    const { paymentId: reference, providerReference } = due;
    const outcome = await ctx.payments.look({ tenantId: actor.tenantId, reference, providerReference });
    const resumed = { ...due, code, ticketTypeId };
    return (await settle(ctx, settleOrder, actor, resumed, outcome, input.requestId)) ?? repeat();

    /** A notice of the provider was quicker: what it made of the order is the answer to this request. */
    async function repeat(): Promise<Purchase> {
      const answered = await placeOrder(actor, request);
      if (answered.outcome !== 'sold') throw inFlight();
      return { status: 'paid', answer: answered.answer };
    }
  };
}

/** Undefined when the order was settled by somebody else. */
async function settle(
  ctx: AppContext,
  settleOrder: SettleOrder,
  actor: Actor,
  due: {
    orderId: string;
    paymentId: string;
    transactionId: string;
    eventId: string;
    ticketTypeId: string | undefined;
    quantity?: number;
    code: string | undefined;
  },
  outcome: ChargeOutcome,
  requestId: string | undefined,
): Promise<Purchase | undefined> {
  const settled = await settleOrder({
    tenantId: actor.tenantId,
    orderId: due.orderId,
    paymentId: due.paymentId,
    eventId: due.eventId,
    ticketTypeId: due.ticketTypeId,
    quantity: due.quantity,
    outcome,
    by: actorName(actor),
    ...(requestId ? { requestId } : {}),
  });
  if (settled.outcome !== 'paid') await publishAvailability(ctx, actor.tenantId, due.eventId);
  if (settled.outcome !== 'open' && due.code !== undefined)
    await forgetHold(ctx, actor.tenantId, { code: due.code });
  return conclude(ctx, actor, due, outcome, settled);
}

async function charge(
  ctx: AppContext,
  actor: Actor,
  due: { orderId: string; paymentId: string; amountMinor: bigint; currency: string },
  token: string,
): Promise<ChargeOutcome> {
  const { tenantId } = actor;
  const { paymentId: reference, orderId, amountMinor, currency } = due;
  try {
    return await ctx.payments.charge(
      { tenantId, orderId, reference, amountMinor, currency, token },
      (providerReference) => keepReference(ctx, tenantId, reference, providerReference),
    );
  } catch (error) {
    // It may have been charged: only the provider's books can tell.
    ctx.log.warn({ paymentId: reference, err: (error as Error).message }, 'a charge broke off');
    return { status: 'unknown' };
  }
}

async function unsettled(ctx: AppContext, actor: Actor, orderId: string) {
  const due = await findUnsettled(ctx, actor.tenantId, { orderId });
  // Settled between two looks: the next repetition finds the stored answer.
  if (!due) throw inFlight();
  return due;
}

async function conclude(
  ctx: AppContext,
  actor: Actor,
  due: { orderId: string; transactionId: string },
  outcome: ChargeOutcome,
  settled: SettledOrder,
): Promise<Purchase | undefined> {
  switch (settled.outcome) {
    case 'paid':
      await publishSale(ctx, actor.tenantId, settled.answer, actor.subject);
      return { status: 'paid', answer: settled.answer };
    case 'failed':
    case 'refund_due':
      throw paymentRefused(settled.failureCode, due.orderId);
    case 'unchanged':
      return undefined;
    case 'open': {
      const { orderId, transactionId } = due;
      const nextAction = outcome.status === 'requires_action' ? outcome.nextAction : null;
      return { status: 'pending', orderId, transactionId, nextAction };
    }
  }
}
