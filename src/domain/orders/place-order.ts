import type { AppContext } from '../../context.ts';
import { type Actor, actorName } from '../../platform/actor.ts';
import { DomainError } from '../../platform/errors.ts';
import { requestHash } from '../../platform/idempotency.ts';
import { newCode, newId } from '../../platform/ids.ts';
import { type SaleRow, saleRefusal } from '../inventory/sale-refusal.ts';
import { createShedRequest } from '../inventory/shed-request.ts';
import type { SoldOutGate } from '../inventory/sold-out-gate.ts';
import type { SaleLanes } from './sale-lanes.ts';
import type { OrderAnswer } from './schema.ts';

/** What is ordered: what a reservation, lock or offer holds, or places of a ticket type. */
export type Wanted = { holdCode: string } | { eventId: string; ticketTypeId: string; quantity: number };

export type Customer = {
  customerName?: string | undefined;
  customerEmail?: string | undefined;
  customerPhone?: string | undefined;
  notes?: string | undefined;
};

export type PlaceOrderInput = {
  route: string;
  idempotencyKey: string;
  /** What the key stands for; another request under the same key is refused. */
  request: unknown;
  provider: string;
  wanted: Wanted;
  customer: Customer;
  promoCode?: string | undefined;
  /** Whether there is a means of payment; what is to pay is refused without one. */
  hasPayment: boolean;
  /** What the client thinks it pays in. */
  currency?: string | undefined;
  requestId?: string;
};

/** Nothing was to pay and the tickets exist; or it holds its places and waits for the payment; or it was answered before. */
export type PlacedOrder =
  | { outcome: 'sold'; answer: OrderAnswer; fresh: boolean }
  | {
      outcome: 'placed';
      orderId: string;
      paymentId: string;
      transactionId: string;
      eventId: string;
      quantity: number;
      amountMinor: bigint;
      currency: string;
    }
  | { outcome: 'resume'; orderId: string };

type Ids = { orderId: string; holdId: string; paymentId: string; transactionId: string; ticketIds: string[] };

const MAX_TICKETS = 10;

export type PlaceOrder = (actor: Actor, input: PlaceOrderInput) => Promise<PlacedOrder>;

/**
 * Orders of one ticket type go through one lane, so the hot row is locked once for all that arrive together.
 * @throws DomainError the refusals of `sale-refusal.ts`
 */
export function createPlaceOrder(
  ctx: Pick<AppContext, 'db' | 'clock' | 'metrics'>,
  lanes: SaleLanes,
  gate: SoldOutGate,
): PlaceOrder {
  const shed = createShedRequest(ctx, gate);
  return async (actor, input) => {
    const { tenantId } = actor;
    const { wanted } = input;
    const typeId = 'holdCode' in wanted ? undefined : wanted.ticketTypeId;
    const stored = 'holdCode' in wanted ? undefined : await shed(actor, wanted, input);
    if (stored) return toPlacedOrder(actor, stored, newIds(ctx.clock.now(), 0));
    const ids = newIds(ctx.clock.now(), 'quantity' in wanted ? wanted.quantity : MAX_TICKETS);
    const request = toRequest(actor, input, ids);
    const row = await lanes.submit(typeId ?? 'holds', { kind: 'place', tenantId, request });
    ctx.metrics.sales.inc({ outcome: row.outcome });
    if (row.outcome === 'sold_out' && typeId !== undefined)
      gate.close(tenantId, typeId, Number(row.details.available));
    return toPlacedOrder(actor, row, ids);
  };
}

/** As `place_orders` takes it. */
function toRequest(actor: Actor, input: PlaceOrderInput, ids: Ids): Record<string, unknown> {
  return {
    principal: actorName(actor),
    route: input.route,
    key: input.idempotencyKey,
    request_hash: `\\x${requestHash(input.request).toString('hex')}`,
    order_id: ids.orderId,
    transaction_id: ids.transactionId,
    hold_id: ids.holdId,
    payment_id: ids.paymentId,
    provider: input.provider,
    user_id: actor.subject,
    ...('holdCode' in input.wanted
      ? { hold_code: input.wanted.holdCode }
      : {
          event_id: input.wanted.eventId,
          ticket_type_id: input.wanted.ticketTypeId,
          quantity: input.wanted.quantity,
        }),
    customer_name: input.customer.customerName,
    customer_email: input.customer.customerEmail,
    verified_email: actor.verifiedEmail,
    customer_phone: input.customer.customerPhone,
    notes: input.customer.notes,
    promo_code: input.promoCode,
    currency: input.currency,
    has_payment: input.hasPayment,
    ticket_ids: ids.ticketIds,
    request_id: input.requestId,
  };
}

function newIds(now: Date, quantity: number): Ids {
  return {
    orderId: newId(),
    holdId: newId(),
    paymentId: newId(),
    transactionId: newCode('TXN', now),
    ticketIds: Array.from({ length: quantity }, newId),
  };
}

function toPlacedOrder(actor: Actor, row: SaleRow, ids: Ids): PlacedOrder {
  const { outcome, details } = row;
  switch (outcome) {
    case 'sold':
      return { outcome: 'sold', answer: details as OrderAnswer, fresh: true };
    case 'placed': {
      const { orderId, paymentId, transactionId } = ids;
      return {
        outcome: 'placed',
        orderId,
        paymentId,
        transactionId,
        eventId: details.eventId as string,
        quantity: details.quantity as number,
        amountMinor: BigInt(details.amountMinor as number),
        currency: details.currency as string,
      };
    }
    case 'resume':
      return { outcome: 'resume', orderId: details.orderId as string };
    case 'replay':
      return { outcome: 'sold', answer: replay(details as StoredAnswer), fresh: false };
    default:
      throw saleRefusal(row, actor);
  }
}

type StoredAnswer = { status: number; body: Record<string, unknown> };

/** The stored answer again, a stored refusal included. */
function replay({ status, body }: StoredAnswer): OrderAnswer {
  if (status < 400) return body as OrderAnswer;
  throw paymentRefused(String(body.failureCode), String(body.orderId));
}

/** The problem that a failed payment is to the buyer. */
export function paymentRefused(failureCode: string, orderId: string): DomainError {
  const extra = { orderId, failureCode };
  if (failureCode === 'paid_too_late') {
    const message = 'The payment came too late; it is refunded.';
    return new DomainError('conflict', 'paid_too_late', message, { extra });
  }
  return new DomainError('payment_required', 'payment_failed', 'The payment was refused.', { extra });
}
