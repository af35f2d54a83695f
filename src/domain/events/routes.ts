import { createRoute } from '@hono/zod-openapi';
import type { AppContext } from '../../context.ts';
import { createRouter } from '../../platform/http/router.ts';
import { answer, body, idParam, pageOf, problems } from '../../platform/http/shapes.ts';
import { readAvailability } from '../inventory/read-availability.ts';
import type { SoldOutGate } from '../inventory/sold-out-gate.ts';
import { createEvent } from './create-event.ts';
import { createTicketType } from './create-ticket-type.ts';
import { deleteEvent } from './delete-event.ts';
import { deleteTicketType } from './delete-ticket-type.ts';
import { getEvent } from './get-event.ts';
import { listEvents } from './list-events.ts';
import * as shapes from './schema.ts';
import { updateEvent } from './update-event.ts';
import { updateTicketType } from './update-ticket-type.ts';

const tags = ['Events'];

const list = createRoute({
  method: 'get',
  path: '/events',
  tags,
  summary: 'Events by their start; includeInactive for staff',
  request: { query: shapes.eventFilter },
  responses: { 200: answer(pageOf(shapes.eventShape), 'A page of events'), ...problems(400, 401, 403, 429) },
});
const create = createRoute({
  method: 'post',
  path: '/events',
  tags,
  summary: 'Create an event, with its ticket types if they are known',
  request: { body: body(shapes.eventInput) },
  responses: { 201: answer(shapes.eventShape, 'The event'), ...problems(400, 401, 403, 413, 415, 429) },
});
const get = createRoute({
  method: 'get',
  path: '/events/{id}',
  tags,
  summary: 'An event with its ticket types',
  request: { params: idParam },
  responses: { 200: answer(shapes.eventShape, 'The event'), ...problems(400, 401, 404, 429) },
});
const update = createRoute({
  method: 'put',
  path: '/events/{id}',
  tags,
  summary: 'Replace what can be edited of an event',
  request: { params: idParam, body: body(shapes.eventUpdate) },
  responses: {
    200: answer(shapes.eventShape, 'The event'),
    ...problems(400, 401, 403, 404, 409, 413, 415, 429),
  },
});
const remove = createRoute({
  method: 'delete',
  path: '/events/{id}',
  tags,
  summary: 'Delete an event, or hide it when something was sold',
  request: { params: idParam },
  responses: { 200: answer(shapes.deletionShape, 'What was done'), ...problems(400, 401, 403, 404, 429) },
});
const availability = createRoute({
  method: 'get',
  path: '/events/{id}/availability',
  tags,
  summary: 'What is left, per ticket type; cached, as of asOf',
  request: { params: idParam },
  responses: { 200: answer(shapes.availabilityShape, 'The counters'), ...problems(400, 401, 404, 429) },
});
const createType = createRoute({
  method: 'post',
  path: '/events/{id}/ticket-types',
  tags,
  summary: 'Add a ticket type',
  request: { params: idParam, body: body(shapes.ticketTypeInput) },
  responses: {
    201: answer(shapes.ticketTypeShape, 'The ticket type'),
    ...problems(400, 401, 403, 404, 409, 413, 415, 429),
  },
});
const updateType = createRoute({
  method: 'put',
  path: '/ticket-types/{id}',
  tags,
  summary: 'Replace what can be edited of a ticket type, capacity included',
  request: { params: idParam, body: body(shapes.ticketTypeUpdate) },
  responses: {
    200: answer(shapes.ticketTypeShape, 'The ticket type'),
    ...problems(400, 401, 403, 404, 409, 413, 415, 429),
  },
});
const removeType = createRoute({
  method: 'delete',
  path: '/ticket-types/{id}',
  tags,
  summary: 'Delete a ticket type, or take it off sale when something was sold',
  request: { params: idParam },
  responses: { 200: answer(shapes.deletionShape, 'What was done'), ...problems(400, 401, 403, 404, 429) },
});

export function eventRoutes(ctx: AppContext, gate: SoldOutGate) {
  return createRouter()
    .openapi(list, async (c) => c.json(await listEvents(ctx, c.get('actor'), c.req.valid('query')), 200))
    .openapi(create, async (c) => c.json(await createEvent(ctx, c.get('actor'), c.req.valid('json')), 201))
    .openapi(get, async (c) => c.json(await getEvent(ctx, c.get('actor'), c.req.valid('param')), 200))
    .openapi(update, async (c) => {
      const input = { ...c.req.valid('json'), ...c.req.valid('param') };
      return c.json(await updateEvent(ctx, c.get('actor'), input), 200);
    })
    .openapi(remove, async (c) => c.json(await deleteEvent(ctx, c.get('actor'), c.req.valid('param')), 200))
    .openapi(availability, async (c) => {
      const { id } = await getEvent(ctx, c.get('actor'), c.req.valid('param'));
      return c.json(await readAvailability(ctx, c.get('actor').tenantId, id), 200);
    })
    .openapi(createType, async (c) => {
      const input = { ...c.req.valid('json'), eventId: c.req.valid('param').id };
      return c.json(await createTicketType(ctx, c.get('actor'), input), 201);
    })
    .openapi(updateType, async (c) => {
      const input = { ...c.req.valid('json'), ...c.req.valid('param') };
      return c.json(await updateTicketType(ctx, gate, c.get('actor'), input), 200);
    })
    .openapi(removeType, async (c) =>
      c.json(await deleteTicketType(ctx, c.get('actor'), c.req.valid('param')), 200),
    );
}
