import { createRoute } from '@hono/zod-openapi';
import type { AppContext } from '../../context.ts';
import { customers, staff } from '../../platform/http/callers.ts';
import { createRouter } from '../../platform/http/router.ts';
import { answer, body, idempotencyHeader, idOf, problems } from '../../platform/http/shapes.ts';
import type { SoldOutGate } from '../inventory/sold-out-gate.ts';
import { createSaleLanes } from '../orders/sale-lanes.ts';
import { orderAnswerShape } from '../orders/schema.ts';
import { createSettleOrder } from '../orders/settle-order.ts';
import { getBooking } from './get-booking.ts';
import { createPayOrder, type PayOrderInput, type Purchase } from './pay-order.ts';
import { cancelBooking, refundOrder } from './refund-order.ts';
import {
  type BookingInput,
  bookingExample,
  bookingInput,
  bookingShape,
  type PurchaseInput,
  pendingShape,
  purchaseExample,
  purchaseInput,
  refundInput,
} from './schema.ts';

const tags = ['Orders'];
const sold = {
  201: answer(orderAnswerShape, 'Paid; the tickets exist'),
  202: answer(pendingShape, 'The payment is not decided yet; the places are held'),
  ...problems(400, 401, 402, 403, 404, 409, 413, 415, 422, 429, 503),
};

const purchase = createRoute({
  method: 'post',
  path: '/tickets/purchase',
  tags,
  summary: 'Buy from a reservation or an offer, or directly: hold, pay, confirm',
  operationId: 'purchaseTickets',
  description:
    'Send the same Idempotency-Key again after a 5xx, a time-out or a 202: nobody pays twice. The test provider takes the tokens tok_success, tok_declined, tok_timeout and tok_requires_action.',
  'x-roles': customers,
  request: { headers: idempotencyHeader, body: body(purchaseInput, purchaseExample) },
  responses: sold,
});
const book = createRoute({
  method: 'post',
  path: '/bookings',
  tags,
  summary: 'Buy the seats of a lock',
  operationId: 'bookSeats',
  description: 'As POST /tickets/purchase, for what POST /seats/lock locked.',
  'x-roles': customers,
  request: { headers: idempotencyHeader, body: body(bookingInput, bookingExample) },
  responses: sold,
});
const get = createRoute({
  method: 'get',
  path: '/bookings/{id}',
  tags,
  summary: 'An order with its tickets and refunds',
  operationId: 'getBooking',
  description: 'A buyer sees their own. Where the payment failed, failureCode says why.',
  'x-roles': customers,
  request: { params: idOf('orderId') },
  responses: { 200: answer(bookingShape, 'The order'), ...problems(400, 401, 404, 429) },
});
const cancel = createRoute({
  method: 'delete',
  path: '/bookings/{id}',
  tags,
  summary: 'Call an order off: refund, free places, tickets revoked on chain',
  operationId: 'cancelBooking',
  description:
    'A buyer may before the event begins, staff at any time, unless a ticket was used or given away.',
  'x-roles': customers,
  request: { params: idOf('orderId'), headers: idempotencyHeader },
  responses: { 200: answer(bookingShape, 'Called off'), ...problems(400, 401, 404, 409, 422, 429) },
});
const refund = createRoute({
  method: 'post',
  path: '/orders/{id}/refund',
  tags,
  summary: 'Refund an order, some of its tickets, or an amount',
  operationId: 'refundOrder',
  description:
    'The only call that pays single tickets back: they are dead at the gates and their places on sale again with the answer, and revoked on chain soon after. When no ticket of the order is left, the order is refunded.',
  'x-roles': staff,
  request: {
    params: idOf('orderId'),
    headers: idempotencyHeader,
    body: body(refundInput, { reason: 'The show was called off' }),
  },
  responses: {
    200: answer(bookingShape, 'Promised; a worker pays'),
    ...problems(400, 401, 403, 404, 409, 413, 415, 422, 429),
  },
});
export function paymentRoutes(ctx: AppContext, gate: SoldOutGate) {
  const payOrder = createPayOrder(ctx, gate);
  const settleOrder = createSettleOrder(ctx, createSaleLanes(ctx));
  return createRouter()
    .openapi(purchase, async (c) => {
      const call = {
        idempotencyKey: c.req.valid('header')['idempotency-key'],
        requestId: c.get('requestId'),
      };
      const bought = await payOrder(c.get('actor'), fromPurchase(c.req.valid('json'), call));
      return bought.status === 'paid' ? c.json(bought.answer, 201) : c.json(bought, 202);
    })
    .openapi(book, async (c) => {
      const call = {
        idempotencyKey: c.req.valid('header')['idempotency-key'],
        requestId: c.get('requestId'),
      };
      const bought: Purchase = await payOrder(c.get('actor'), fromBooking(c.req.valid('json'), call));
      return bought.status === 'paid' ? c.json(bought.answer, 201) : c.json(bought, 202);
    })
    .openapi(get, async (c) => c.json(await getBooking(ctx, c.get('actor'), c.req.valid('param')), 200))
    .openapi(cancel, async (c) => {
      const call = {
        idempotencyKey: c.req.valid('header')['idempotency-key'],
        requestId: c.get('requestId'),
      };
      const booking = await cancelBooking(ctx, gate, settleOrder, c.get('actor'), c.req.valid('param'), call);
      return c.json(booking, 200);
    })
    .openapi(refund, async (c) => {
      const call = {
        idempotencyKey: c.req.valid('header')['idempotency-key'],
        requestId: c.get('requestId'),
      };
      const input = { ...c.req.valid('json'), ...c.req.valid('param') };
      return c.json(await refundOrder(ctx, gate, c.get('actor'), input, call), 200);
    });
}

type Call = { idempotencyKey: string; requestId: string };

function fromPurchase(input: PurchaseInput, call: Call): PayOrderInput {
  const { reservationId, eventId = '', ticketTypeId = '', quantity = 0, ...rest } = input;
  const wanted =
    reservationId !== undefined ? { holdCode: reservationId } : { eventId, ticketTypeId, quantity };
  return toOrder('POST /tickets/purchase', input, wanted, rest, call);
}

function fromBooking(input: BookingInput, call: Call): PayOrderInput {
  const { lockId, ...rest } = input;
  return toOrder('POST /bookings', input, { holdCode: lockId }, rest, call);
}

function toOrder(
  route: string,
  request: unknown,
  wanted: PayOrderInput['wanted'],
  rest: Omit<PurchaseInput, 'reservationId' | 'eventId' | 'ticketTypeId' | 'quantity'>,
  call: Call,
): PayOrderInput {
  const { payment, promoCode, currency, ...customer } = rest;
  return { route, request, wanted, customer, promoCode, currency, token: payment?.token, ...call };
}
