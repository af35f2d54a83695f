import { createRoute } from '@hono/zod-openapi';
import type { AppContext } from '../../context.ts';
import { createRouter } from '../../platform/http/router.ts';
import { answer, body, idempotencyHeader, idParam, problems } from '../../platform/http/shapes.ts';
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
  request: { params: idParam, headers: idempotencyHeader, body: body(transferInput) },
  responses: { 202: answer(transferShape, 'Under way'), ...problems(400, 401, 404, 409, 413, 415, 422, 429) },
});
const get = createRoute({
  method: 'get',
  path: '/transfers/{id}',
  tags,
  summary: 'How a transfer stands',
  request: { params: idParam },
  responses: { 200: answer(transferShape, 'The transfer'), ...problems(400, 401, 404, 429) },
});
const accept = createRoute({
  method: 'post',
  path: '/transfers/{id}/accept',
  tags,
  summary: 'Accept an offered ticket',
  request: { params: idParam, headers: idempotencyHeader },
  responses: { 200: answer(transferShape, 'Under way'), ...problems(400, 401, 404, 409, 422, 429) },
});
const cancel = createRoute({
  method: 'post',
  path: '/transfers/{id}/cancel',
  tags,
  summary: 'Take an offer back',
  request: { params: idParam, headers: idempotencyHeader },
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
