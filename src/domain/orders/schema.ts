import { z } from '@hono/zod-openapi';
import { uuid } from '../../platform/http/shapes.ts';
import { orderStatuses } from './order-state.ts';

export const soldTicketShape = z
  .object({ id: uuid, ticketNumber: z.string(), status: z.string(), seat: z.string().nullable() })
  .openapi('SoldTicket');

export const orderAnswerShape = z
  .object({
    orderId: uuid,
    transactionId: z.string(),
    status: z.enum(orderStatuses),
    eventId: uuid,
    ticketTypeId: z.uuid().nullable().openapi({ description: 'Null when the tickets are of several types' }),
    quantity: z.int(),
    subtotalMinor: z.int(),
    discountMinor: z.int(),
    amountMinor: z.int(),
    currency: z.string(),
    tickets: z.array(soldTicketShape),
  })
  .openapi('Order');
export type OrderAnswer = z.output<typeof orderAnswerShape>;

export const transactionShape = z
  .object({
    transactionId: z.string(),
    orderId: uuid,
    userId: z.string(),
    eventId: uuid,
    quantity: z.int(),
    amountMinor: z.int(),
    currency: z.string(),
    status: z.enum(['pending', 'completed', 'failed']),
    createdAt: z.string(),
    updatedAt: z.string(),
  })
  .openapi('Transaction');
export type TransactionView = z.output<typeof transactionShape>;
