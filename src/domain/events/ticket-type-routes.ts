import { createRoute } from '@hono/zod-openapi';
import type { AppContext } from '../../context.ts';
import { everybody, organisers } from '../../platform/http/callers.ts';
import { tagged } from '../../platform/http/etag.ts';
import { createRouter } from '../../platform/http/router.ts';
import { answer, body, idOf, ifMatchHeader, patchBody, problems } from '../../platform/http/shapes.ts';
import type { SoldOutGate } from '../inventory/sold-out-gate.ts';
import { createTicketType } from './create-ticket-type.ts';
import { deleteTicketType } from './delete-ticket-type.ts';
import { ticketTypePatch, ticketTypeReplacement, typeTermsExample } from './edit-schema.ts';
import { getTicketType } from './get-ticket-type.ts';
import { deletionShape, ticketTypeInput, ticketTypeShape } from './schema.ts';
import { updateTicketType } from './update-ticket-type.ts';

const tags = ['Events'];

const createType = createRoute({
  method: 'post',
  path: '/events/{id}/ticket-types',
  tags,
  summary: 'Add a ticket type',
  operationId: 'createTicketType',
  description: 'On sale at once, unless it says otherwise. An event has 999 at most.',
  'x-roles': organisers,
  request: {
    params: idOf('eventId'),
    body: body(ticketTypeInput, { name: 'Balcony', priceMinor: 4_900, capacity: 200 }),
  },
  responses: {
    201: answer(ticketTypeShape, 'The ticket type'),
    ...problems(400, 401, 403, 404, 409, 413, 415, 429),
  },
});
const getType = createRoute({
  method: 'get',
  path: '/ticket-types/{id}',
  tags,
  summary: 'A ticket type',
  operationId: 'getTicketType',
  description: 'As it stands in its event. The ETag is for If-Match, and the body may be sent back with PUT.',
  'x-roles': everybody,
  request: { params: idOf('ticketTypeId') },
  responses: { 200: answer(ticketTypeShape, 'The ticket type'), ...problems(400, 401, 404, 429) },
});
const replaceType = createRoute({
  method: 'put',
  path: '/ticket-types/{id}',
  tags,
  summary: 'Replace what can be edited of a ticket type, capacity included',
  operationId: 'replaceTicketType',
  description:
    'Demands every field that can be edited, null where nothing is limited. Who holds places keeps their price. See docs/editing.md.',
  'x-roles': organisers,
  request: {
    params: idOf('ticketTypeId'),
    headers: ifMatchHeader,
    body: body(ticketTypeReplacement, typeTermsExample),
  },
  responses: {
    200: answer(ticketTypeShape, 'The ticket type'),
    ...problems(400, 401, 403, 404, 409, 412, 413, 415, 429),
  },
});
const patchType = createRoute({
  method: 'patch',
  path: '/ticket-types/{id}',
  tags,
  summary: 'Change some fields of a ticket type',
  operationId: 'updateTicketType',
  description:
    'A JSON merge patch: what it does not name stays. The capacity cannot fall below what is sold and held. See docs/editing.md.',
  'x-roles': organisers,
  request: {
    params: idOf('ticketTypeId'),
    headers: ifMatchHeader,
    body: patchBody(ticketTypePatch, { priceMinor: 2_900, salesEndAt: null }),
  },
  responses: {
    200: answer(ticketTypeShape, 'The ticket type'),
    ...problems(400, 401, 403, 404, 409, 412, 413, 415, 429),
  },
});
const removeType = createRoute({
  method: 'delete',
  path: '/ticket-types/{id}',
  tags,
  summary: 'Delete a ticket type, or take it off sale when something was sold',
  operationId: 'deleteTicketType',
  description:
    'Gone without a trace when nothing was ordered and nobody holds places; otherwise off sale, while its tickets stay valid.',
  'x-roles': organisers,
  request: { params: idOf('ticketTypeId') },
  responses: { 200: answer(deletionShape, 'What was done'), ...problems(400, 401, 403, 404, 429) },
});

export function ticketTypeRoutes(ctx: AppContext, gate: SoldOutGate) {
  return createRouter()
    .openapi(createType, async (c) => {
      const input = { ...c.req.valid('json'), eventId: c.req.valid('param').id };
      return c.json(tagged(c, await createTicketType(ctx, c.get('actor'), input)), 201);
    })
    .openapi(getType, async (c) =>
      c.json(tagged(c, await getTicketType(ctx, c.get('actor'), c.req.valid('param'))), 200),
    )
    .openapi(replaceType, async (c) => {
      const input = { ...c.req.valid('param'), ifMatch: c.req.valid('header')['if-match'] };
      const edit = c.req.valid('json');
      return c.json(tagged(c, await updateTicketType(ctx, gate, c.get('actor'), { ...input, edit })), 200);
    })
    .openapi(patchType, async (c) => {
      const input = { ...c.req.valid('param'), ifMatch: c.req.valid('header')['if-match'] };
      const edit = c.req.valid('json');
      return c.json(tagged(c, await updateTicketType(ctx, gate, c.get('actor'), { ...input, edit })), 200);
    })
    .openapi(removeType, async (c) =>
      c.json(await deleteTicketType(ctx, c.get('actor'), c.req.valid('param')), 200),
    );
}
