import { createRoute } from '@hono/zod-openapi';
import type { AppContext } from '../../context.ts';
import { everybody, organisers } from '../../platform/http/callers.ts';
import { tagged } from '../../platform/http/etag.ts';
import { createRouter } from '../../platform/http/router.ts';
import {
  answer,
  body,
  idOf,
  ifMatchHeader,
  pageOf,
  patchBody,
  problems,
} from '../../platform/http/shapes.ts';
import { readAvailability } from '../inventory/read-availability.ts';
import { createEvent } from './create-event.ts';
import { deleteEvent } from './delete-event.ts';
import { eventPatch, eventReplacement, termsExample } from './edit-schema.ts';
import { getEvent } from './get-event.ts';
import { listEvents } from './list-events.ts';
import * as shapes from './schema.ts';
import { updateEvent } from './update-event.ts';

const tags = ['Events'];

const list = createRoute({
  method: 'get',
  path: '/events',
  tags,
  summary: 'Events by their start; includeInactive for staff',
  operationId: 'listEvents',
  description:
    'The earliest first, in pages. Those that are not active are for staff who ask with includeInactive=true.',
  'x-roles': everybody,
  request: { query: shapes.eventFilter },
  responses: { 200: answer(pageOf(shapes.eventShape), 'A page of events'), ...problems(400, 401, 403, 429) },
});
const create = createRoute({
  method: 'post',
  path: '/events',
  tags,
  summary: 'Create an event, with its ticket types if they are known',
  operationId: 'createEvent',
  description: 'An event starts in the future. More ticket types, and seats, can follow later.',
  'x-roles': organisers,
  request: { body: body(shapes.eventInput, shapes.eventExample) },
  responses: { 201: answer(shapes.eventShape, 'The event'), ...problems(400, 401, 403, 413, 415, 429) },
});
const get = createRoute({
  method: 'get',
  path: '/events/{id}',
  tags,
  summary: 'An event with its ticket types',
  operationId: 'getEvent',
  description:
    'One that is not active exists for staff alone. The ETag is for If-Match, and the body may be sent back with PUT.',
  'x-roles': everybody,
  request: { params: idOf('eventId') },
  responses: { 200: answer(shapes.eventShape, 'The event'), ...problems(400, 401, 404, 429) },
});
const replace = createRoute({
  method: 'put',
  path: '/events/{id}',
  tags,
  summary: 'Replace what can be edited of an event',
  operationId: 'replaceEvent',
  description:
    'Demands every field that can be edited, null where there is none; ticket types stay as they are. `version` or `If-Match` refuse it when somebody changed the event since. See docs/editing.md.',
  'x-roles': organisers,
  request: { params: idOf('eventId'), headers: ifMatchHeader, body: body(eventReplacement, termsExample) },
  responses: {
    200: answer(shapes.eventShape, 'The event'),
    ...problems(400, 401, 403, 404, 409, 412, 413, 415, 429),
  },
});
const patch = createRoute({
  method: 'patch',
  path: '/events/{id}',
  tags,
  summary: 'Change some fields of an event',
  operationId: 'updateEvent',
  description:
    'A JSON merge patch: what it does not name stays. `version` or `If-Match` refuse it when somebody changed the event since. See docs/editing.md.',
  'x-roles': organisers,
  request: {
    params: idOf('eventId'),
    headers: ifMatchHeader,
    body: patchBody(eventPatch, { title: 'Macbeth', doorsOpenAt: null }),
  },
  responses: {
    200: answer(shapes.eventShape, 'The event'),
    ...problems(400, 401, 403, 404, 409, 412, 413, 415, 429),
  },
});
const remove = createRoute({
  method: 'delete',
  path: '/events/{id}',
  tags,
  summary: 'Delete an event, or hide it when something was sold',
  operationId: 'deleteEvent',
  description:
    'Gone without a trace when nothing was ordered and nobody holds places; otherwise off sale and hidden, while its tickets stay valid.',
  'x-roles': organisers,
  request: { params: idOf('eventId') },
  responses: { 200: answer(shapes.deletionShape, 'What was done'), ...problems(400, 401, 403, 404, 429) },
});
const availability = createRoute({
  method: 'get',
  path: '/events/{id}/availability',
  tags,
  summary: 'What is left, per ticket type; cached, as of asOf',
  operationId: 'getAvailability',
  description:
    'What is held belongs to reservations, seat locks, offers and payments under way. A sale decides by itself whether places are left.',
  'x-roles': everybody,
  request: { params: idOf('eventId') },
  responses: { 200: answer(shapes.availabilityShape, 'The counters'), ...problems(400, 401, 404, 429) },
});
export function eventRoutes(ctx: AppContext) {
  return createRouter()
    .openapi(list, async (c) => c.json(await listEvents(ctx, c.get('actor'), c.req.valid('query')), 200))
    .openapi(create, async (c) =>
      c.json(tagged(c, await createEvent(ctx, c.get('actor'), c.req.valid('json'))), 201),
    )
    .openapi(get, async (c) =>
      c.json(tagged(c, await getEvent(ctx, c.get('actor'), c.req.valid('param'))), 200),
    )
    .openapi(replace, async (c) => {
      const input = { ...c.req.valid('param'), ifMatch: c.req.valid('header')['if-match'] };
      const edit = c.req.valid('json');
      return c.json(tagged(c, await updateEvent(ctx, c.get('actor'), { ...input, edit })), 200);
    })
    .openapi(patch, async (c) => {
      const input = { ...c.req.valid('param'), ifMatch: c.req.valid('header')['if-match'] };
      const edit = c.req.valid('json');
      return c.json(tagged(c, await updateEvent(ctx, c.get('actor'), { ...input, edit })), 200);
    })
    .openapi(remove, async (c) => c.json(await deleteEvent(ctx, c.get('actor'), c.req.valid('param')), 200))
    .openapi(availability, async (c) => {
      const { id } = await getEvent(ctx, c.get('actor'), c.req.valid('param'));
      return c.json(await readAvailability(ctx, c.get('actor').tenantId, id), 200);
    });
}
