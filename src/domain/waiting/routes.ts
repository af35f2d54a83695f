import { createRoute } from '@hono/zod-openapi';
import type { AppContext } from '../../context.ts';
import { buyers, customers } from '../../platform/http/callers.ts';
import { createRouter } from '../../platform/http/router.ts';
import { answer, body, idOf, problems } from '../../platform/http/shapes.ts';
import { getEntry } from './get-entry.ts';
import { joinWaitingList } from './join-waiting-list.ts';
import { leaveWaitingList } from './leave-waiting-list.ts';
import { entryShape, joinExample, joinInput } from './schema.ts';

const tags = ['Waiting list'];

const join = createRoute({
  method: 'post',
  path: '/ticket-types/{id}/waiting-list',
  tags,
  summary: 'Get in line for a ticket type that is sold out',
  operationId: 'joinWaitingList',
  description:
    'What comes free is offered to those in line in the order they came. An offer is bought with POST /tickets/purchase.',
  'x-roles': buyers,
  request: { params: idOf('soldOutTypeId'), body: body(joinInput, joinExample) },
  responses: { 201: answer(entryShape, 'In line'), ...problems(400, 401, 403, 404, 409, 413, 415, 429) },
});
const get = createRoute({
  method: 'get',
  path: '/waiting-list/{id}',
  tags,
  summary: 'My place in line, and my offer',
  operationId: 'getWaitingListEntry',
  description: 'A buyer sees their own.',
  'x-roles': customers,
  request: { params: idOf('waitingListEntryId') },
  responses: { 200: answer(entryShape, 'The entry'), ...problems(400, 401, 404, 429) },
});
const leave = createRoute({
  method: 'delete',
  path: '/waiting-list/{id}',
  tags,
  summary: 'Leave the line, or decline an offer',
  operationId: 'leaveWaitingList',
  description: 'An offer that is declined goes to the next in line.',
  'x-roles': customers,
  request: { params: idOf('waitingListEntryId') },
  responses: { 200: answer(entryShape, 'The entry, ended'), ...problems(400, 401, 404, 409, 429) },
});

export function waitingRoutes(ctx: AppContext) {
  return createRouter()
    .openapi(join, async (c) => {
      const input = { ...c.req.valid('json'), ticketTypeId: c.req.valid('param').id };
      return c.json(await joinWaitingList(ctx, c.get('actor'), input), 201);
    })
    .openapi(get, async (c) => c.json(await getEntry(ctx, c.get('actor'), c.req.valid('param')), 200))
    .openapi(leave, async (c) =>
      c.json(await leaveWaitingList(ctx, c.get('actor'), c.req.valid('param')), 200),
    );
}
