import { z } from '@hono/zod-openapi';
import { currency, flag, instant, minorAmount, pageQuery, text, uuid } from '../../platform/http/shapes.ts';

export const transferPolicies = ['open', 'organiser_approved', 'resale_only', 'locked'] as const;

const ticketTypeFields = {
  name: text(100, 1),
  description: text(1_000).default(''),
  priceMinor: minorAmount,
  capacity: z.int().min(0).max(10_000_000),
  salesStartAt: instant.nullish(),
  salesEndAt: instant.nullish(),
  perOrderLimit: z.int().min(1).max(10).default(10),
  perCustomerLimit: z
    .int()
    .min(1)
    .max(1_000)
    .nullish()
    .openapi({ description: 'How many one user, or one e-mail address, may hold or own' }),
  maxEntries: z.int().min(1).max(1_000).default(1).openapi({ description: 'How often one ticket admits' }),
  isActive: z.boolean().default(true),
};

function sellsForwards(type: {
  salesStartAt?: Date | null | undefined;
  salesEndAt?: Date | null | undefined;
}): boolean {
  return !type.salesStartAt || !type.salesEndAt || type.salesEndAt > type.salesStartAt;
}

export const ticketTypeInput = z
  .strictObject(ticketTypeFields)
  .refine(sellsForwards, 'salesEndAt must lie after salesStartAt')
  .openapi('TicketTypeInput');
export type TicketTypeInput = z.output<typeof ticketTypeInput>;

const eventFields = {
  title: text(200, 1),
  description: text(4_000).default(''),
  venue: text(200, 1),
  venueAddress: text(500).default(''),
  startsAt: instant,
  endsAt: instant,
  doorsOpenAt: instant.nullish().openapi({
    description:
      'From when on tickets are admitted. Left out, that is a while before the start: 3 hours, unless the installation says otherwise',
  }),
  currency,
  transferPolicy: z.enum(transferPolicies).default('open'),
  resaleCapBps: z
    .int()
    .min(0)
    .max(65_535)
    .default(10_000)
    .openapi({ description: 'Highest resale price, in 1/10000 of face value' }),
  isActive: z.boolean().default(true),
};

function runsForwards(event: {
  startsAt: Date;
  endsAt: Date;
  doorsOpenAt?: Date | null | undefined;
}): boolean {
  return event.endsAt > event.startsAt && (!event.doorsOpenAt || event.doorsOpenAt <= event.startsAt);
}
const RUNS_FORWARDS = 'doors must open before the start, and the end must lie after it';

export const eventInput = z
  .strictObject({ ...eventFields, ticketTypes: z.array(ticketTypeInput).max(50).default([]) })
  .refine(runsForwards, RUNS_FORWARDS)
  .openapi('EventInput');
export type EventInput = z.output<typeof eventInput>;

export const eventUpdate = z
  .strictObject({
    ...eventFields,
    version: z.int().positive().optional().openapi({ description: 'Refuse when it changed since' }),
  })
  .refine(runsForwards, RUNS_FORWARDS)
  .openapi('EventUpdate');
export type EventUpdate = z.output<typeof eventUpdate>;

export const ticketTypeUpdate = z
  .strictObject({ ...ticketTypeFields, version: z.int().positive().optional() })
  .refine(sellsForwards, 'salesEndAt must lie after salesStartAt')
  .openapi('TicketTypeUpdate');
export type TicketTypeUpdate = z.output<typeof ticketTypeUpdate>;

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
    description: 'deleted without a trace, or kept and hidden because something was sold',
  });
