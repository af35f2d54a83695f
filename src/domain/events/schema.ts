import { z } from '@hono/zod-openapi';
import { currency, flag, instant, minorAmount, pageQuery, text, uuid } from '../../platform/http/shapes.ts';

export const transferPolicies = ['open', 'organiser_approved', 'resale_only', 'locked'] as const;

/** What an organiser says of a ticket type; null where nothing is limited. */
export const ticketTypeFields = {
  name: text(100, 1),
  description: text(1_000),
  priceMinor: minorAmount,
  capacity: z.int().min(0).max(10_000_000),
  salesStartAt: instant.nullable(),
  salesEndAt: instant.nullable(),
  perOrderLimit: z.int().min(1).max(10),
  perCustomerLimit: z
    .int()
    .min(1)
    .max(1_000)
    .nullable()
    .openapi({ description: 'How many one user, or one e-mail address, may hold or own' }),
  maxEntries: z.int().min(1).max(1_000).openapi({ description: 'How often one ticket admits' }),
  isActive: z.boolean(),
};

export function sellsForwards(type: {
  salesStartAt?: Date | null | undefined;
  salesEndAt?: Date | null | undefined;
}): boolean {
  return !type.salesStartAt || !type.salesEndAt || type.salesEndAt > type.salesStartAt;
}
export const SELLS_FORWARDS = 'salesEndAt must lie after salesStartAt';

export const ticketTypeInput = z
  .strictObject({
    ...ticketTypeFields,
    description: ticketTypeFields.description.default(''),
    salesStartAt: ticketTypeFields.salesStartAt.optional(),
    salesEndAt: ticketTypeFields.salesEndAt.optional(),
    perOrderLimit: ticketTypeFields.perOrderLimit.default(10),
    perCustomerLimit: ticketTypeFields.perCustomerLimit.optional(),
    maxEntries: ticketTypeFields.maxEntries.default(1),
    isActive: ticketTypeFields.isActive.default(true),
  })
  .refine(sellsForwards, SELLS_FORWARDS)
  .openapi('TicketTypeInput');
export type TicketTypeInput = z.output<typeof ticketTypeInput>;

/** What an organiser says of an event; null where there is no such time. */
export const eventFields = {
  title: text(200, 1),
  description: text(4_000),
  venue: text(200, 1),
  venueAddress: text(500),
  startsAt: instant,
  endsAt: instant,
  doorsOpenAt: instant.nullable().openapi({
    description:
      'From when on tickets are admitted. Left out or null, that is a while before the start: 3 hours, unless the installation says otherwise',
  }),
  currency,
  transferPolicy: z.enum(transferPolicies),
  resaleCapBps: z
    .int()
    .min(0)
    .max(65_535)
    .openapi({ description: 'Highest resale price, in 1/10000 of face value' }),
  isActive: z.boolean(),
};

export function runsForwards(event: {
  startsAt: Date;
  endsAt: Date;
  doorsOpenAt?: Date | null | undefined;
}): boolean {
  return event.endsAt > event.startsAt && (!event.doorsOpenAt || event.doorsOpenAt <= event.startsAt);
}
export const RUNS_FORWARDS = 'doors must open before the start, and the end must lie after it';

export const eventInput = z
  .strictObject({
    ...eventFields,
    description: eventFields.description.default(''),
    venueAddress: eventFields.venueAddress.default(''),
    doorsOpenAt: eventFields.doorsOpenAt.optional(),
    transferPolicy: eventFields.transferPolicy.default('open'),
    resaleCapBps: eventFields.resaleCapBps.default(10_000),
    isActive: eventFields.isActive.default(true),
    ticketTypes: z.array(ticketTypeInput).max(50).default([]),
  })
  .refine(runsForwards, RUNS_FORWARDS)
  .openapi('EventInput');
export type EventInput = z.output<typeof eventInput>;

export const eventExample: z.input<typeof eventInput> = {
  title: 'Hamlet',
  description: 'A tragedy in five acts',
  venue: 'The Globe',
  venueAddress: '21 New Globe Walk, London',
  startsAt: '2050-06-01T19:30:00+01:00',
  endsAt: '2050-06-01T22:30:00+01:00',
  doorsOpenAt: '2050-06-01T18:30:00+01:00',
  currency: 'EUR',
  ticketTypes: [{ name: 'Standing', priceMinor: 2_500, capacity: 700 }],
};

export const ticketTypeShape = z
  .object({
    id: uuid,
    eventId: uuid,
    name: z.string(),
    description: z.string(),
    priceMinor: z.int(),
    currency: z.string(),
    capacity: z.int(),
    salesStartAt: z.string().nullable(),
    salesEndAt: z.string().nullable(),
    perOrderLimit: z.int(),
    perCustomerLimit: z.int().nullable(),
    isSeated: z.boolean().openapi({ description: 'Sold by the seat; see the seat map' }),
    maxEntries: z.int(),
    isActive: z.boolean(),
    version: z.int(),
  })
  .openapi('TicketType');
export type TicketTypeView = z.output<typeof ticketTypeShape>;

export const eventShape = z
  .object({
    id: uuid,
    title: z.string(),
    description: z.string(),
    venue: z.string(),
    venueAddress: z.string(),
    startsAt: z.string(),
    endsAt: z.string(),
    doorsOpenAt: z.string().nullable(),
    currency: z.string(),
    transferPolicy: z.enum(transferPolicies),
    resaleCapBps: z.int(),
    isActive: z.boolean(),
    totalCapacity: z.int(),
    version: z.int(),
    createdAt: z.string(),
    updatedAt: z.string(),
    ticketTypes: z.array(ticketTypeShape),
  })
  .openapi('Event');
export type EventView = z.output<typeof eventShape>;

export const eventFilter = z.strictObject({
  ...pageQuery,
  includeInactive: flag.default(false),
  startsAfter: instant.optional(),
  startsBefore: instant.optional(),
  venue: text(200, 1).optional(),
  search: text(100, 1).optional().openapi({ description: 'Part of the title' }),
});
export type EventFilter = z.output<typeof eventFilter>;

export const availabilityShape = z
  .object({
    eventId: uuid,
    asOf: z.string(),
    ticketTypes: z.array(
      z.object({ ticketTypeId: uuid, capacity: z.int(), held: z.int(), sold: z.int(), available: z.int() }),
    ),
  })
  .openapi('Availability');

export const deletionShape = z
  .object({ id: uuid, outcome: z.enum(['deleted', 'deactivated']) })
  .openapi('Deletion', {
    description: 'deleted without a trace, or kept and hidden because something was sold or is held',
  });
