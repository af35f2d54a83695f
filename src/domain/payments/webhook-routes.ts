import { createRoute, z } from '@hono/zod-openapi';
import type { AppContext } from '../../context.ts';
import type { StrangerLimit } from '../../platform/http/limit-strangers.ts';
import { decode, readLimited } from '../../platform/http/read-json.ts';
import { createRouter } from '../../platform/http/router.ts';
import { answer, problems } from '../../platform/http/shapes.ts';
import { createSaleLanes } from '../orders/sale-lanes.ts';
import { createSettleOrder } from '../orders/settle-order.ts';
import { receiveNotice } from './receive-notice.ts';

const MAX_BYTES = 256 * 1024;

const notice = createRoute({
  method: 'post',
  path: '/payments/webhook/{provider}',
  tags: ['Orders'],
  summary: 'Notices of the payment provider, signed by it',
  operationId: 'receivePaymentNotice',
  description:
    'For the payment provider, whose signature over the raw body is the proof: it cannot be tried by hand. A notice only makes us ask the provider again.',
  security: [],
  request: {
    params: z.object({ provider: z.enum(['test', 'stripe']).openapi({ param: { example: 'test' } }) }),
  },
  responses: {
    200: answer(
      z.object({ outcome: z.enum(['handled', 'known', 'ignored']) }).openapi('NoticeReceipt'),
      'Taken',
    ),
    ...problems(400, 401, 404, 413, 429, 503),
  },
});

/** The provider has no token of ours: its signature over the raw body is the proof. */
export function webhookRoutes(ctx: AppContext, strangers: Pick<StrangerLimit, 'prove'>) {
  const settleOrder = createSettleOrder(ctx, createSaleLanes(ctx));
  return createRouter().openapi(notice, async (c) => {
    const body = decode(await readLimited(c.req.raw, Number(c.req.header('content-length') ?? 0), MAX_BYTES));
    const { provider } = c.req.valid('param');
    const { headers } = c.req.raw;
    const receive = () => receiveNotice(ctx, settleOrder, { provider, body, headers });
    return c.json(await strangers.prove(c, receive), 200);
  });
}
