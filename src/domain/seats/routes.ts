import { createRoute, z } from '@hono/zod-openapi';
import type { AppContext } from '../../context.ts';
import { customers, everybody, organisers } from '../../platform/http/callers.ts';
import { clientAddress } from '../../platform/http/client-address.ts';
import { exampleIds } from '../../platform/http/example-ids.ts';
import { CSV_TYPE } from '../../platform/http/read-json.ts';
import { checkBody, createRouter } from '../../platform/http/router.ts';
import { answer, body, idempotencyHeader, idOf, problems } from '../../platform/http/shapes.ts';
import { releaseHold } from '../inventory/release-hold.ts';
import { holdCode } from '../inventory/schema.ts';
import type { SoldOutGate } from '../inventory/sold-out-gate.ts';
import { getSeatMap } from './get-seat-map.ts';
import { createLockSeats } from './lock-seats.ts';
import { putSeatMap } from './put-seat-map.ts';
import { readSeatCsv } from './read-csv.ts';
import { lockInput, lockShape, seatMapInput, seatMapShape } from './schema.ts';

const tags = ['Seats'];
const mapExample: z.input<typeof seatMapInput> = {
  sections: [
    {
      name: 'Stalls',
      ticketTypeId: exampleIds.seatedTypeId,
      rows: [{ label: '1', seats: [{ number: '1' }, { number: '2' }, { number: '3', blocked: true }] }],
    },
  ],
};
const csvExample = `section,row,seat,ticketTypeId,blocked
Stalls,1,1,${exampleIds.seatedTypeId},
Stalls,1,2,${exampleIds.seatedTypeId},
Stalls,1,3,${exampleIds.seatedTypeId},true
`;

const put = createRoute({
  method: 'put',
  path: '/events/{id}/seat-map',
  tags,
  summary: 'Give an event its seats, as JSON or CSV',
  operationId: 'putSeatMap',
  description:
    'Replaces the map. Rows and seats stand in their order, the frontmost row first, neighbours adjacent. Seats that are held or sold must stay.',
  'x-roles': organisers,
  request: {
    params: idOf('seatedEventId'),
    body: {
      content: {
        'application/json': { schema: seatMapInput, example: mapExample },
        'text/csv': { schema: z.string(), example: csvExample },
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
  operationId: 'getSeatMap',
  description: 'The state is that of this moment: a lock decides by itself whether a seat is free.',
  'x-roles': everybody,
  request: { params: idOf('seatedEventId') },
  responses: { 200: answer(seatMapShape, 'The map'), ...problems(400, 401, 404, 429) },
});
const lock = createRoute({
  method: 'post',
  path: '/seats/lock',
  tags,
  summary: 'Lock seats for 5 minutes, all or none; or the best adjacent ones',
  operationId: 'lockSeats',
  description:
    'Named seats, or so many adjacent ones. Pay with POST /bookings and the lockId before it expires.',
  'x-roles': customers,
  request: {
    headers: idempotencyHeader,
    body: body(lockInput, { eventId: exampleIds.seatedEventId, seatIds: [exampleIds.seatId] }),
  },
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
  operationId: 'unlockSeats',
  description: 'A lock that is being paid for cannot be given up: the payment decides.',
  'x-roles': customers,
  request: { params: z.object({ id: holdCode.openapi({ param: { example: exampleIds.lockId } }) }) },
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
      const map = csv ? await readSeatCsv(await c.req.text()) : checkBody(seatMapInput, c.req.valid('json'));
      return c.json(await putSeatMap(ctx, c.get('actor'), { ...map, eventId }), 200);
    })
    .openapi(get, async (c) => {
      const { id: eventId } = c.req.valid('param');
      return c.json(await getSeatMap(ctx, c.get('actor'), { eventId }), 200);
    })
    .openapi(lock, async (c) => {
      const call = {
        idempotencyKey: c.req.valid('header')['idempotency-key'],
        address: clientAddress(c, ctx.config.TRUSTED_PROXIES),
      };
      return c.json(await lockSeats(c.get('actor'), c.req.valid('json'), call), 201);
    })
    .openapi(unlock, async (c) => {
      const input = { code: c.req.valid('param').id };
      return c.json(await releaseHold(ctx, gate, c.get('actor'), input), 200);
    });
}
