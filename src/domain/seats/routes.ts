import { createRoute, z } from '@hono/zod-openapi';
import type { AppContext } from '../../context.ts';
import { CSV_TYPE } from '../../platform/http/read-json.ts';
import { checkBody, createRouter } from '../../platform/http/router.ts';
import { answer, body, idempotencyHeader, idParam, problems } from '../../platform/http/shapes.ts';
import { releaseHold } from '../inventory/release-hold.ts';
import { holdCode } from '../inventory/schema.ts';
import type { SoldOutGate } from '../inventory/sold-out-gate.ts';
import { getSeatMap } from './get-seat-map.ts';
import { createLockSeats } from './lock-seats.ts';
import { putSeatMap } from './put-seat-map.ts';
import { readSeatCsv } from './read-csv.ts';
import { lockInput, lockShape, seatMapInput, seatMapShape } from './schema.ts';

const tags = ['Seats'];

const put = createRoute({
  method: 'put',
  path: '/events/{id}/seat-map',
  tags,
  summary: 'Give an event its seats, as JSON or CSV',
  request: {
    params: idParam,
    body: {
      content: {
        'application/json': { schema: seatMapInput },
        'text/csv': { schema: z.string().openapi({ examples: ['section,row,seat,ticketTypeId,blocked'] }) },
      },
      // Were it required, every body would have to pass for JSON.
      required: false,
    },
  },
  responses: { 200: answer(seatMapShape, 'The map'), ...problems(400, 401, 403, 404, 409, 413, 415, 429) },
});
const get = createRoute({
  method: 'get',
  path: '/events/{id}/seat-map',
  tags,
  summary: 'Sections, rows and seats with the state of each',
  request: { params: idParam },
  responses: { 200: answer(seatMapShape, 'The map'), ...problems(400, 401, 404, 429) },
});
const lock = createRoute({
  method: 'post',
  path: '/seats/lock',
  tags,
  summary: 'Lock seats for 5 minutes, all or none; or the best adjacent ones',
  request: { headers: idempotencyHeader, body: body(lockInput) },
  responses: {
    201: answer(lockShape, 'Locked'),
    ...problems(400, 401, 403, 404, 409, 413, 415, 422, 429, 503),
  },
});
const unlock = createRoute({
  method: 'delete',
  path: '/seats/lock/{id}',
  tags,
  summary: 'Give a lock up; its seats are free at once',
  request: { params: z.object({ id: holdCode }) },
  responses: {
    200: answer(
      z.object({ id: z.string(), status: z.literal('released') }).openapi('ReleasedHold'),
      'Given up',
    ),
    ...problems(400, 401, 404, 409, 429),
  },
});

export function seatRoutes(ctx: AppContext, gate: SoldOutGate) {
  const lockSeats = createLockSeats(ctx);
  return createRouter()
    .openapi(put, async (c) => {
      const { id: eventId } = c.req.valid('param');
      const csv = CSV_TYPE.test(c.req.header('content-type') ?? '');
      const map = csv ? readSeatCsv(await c.req.text()) : checkBody(seatMapInput, c.req.valid('json'));
      return c.json(await putSeatMap(ctx, c.get('actor'), { ...map, eventId }), 200);
    })
    .openapi(get, async (c) => {
      const { id: eventId } = c.req.valid('param');
      return c.json(await getSeatMap(ctx, c.get('actor'), { eventId }), 200);
    })
    .openapi(lock, async (c) => {
      const call = { idempotencyKey: c.req.valid('header')['idempotency-key'] };
      return c.json(await lockSeats(c.get('actor'), c.req.valid('json'), call), 201);
    })
    .openapi(unlock, async (c) => {
      const input = { code: c.req.valid('param').id };
      return c.json(await releaseHold(ctx, gate, c.get('actor'), input), 200);
    });
}
