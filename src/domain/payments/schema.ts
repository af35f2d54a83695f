import { z } from '@hono/zod-openapi';
import { exampleIds } from '../../platform/http/example-ids.ts';
import { currency, minorAmount, text, uuid } from '../../platform/http/shapes.ts';
import {
  customerEmail,
  customerName,
  customerPhone,
  holdCode,
  notes,
  reserveExample,
} from '../inventory/schema.ts';
import { orderAnswerShape } from '../orders/schema.ts';
import { promoCodeText } from '../promo/schema.ts';

const payment = z
  .strictObject({ token: text(255, 1).openapi({ description: 'What the payment provider gave the client' }) })
  .optional()
  .openapi({ description: 'Left out when nothing is to pay' });

const shared = {
  notes: notes.optional(),
  customerPhone: customerPhone.optional(),
  promoCode: promoCodeText.optional(),
  currency: currency.optional().openapi({ description: 'Refuses the order when it is not in this currency' }),
  payment,
};

export const purchaseInput = z
  .strictObject({
    reservationId: holdCode
      .optional()
      .openapi({ description: 'Of a reservation or an offer; then nothing else says what is bought' }),
    eventId: uuid.optional(),
    ticketTypeId: uuid.optional(),
    quantity: z.int().min(1).max(10).optional(),
    customerName: customerName.optional(),
    customerEmail: customerEmail.optional(),
    ...shared,
  })
  .superRefine((input, context) => {
    const direct = ['eventId', 'ticketTypeId', 'quantity', 'customerName', 'customerEmail'] as const;
    if (input.reservationId === undefined) {
      for (const name of direct) {
        if (input[name] === undefined)
          context.addIssue({ code: 'custom', path: [name], message: 'required without a reservationId' });
      }
      return;
    }
    for (const name of ['eventId', 'ticketTypeId', 'quantity'] as const) {
      if (input[name] !== undefined)
        context.addIssue({ code: 'custom', path: [name], message: 'not together with a reservationId' });
    }
  })
  .openapi('PurchaseInput');
export type PurchaseInput = z.output<typeof purchaseInput>;

export const purchaseExample: z.input<typeof purchaseInput> = {
  ...reserveExample,
  payment: { token: 'tok_success' },
};

export const bookingInput = z
  .strictObject({
    lockId: holdCode,
    customerName: customerName.optional(),
    customerEmail: customerEmail.optional(),
    ...shared,
  })
  .openapi('BookingInput', { description: 'Name and e-mail are required unless the lock came with them' });
export type BookingInput = z.output<typeof bookingInput>;

export const bookingExample: z.input<typeof bookingInput> = {
  lockId: exampleIds.lockId,
  customerName: 'Alice Example',
  customerEmail: 'alice@example.com',
  payment: { token: 'tok_success' },
};

export const pendingShape = z
  .object({
    orderId: uuid,
    transactionId: z.string(),
    status: z.literal('pending'),
    nextAction: z.object({ type: z.literal('redirect'), url: z.string() }).nullable(),
  })
  .openapi('PendingOrder', {
    description: 'Follow nextAction if there is one, then repeat the request with the same Idempotency-Key',
  });

export const refundShape = z
  .object({
    id: uuid,
    orderId: uuid,
    amountMinor: z.int(),
    currency: z.string(),
    reason: z.string(),
    status: z.enum(['requested', 'succeeded', 'failed']),
    createdAt: z.string(),
  })
  .openapi('Refund');
export type RefundView = z.output<typeof refundShape>;

export const refundInput = z
  .strictObject({
    ticketIds: z
      .array(uuid)
      .min(1)
      .max(10)
      .optional()
      .openapi({ description: 'These tickets die and their share is paid back' }),
    amountMinor: minorAmount
      .min(1)
      .optional()
      .openapi({ description: 'Paid back while the tickets stay valid' }),
    reason: text(200, 1),
  })
  .refine(
    (input) => input.ticketIds === undefined || input.amountMinor === undefined,
    'either ticketIds or amountMinor',
  )
  .refine((input) => !input.ticketIds || new Set(input.ticketIds).size === input.ticketIds.length, {
    message: 'a ticket is named twice',
    path: ['ticketIds'],
  })
  .openapi('RefundInput', { description: 'Without ticketIds and amountMinor the whole order is refunded' });
export type RefundInput = z.output<typeof refundInput>;

export const bookingShape = orderAnswerShape
  .extend({
    customerName: z.string(),
    customerEmail: z.string(),
    customerPhone: z.string().nullable(),
    notes: z.string().nullable(),
    createdAt: z.string(),
    refunds: z.array(refundShape),
    failureCode: z.string().nullable(),
  })
  .openapi('Booking');
export type BookingView = z.output<typeof bookingShape>;
