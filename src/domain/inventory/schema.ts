import { z } from '@hono/zod-openapi';
import { exampleIds } from '../../platform/http/example-ids.ts';
import { line, text, uuid } from '../../platform/http/shapes.ts';

/** What mail programs make links of; `Dr.Meier` is none, since a domain is not written like that. */
const LINK = /:\/\/|\bwww\.|@|[\p{L}\p{N}-]\.(?:\p{Ll}{2,}|\p{Lu}{2,})(?![\p{L}.])/u;

export const customerName = line(100, 1).refine((name) => !LINK.test(name), {
  message: 'must be a name, without links and addresses',
});
export const customerEmail = z.email().max(200);
export const customerPhone = text(40, 3);
export const notes = text(500);

export const reserveInput = z
  .strictObject({
    eventId: uuid,
    ticketTypeId: uuid,
    quantity: z.int().min(1).max(10),
    customerName,
    customerEmail,
    customerPhone: customerPhone.optional(),
    notes: notes.optional(),
  })
  .openapi('ReserveInput');
export type ReserveInput = z.output<typeof reserveInput>;

export const reserveExample: z.input<typeof reserveInput> = {
  eventId: exampleIds.eventId,
  ticketTypeId: exampleIds.ticketTypeId,
  quantity: 2,
  customerName: 'Alice Example',
  customerEmail: 'alice@example.com',
};

export const reservationShape = z
  .object({
    reservationId: z.string(),
    eventId: uuid,
    ticketTypeId: uuid,
    quantity: z.int(),
    tickets: z.array(z.object({ ticketNumber: z.string(), status: z.literal('reserved') })),
    unitPriceMinor: z.int(),
    totalPriceMinor: z.int(),
    currency: z.string(),
    expiresAt: z.string(),
    timeRemaining: z.string().openapi({ examples: ['00:14:59'] }),
  })
  .openapi('Reservation');
export type ReservationView = z.output<typeof reservationShape>;

export const holdCode = z
  .string()
  .regex(/^(RES|LCK|OFF)_\d{14}_[0-9A-HJKMNP-TV-Z]{8}$/, 'must be the id of a reservation, lock or offer');
