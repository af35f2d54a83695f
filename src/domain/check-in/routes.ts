import { createRoute } from '@hono/zod-openapi';
import type { AppContext } from '../../context.ts';
import { doors } from '../../platform/http/callers.ts';
import { createRouter } from '../../platform/http/router.ts';
import { answer, body, problems } from '../../platform/http/shapes.ts';
import type { CodeKeyRing } from '../tickets/code-keys.ts';
import { scanExample, validateInput, verdictShape } from './schema.ts';
import { createValidateTicket } from './validate-ticket.ts';

const validate = createRoute({
  method: 'post',
  path: '/tickets/validate',
  tags: ['Check-in'],
  summary: 'Scan a code at a gate',
  operationId: 'validateTicket',
  description:
    '200 for every verdict, good or bad. Send the same nonce again after a time-out: nobody is counted twice.',
  'x-roles': doors,
  request: { body: body(validateInput, scanExample) },
  responses: {
    200: answer(verdictShape, 'The verdict, good or bad'),
    ...problems(400, 401, 403, 404, 413, 415, 429, 503),
  },
});

export function checkInRoutes(ctx: AppContext, keys: CodeKeyRing) {
  const validateTicket = createValidateTicket(ctx, keys);
  return createRouter().openapi(validate, async (c) => {
    return c.json(await validateTicket(c.get('actor'), c.req.valid('json')), 200);
  });
}
