import { createRoute, z } from '@hono/zod-openapi';
import type { AppContext } from '../../context.ts';
import { createRouter } from '../../platform/http/router.ts';
import { answer, body, idParam, pageOf, pageQuery, problems } from '../../platform/http/shapes.ts';
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
  request: { body: body(promoInput) },
  responses: { 201: answer(promoShape, 'The code'), ...problems(400, 401, 403, 404, 409, 413, 415, 429) },
});
const list = createRoute({
  method: 'get',
  path: '/promo-codes',
  tags,
  summary: 'The codes with how often they were used',
  request: { query: z.strictObject(pageQuery) },
  responses: { 200: answer(pageOf(promoShape), 'A page of codes'), ...problems(400, 401, 403, 429) },
});
const end = createRoute({
  method: 'delete',
  path: '/promo-codes/{id}',
  tags,
  summary: 'End a promotion code',
  request: { params: idParam },
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
