import { z } from '@hono/zod-openapi';
import { uuid } from '../../platform/http/shapes.ts';
import { customerEmail, customerName } from '../inventory/schema.ts';

export const waitingStates = ['waiting', 'offered', 'accepted', 'expired', 'left'] as const;

export const joinInput = z
  .strictObject({ quantity: z.int().min(1).max(10), customerName, customerEmail })
  .openapi('WaitingListInput');
export type JoinInput = z.output<typeof joinInput>;

export const joinExample: z.input<typeof joinInput> = {
  quantity: 1,
  customerName: 'Bob Example',
  customerEmail: 'bob@example.com',
};

export const entryShape = z
  .object({
    id: uuid,
    eventId: uuid,
    ticketTypeId: uuid,
    quantity: z.int(),
    state: z.enum(waitingStates),
    position: z
      .int()
      .nullable()
      .openapi({ description: 'Entries before this one, plus one; null once offered' }),
    offer: z
      .object({
        reservationId: z.string(),
        quantity: z.int().openapi({
          description: 'Less than was wished for when nobody in line wanted no more than what is left',
        }),
        expiresAt: z.string(),
      })
      .nullable()
      .openapi({ description: 'Buy with POST /tickets/purchase and this reservationId' }),
    createdAt: z.string(),
  })
  .openapi('WaitingListEntry');
export type EntryView = z.output<typeof entryShape>;
