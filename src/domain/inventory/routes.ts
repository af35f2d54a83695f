import { createRoute, z } from '@hono/zod-openapi';
import type { AppContext } from '../../context.ts';
import { createRouter } from '../../platform/http/router.ts';
import { answer, body, idempotencyHeader, problems } from '../../platform/http/shapes.ts';
import { getReservation } from './get-reservation.ts';
import { releaseHold } from './release-hold.ts';
import { createReserveTickets } from './reserve-tickets.ts';
import { holdCode, reservationShape, reserveInput } from './schema.ts';
import type { SoldOutGate } from './sold-out-gate.ts';

const tags = ['Reservations'];
const param = z.object({ id: holdCode });

const reserve = createRoute({
  method: 'post',
  path: '/tickets/reserve',
  tags,
  summary: 'Reserve places for 15 minutes, at the price of now',
  request: { headers: idempotencyHeader, body: body(reserveInput) },
  responses: {
    201: answer(reservationShape, 'Reserved'),
    ...problems(400, 401, 403, 404, 409, 413, 415, 422, 429, 503),
  },
});
const get = createRoute({
  method: 'get',
  path: '/tickets/reservation/{id}',
  tags,
  summary: 'A reservation that is still good',
  request: { params: param },
  responses: { 200: answer(reservationShape, 'The reservation'), ...problems(400, 401, 404, 429) },
});
const cancel = createRoute({
  method: 'delete',
  path: '/tickets/reservation/{id}',
  tags,
  summary: 'Give a reservation up; its places are on sale again at once',
  request: { params: param },
  responses: {
    200: answer(
      z.object({ id: z.string(), status: z.literal('released') }).openapi('ReleasedHold'),
      'Given up',
    ),
    ...problems(400, 401, 404, 409, 429),
  },
});

export function reservationRoutes(ctx: AppContext, gate: SoldOutGate) {
  const reserveTickets = createReserveTickets(ctx, gate);
  return createRouter()
    .openapi(reserve, async (c) => {
      const call = { idempotencyKey: c.req.valid('header')['idempotency-key'] };
      return c.json(await reserveTickets(c.get('actor'), c.req.valid('json'), call), 201);
    })
    .openapi(get, async (c) => c.json(await getReservation(ctx, c.get('actor'), c.req.valid('param')), 200))
    .openapi(cancel, async (c) => {
      const input = { code: c.req.valid('param').id };
      return c.json(await releaseHold(ctx, gate, c.get('actor'), input), 200);
    });
}
