import { createRoute, z } from '@hono/zod-openapi';
import type { AppContext } from '../../context.ts';
import { organisers, staff } from '../../platform/http/callers.ts';
import { exampleIds } from '../../platform/http/example-ids.ts';
import { createRouter } from '../../platform/http/router.ts';
import { answer, body, idOf, pageOf, pageQuery, problems } from '../../platform/http/shapes.ts';
import { createPromoCode } from './create-promo-code.ts';
import { endPromoCode } from './end-promo-code.ts';
import { listPromoCodes } from './list-promo-codes.ts';
import { promoInput, promoShape } from './schema.ts';

const tags = ['Promotion codes'];

const create = createRoute({
  method: 'post',
  path: '/promo-codes',
  tags,
  summary: 'Make a promotion code',
  operationId: 'createPromoCode',
  description: 'Per cent of the price, or an amount in one currency; for one event or for all.',
  'x-roles': organisers,
  request: { body: body(promoInput, { code: 'SUMMER-10', percent: 10, eventId: exampleIds.eventId }) },
  responses: { 201: answer(promoShape, 'The code'), ...problems(400, 401, 403, 404, 409, 413, 415, 429) },
});
const list = createRoute({
  method: 'get',
  path: '/promo-codes',
  tags,
  summary: 'The codes with how often they were used',
  operationId: 'listPromoCodes',
  description: 'In pages, those that have ended too.',
  'x-roles': staff,
  request: { query: z.strictObject(pageQuery) },
  responses: { 200: answer(pageOf(promoShape), 'A page of codes'), ...problems(400, 401, 403, 429) },
});
const end = createRoute({
  method: 'delete',
  path: '/promo-codes/{id}',
  tags,
  summary: 'End a promotion code',
  operationId: 'endPromoCode',
  description: 'Nobody can use it from now on; orders that did keep their discount.',
  'x-roles': organisers,
  request: { params: idOf('promoCodeId') },
  responses: { 200: answer(promoShape, 'The code, ended'), ...problems(400, 401, 403, 404, 429) },
});

export function promoRoutes(ctx: AppContext) {
  return createRouter()
    .openapi(create, async (c) =>
      c.json(await createPromoCode(ctx, c.get('actor'), c.req.valid('json')), 201),
    )
    .openapi(list, async (c) => c.json(await listPromoCodes(ctx, c.get('actor'), c.req.valid('query')), 200))
    .openapi(end, async (c) => c.json(await endPromoCode(ctx, c.get('actor'), c.req.valid('param')), 200));
}
