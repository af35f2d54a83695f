import { z } from '@hono/zod-openapi';
import { text, uuid } from '../../platform/http/shapes.ts';
import { customerEmail, customerName, customerPhone } from '../inventory/schema.ts';

export const sectionName = text(50, 1);
export const rowLabel = text(20, 1);
export const seatNumber = text(20, 1);

const seatInput = z.strictObject({
  number: seatNumber,
  ticketTypeId: uuid.optional().openapi({ description: 'Otherwise that of the row or the section' }),
  blocked: z.boolean().default(false).openapi({ description: 'Not for sale' }),
});
const rowInput = z.strictObject({
  label: rowLabel,
  ticketTypeId: uuid.optional(),
  seats: z.array(seatInput).min(1).max(500),
});
const sectionInput = z.strictObject({
  name: sectionName,
  ticketTypeId: uuid.optional(),
  rows: z.array(rowInput).min(1).max(500),
});

export const seatMapInput = z
  .strictObject({ sections: z.array(sectionInput).min(1).max(100) })
  .openapi('SeatMapInput', {
    description:
      'Rows and the seats of a row stand in their order: the frontmost row first, neighbours adjacent',
  });
export type SeatMapInput = z.output<typeof seatMapInput>;

export const seatStates = ['available', 'held', 'sold', 'blocked'] as const;

export const seatMapShape = z
  .object({
    eventId: uuid,
    asOf: z.string(),
    sections: z.array(
      z.object({
        name: z.string(),
        rows: z.array(
          z.object({
            label: z.string(),
            seats: z.array(
              z.object({
                id: uuid,
                number: z.string(),
                ticketTypeId: uuid,
                priceMinor: z.int(),
                state: z.enum(seatStates),
              }),
            ),
          }),
        ),
      }),
    ),
  })
  .openapi('SeatMap');
export type SeatMapView = z.output<typeof seatMapShape>;

export const lockInput = z
  .strictObject({
    eventId: uuid,
    seatIds: z.array(uuid).min(1).max(10).optional(),
    bestAvailable: z
      .strictObject({ ticketTypeId: uuid, quantity: z.int().min(1).max(10), section: sectionName.optional() })
      .optional()
      .openapi({ description: 'Adjacent seats in one row, the frontmost first' }),
    customerName: customerName.optional(),
    customerEmail: customerEmail
      .optional()
      .openapi({ description: 'Who is told when the lock runs out; the booking may leave it out then' }),
    customerPhone: customerPhone.optional(),
  })
  .refine(
    (input) => (input.seatIds === undefined) !== (input.bestAvailable === undefined),
    'exactly one of seatIds and bestAvailable',
  )
  .refine((input) => !input.seatIds || new Set(input.seatIds).size === input.seatIds.length, {
    message: 'a seat is named twice',
    path: ['seatIds'],
  })
  .openapi('SeatLockInput');
export type LockInput = z.output<typeof lockInput>;

export const lockShape = z
  .object({
    lockId: z.string(),
    eventId: uuid,
    seats: z.array(z.object({ id: uuid, label: z.string(), ticketTypeId: uuid, priceMinor: z.int() })),
    totalPriceMinor: z.int(),
    currency: z.string(),
    fence: z.int().openapi({ description: 'Grows with each lock of these seats' }),
    expiresAt: z.string(),
    timeRemaining: z.string(),
  })
  .openapi('SeatLock');
export type LockView = z.output<typeof lockShape>;
