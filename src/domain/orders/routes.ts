import { createRoute, z } from '@hono/zod-openapi';
import type { AppContext } from '../../context.ts';
import { customers } from '../../platform/http/callers.ts';
import { exampleIds } from '../../platform/http/example-ids.ts';
import { createRouter } from '../../platform/http/router.ts';
import { answer, problems, text } from '../../platform/http/shapes.ts';
import { getTransaction } from './get-transaction.ts';
import { transactionShape } from './schema.ts';

const get = createRoute({
  method: 'get',
  path: '/transactions/{transactionId}',
  tags: ['Orders'],
  summary: 'The record of a purchase with its status',
  operationId: 'getTransaction',
  description: 'By the TXN_… that the buyer quotes. A buyer sees their own.',
  'x-roles': customers,
  request: {
    params: z.object({
      transactionId: text(64, 1).openapi({ param: { example: exampleIds.transactionId } }),
    }),
  },
  responses: { 200: answer(transactionShape, 'The record'), ...problems(400, 401, 404, 429) },
});

export function orderRoutes(ctx: AppContext) {
  return createRouter().openapi(get, async (c) =>
    c.json(await getTransaction(ctx, c.get('actor'), c.req.valid('param')), 200),
  );
}
