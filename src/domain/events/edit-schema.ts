import { z } from '@hono/zod-openapi';
import { instant, uuid } from '../../platform/http/shapes.ts';
import { eventExample, eventFields, ticketTypeFields } from './schema.ts';

/** What GET shows beside the fields that can be edited: it may be sent back, as it is. */
const shownOfType = {
  id: uuid,
  eventId: uuid,
  currency: eventFields.currency,
  isSeated: z.boolean(),
  version: z.int().positive().openapi({ description: 'Refuse when it changed since' }),
};
const shownOfEvent = {
  id: uuid,
  totalCapacity: z.int().min(0),
  version: shownOfType.version,
  createdAt: instant,
  updatedAt: instant,
  ticketTypes: z.array(z.strictObject({ ...ticketTypeFields, ...shownOfType })).max(999),
};
const READ_ONLY =
  'What GET shows beside the fields that can be edited may be left out; where it is sent, it must be as it is';

export const eventReplacement = z
  .strictObject({ ...eventFields, ...z.object(shownOfEvent).partial().shape })
  .openapi('EventReplacement', {
    description: `All that can be edited, null where there is none. ${READ_ONLY}`,
  });
export const eventPatch = z
  .strictObject({ ...eventFields, ...shownOfEvent })
  .partial()
  .openapi('EventPatch', { description: `What is to change. ${READ_ONLY}` });
export type EventEdit = z.output<typeof eventPatch>;
/** All that can be edited of an event, as it is written. */
export type EventTerms = z.output<z.ZodObject<typeof eventFields>>;

export const ticketTypeReplacement = z
  .strictObject({ ...ticketTypeFields, ...z.object(shownOfType).partial().shape })
  .openapi('TicketTypeReplacement', {
    description: `All that can be edited, null where nothing is limited. ${READ_ONLY}`,
  });
export const ticketTypePatch = z
  .strictObject({ ...ticketTypeFields, ...shownOfType })
  .partial()
  .openapi('TicketTypePatch', { description: `What is to change. ${READ_ONLY}` });
export type TicketTypeEdit = z.output<typeof ticketTypePatch>;
/** All that can be edited of a ticket type, as it is written. */
export type TicketTypeTerms = z.output<z.ZodObject<typeof ticketTypeFields>>;

const { ticketTypes, ...described } = eventExample;
export const termsExample: z.input<typeof eventReplacement> = {
  ...described,
  description: 'A tragedy in five acts, with one interval',
  venueAddress: '21 New Globe Walk, London',
  doorsOpenAt: null,
  transferPolicy: 'open',
  resaleCapBps: 10_000,
  isActive: true,
};

export const typeTermsExample: z.input<typeof ticketTypeReplacement> = {
  name: 'Standing',
  description: 'In front of the stage',
  priceMinor: 2_900,
  capacity: 800,
  salesStartAt: null,
  salesEndAt: null,
  perOrderLimit: 10,
  perCustomerLimit: null,
  maxEntries: 1,
  isActive: true,
};
