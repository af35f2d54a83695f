import { createRoute } from '@hono/zod-openapi';
import type { AppContext } from '../../context.ts';
import { customers, givers } from '../../platform/http/callers.ts';
import { createRouter } from '../../platform/http/router.ts';
import { answer, body, idempotencyHeader, idOf, problems } from '../../platform/http/shapes.ts';
import { answerOffer } from './answer-offer.ts';
import { getTransfer } from './get-transfer.ts';
import { transferInput, transferShape } from './schema.ts';
import { transferTicket } from './transfer-ticket.ts';

const tags = ['Transfers'];

const transfer = createRoute({
  method: 'post',
  path: '/tickets/{id}/transfer',
  tags,
  summary: 'Give a ticket to another user or wallet, on chain first',
  operationId: 'transferTicket',
  description:
    '202: ask GET /transfers/{id} how it stands. The ticket has its new owner when the chain says so. For a ticket of somebody else it takes the role admin, or staff with the scope transfer_for_others, and a reason; the holder is told.',
  'x-roles': givers,
  'x-roles-with-scope': ['organiser', 'support'],
  request: {
    params: idOf('ticketId'),
    headers: idempotencyHeader,
    body: body(transferInput, { toUserId: 'bob' }),
  },
  responses: {
    202: answer(transferShape, 'Under way'),
    ...problems(400, 401, 403, 404, 409, 413, 415, 422, 429),
  },
});
const get = createRoute({
  method: 'get',
  path: '/transfers/{id}',
  tags,
  summary: 'How a transfer stands',
  operationId: 'getTransfer',
  description: 'Who gives, who receives and staff see it. Where it failed, failureCode says why.',
  'x-roles': customers,
  request: { params: idOf('transferId') },
  responses: { 200: answer(transferShape, 'The transfer'), ...problems(400, 401, 404, 429) },
});
const accept = createRoute({
  method: 'post',
  path: '/transfers/{id}/accept',
  tags,
  summary: 'Accept an offered ticket',
  operationId: 'acceptTransfer',
  description: 'For the user to whom the ticket was offered.',
  'x-roles': customers,
  request: { params: idOf('transferId'), headers: idempotencyHeader },
  responses: { 200: answer(transferShape, 'Under way'), ...problems(400, 401, 404, 409, 422, 429) },
});
const cancel = createRoute({
  method: 'post',
  path: '/transfers/{id}/cancel',
  tags,
  summary: 'Take an offer back',
  operationId: 'cancelTransfer',
  description: 'For the user who offered it, until it is accepted.',
  'x-roles': customers,
  request: { params: idOf('transferId'), headers: idempotencyHeader },
  responses: { 200: answer(transferShape, 'Cancelled'), ...problems(400, 401, 404, 409, 422, 429) },
});

export function transferRoutes(ctx: AppContext) {
  return createRouter()
    .openapi(transfer, async (c) => {
      const call = {
        idempotencyKey: c.req.valid('header')['idempotency-key'],
        requestId: c.get('requestId'),
      };
      const input = { ...c.req.valid('json'), ticketId: c.req.valid('param').id };
      return c.json(await transferTicket(ctx, c.get('actor'), input, call), 202);
    })
    .openapi(get, async (c) => c.json(await getTransfer(ctx, c.get('actor'), c.req.valid('param')), 200))
    .openapi(accept, async (c) => {
      const call = {
        idempotencyKey: c.req.valid('header')['idempotency-key'],
        requestId: c.get('requestId'),
      };
      const input = { ...c.req.valid('param'), answer: 'accept' as const };
      return c.json(await answerOffer(ctx, c.get('actor'), input, call), 200);
    })
    .openapi(cancel, async (c) => {
      const call = {
        idempotencyKey: c.req.valid('header')['idempotency-key'],
        requestId: c.get('requestId'),
      };
      const input = { ...c.req.valid('param'), answer: 'cancel' as const };
      return c.json(await answerOffer(ctx, c.get('actor'), input, call), 200);
    });
}
