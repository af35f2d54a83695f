import { createRoute, z } from '@hono/zod-openapi';
import QRCode from 'qrcode';
import type { AppContext } from '../../context.ts';
import { customers, everybody, staff } from '../../platform/http/callers.ts';
import { createRouter } from '../../platform/http/router.ts';
import { answer, body, idempotencyHeader, idOf, pageOf, problems } from '../../platform/http/shapes.ts';
import type { CodeKeyRing } from './code-keys.ts';
import { getTicketDetail } from './get-ticket.ts';
import { listTickets } from './list-tickets.ts';
import { makeCode } from './make-code.ts';
import { readHistory } from './read-history.ts';
import { revokeTicket } from './revoke-ticket.ts';
import * as shapes from './schema.ts';

const tags = ['Tickets'];

const list = createRoute({
  method: 'get',
  path: '/tickets',
  tags,
  summary: 'Tickets: a buyer sees their own, staff all of the tenant',
  operationId: 'listTickets',
  description: 'The oldest first, in pages, filtered by event, user and status.',
  'x-roles': everybody,
  request: { query: shapes.ticketFilter },
  responses: {
    200: answer(pageOf(shapes.ticketShape), 'A page of tickets'),
    ...problems(400, 401, 403, 429),
  },
});
const get = createRoute({
  method: 'get',
  path: '/tickets/{id}',
  tags,
  summary: 'A ticket with the state of its copy of the chain',
  operationId: 'getTicket',
  description: 'A holder sees their own.',
  'x-roles': customers,
  request: { params: idOf('ticketId') },
  responses: { 200: answer(shapes.ticketDetailShape, 'The ticket'), ...problems(400, 401, 404, 429) },
});
const history = createRoute({
  method: 'get',
  path: '/tickets/{id}/history',
  tags,
  summary: 'Every step of a ticket',
  operationId: 'getTicketHistory',
  description: 'From the sale on: who did what, when, and why. A holder sees that of their own.',
  'x-roles': customers,
  request: { params: idOf('ticketId') },
  responses: { 200: answer(shapes.historyShape, 'The steps, oldest first'), ...problems(400, 401, 404, 429) },
});
const code = createRoute({
  method: 'get',
  path: '/tickets/{id}/qr',
  tags,
  summary: 'The current code, for the holder alone; JSON, text, SVG or PNG by the Accept header',
  operationId: 'getTicketCode',
  description:
    'To everybody but the holder there is no such ticket. A code dies when the ticket changes hands or ends.',
  'x-roles': customers,
  request: { params: idOf('ticketId') },
  responses: {
    200: {
      description: 'The code',
      content: {
        'application/json': { schema: shapes.codeShape },
        'text/plain': { schema: z.string() },
        'image/svg+xml': { schema: z.string() },
        'image/png': { schema: z.string().openapi({ format: 'binary' }) },
      },
    },
    ...problems(400, 401, 404, 409, 429),
  },
});
const revoke = createRoute({
  method: 'post',
  path: '/tickets/{id}/revoke',
  tags,
  summary: 'Revoke a ticket: dead at the gates at once, on chain soon after',
  operationId: 'revokeTicket',
  description:
    'Nothing is paid back and the place stays taken. To pay a ticket back and put its place on sale again, call POST /api/orders/{id}/refund with ticketIds; to call a whole order off, DELETE /api/bookings/{id}.',
  'x-roles': staff,
  request: {
    params: idOf('ticketId'),
    headers: idempotencyHeader,
    body: body(shapes.revokeInput, { reason: 'fraud', note: 'Paid with a stolen card' }),
  },
  responses: {
    200: answer(shapes.ticketShape, 'The ticket'),
    ...problems(400, 401, 403, 404, 409, 413, 415, 422, 429),
  },
});

export function ticketRoutes(ctx: AppContext, keys: CodeKeyRing) {
  return createRouter()
    .openapi(list, async (c) => c.json(await listTickets(ctx, c.get('actor'), c.req.valid('query')), 200))
    .openapi(get, async (c) => c.json(await getTicketDetail(ctx, c.get('actor'), c.req.valid('param')), 200))
    .openapi(history, async (c) => c.json(await readHistory(ctx, c.get('actor'), c.req.valid('param')), 200))
    .openapi(code, async (c) => {
      const made = await makeCode(ctx, keys, c.get('actor'), c.req.valid('param'));
      c.header('Cache-Control', 'no-store');
      const accept = c.req.header('accept') ?? '';
      if (accept.includes('image/svg+xml')) {
        const svg = await QRCode.toString(made.code, { type: 'svg', errorCorrectionLevel: 'M', margin: 2 });
        return c.body(svg, 200, { 'content-type': 'image/svg+xml' });
      }
      if (accept.includes('image/png')) {
        const png = await QRCode.toBuffer(made.code, { errorCorrectionLevel: 'M', margin: 2, scale: 6 });
        return c.body(new Uint8Array(png), 200, { 'content-type': 'image/png' });
      }
      if (accept.includes('text/plain')) return c.text(made.code, 200);
      return c.json(made, 200);
    })
    .openapi(revoke, async (c) => {
      const call = {
        idempotencyKey: c.req.valid('header')['idempotency-key'],
        requestId: c.get('requestId'),
      };
      const input = { ...c.req.valid('json'), ...c.req.valid('param') };
      return c.json(await revokeTicket(ctx, c.get('actor'), input, call), 200);
    });
}
