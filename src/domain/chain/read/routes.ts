import { createRoute, z } from '@hono/zod-openapi';
import type { AppContext } from '../../../context.ts';
import { customers } from '../../../platform/http/callers.ts';
import { createRouter } from '../../../platform/http/router.ts';
import { answer, idOf, problems, uuid } from '../../../platform/http/shapes.ts';
import { syncStatuses } from '../../tickets/schema.ts';
import { showChain } from './show-chain.ts';

const nullable = z.string().nullable();
const chainShape = z
  .object({
    ticketId: uuid,
    programId: z.string(),
    account: nullable,
    mint: nullable,
    owner: nullable,
    slot: z.int().nullable(),
    version: z.int().nullable(),
    syncStatus: z.enum(syncStatuses),
    transactions: z.array(
      z.object({
        purpose: z.string(),
        signature: z.string(),
        status: z.string(),
        attempt: z.int(),
        confirmationCount: z.int(),
        slot: z.int().nullable(),
        submittedAt: nullable,
        confirmedAt: nullable,
        finalizedAt: nullable,
        errorCode: nullable,
      }),
    ),
    log: z.array(
      z.object({
        kind: z.string(),
        signature: z.string(),
        slot: z.int(),
        from: nullable,
        to: nullable,
        version: z.int().nullable(),
        commitment: z.string(),
        outcome: z.string(),
        recordedAt: z.string(),
      }),
    ),
  })
  .openapi('TicketOnChain');

const chain = createRoute({
  method: 'get',
  path: '/tickets/{id}/chain',
  tags: ['Tickets'],
  summary: 'Mint, owner, transactions and the log of what the chain said',
  operationId: 'getTicketOnChain',
  description:
    'The copy that we keep of the chain, with the log that it was made from. A holder sees that of their own.',
  'x-roles': customers,
  request: { params: idOf('ticketId') },
  responses: { 200: answer(chainShape, 'The ticket on the chain'), ...problems(400, 401, 404, 429) },
});

export function chainRoutes(ctx: AppContext) {
  return createRouter().openapi(chain, async (c) =>
    c.json(await showChain(ctx, c.get('actor'), c.req.valid('param')), 200),
  );
}
