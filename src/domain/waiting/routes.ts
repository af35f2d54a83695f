import { createRoute } from '@hono/zod-openapi';
import type { AppContext } from '../../context.ts';
import { createRouter } from '../../platform/http/router.ts';
import { answer, body, idParam, problems } from '../../platform/http/shapes.ts';
import { getEntry } from './get-entry.ts';
import { joinWaitingList } from './join-waiting-list.ts';
import { leaveWaitingList } from './leave-waiting-list.ts';
import { entryShape, joinInput } from './schema.ts';

const tags = ['Waiting list'];

const join = createRoute({
  method: 'post',
  path: '/ticket-types/{id}/waiting-list',
  tags,
  summary: 'Get in line for a ticket type that is sold out',
  request: { params: idParam, body: body(joinInput) },
  responses: { 201: answer(entryShape, 'In line'), ...problems(400, 401, 403, 404, 409, 413, 415, 429) },
});
const get = createRoute({
  method: 'get',
  path: '/waiting-list/{id}',
  tags,
  summary: 'My place in line, and my offer',
  request: { params: idParam },
  responses: { 200: answer(entryShape, 'The entry'), ...problems(400, 401, 404, 429) },
});
const leave = createRoute({
  method: 'delete',
  path: '/waiting-list/{id}',
  tags,
  summary: 'Leave the line, or decline an offer',
  request: { params: idParam },
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
