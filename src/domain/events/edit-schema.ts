import { z } from '@hono/zod-openapi';
import { instant, uuid } from '../../platform/http/shapes.ts';
import { eventFields, ticketTypeFields } from './schema.ts';

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
