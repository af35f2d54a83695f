import { createRoute, z } from '@hono/zod-openapi';
import type { AppContext } from '../../context.ts';
import { customers } from '../../platform/http/callers.ts';
import { clientAddress } from '../../platform/http/client-address.ts';
import { exampleIds } from '../../platform/http/example-ids.ts';
import { createRouter } from '../../platform/http/router.ts';
import { answer, body, idempotencyHeader, problems } from '../../platform/http/shapes.ts';
import { getReservation } from './get-reservation.ts';
import { releaseHold } from './release-hold.ts';
import { createReserveTickets } from './reserve-tickets.ts';
import { holdCode, reservationShape, reserveExample, reserveInput } from './schema.ts';
import type { SoldOutGate } from './sold-out-gate.ts';

const tags = ['Reservations'];
const param = z.object({ id: holdCode.openapi({ param: { example: exampleIds.reservationId } }) });

const reserve = createRoute({
  method: 'post',
  path: '/tickets/reserve',
  tags,
  summary: 'Reserve places for 15 minutes, at the price of now',
  operationId: 'reserveTickets',
  description:
    'General admission only; seats are locked. Pay with POST /tickets/purchase and the reservationId before it expires.',
  'x-roles': customers,
  request: { headers: idempotencyHeader, body: body(reserveInput, reserveExample) },
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
  operationId: 'getReservation',
  description: 'A buyer sees their own. One that ran out is refused with the reason.',
  'x-roles': customers,
  request: { params: param },
  responses: { 200: answer(reservationShape, 'The reservation'), ...problems(400, 401, 404, 429) },
});
const cancel = createRoute({
  method: 'delete',
  path: '/tickets/reservation/{id}',
  tags,
  summary: 'Give a reservation up; its places are on sale again at once',
  operationId: 'cancelReservation',
  description: 'One that is being paid for cannot be given up: the payment decides.',
  'x-roles': customers,
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
      const call = {
        idempotencyKey: c.req.valid('header')['idempotency-key'],
        address: clientAddress(c, ctx.config.TRUSTED_PROXIES),
      };
      return c.json(await reserveTickets(c.get('actor'), c.req.valid('json'), call), 201);
    })
    .openapi(get, async (c) => c.json(await getReservation(ctx, c.get('actor'), c.req.valid('param')), 200))
    .openapi(cancel, async (c) => {
      const input = { code: c.req.valid('param').id };
      return c.json(await releaseHold(ctx, gate, c.get('actor'), input), 200);
    });
}
