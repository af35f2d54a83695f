import { createRoute, z } from '@hono/zod-openapi';
import type { AppContext } from '../../context.ts';
import { buyers, everybody } from '../../platform/http/callers.ts';
import { exampleIds } from '../../platform/http/example-ids.ts';
import { createRouter } from '../../platform/http/router.ts';
import { answer, body, problems, text, uuid } from '../../platform/http/shapes.ts';
import { challengeWallet } from './challenge-wallet.ts';
import { linkWallet } from './link-wallet.ts';
import { listWallets } from './list-wallets.ts';

const tags = ['Wallets'];
const walletShape = z
  .object({
    address: z.string(),
    custody: z.enum(['custodial', 'linked']),
    isPrimary: z.boolean(),
    verifiedAt: z.string(),
  })
  .openapi('Wallet');

const list = createRoute({
  method: 'get',
  path: '/wallets',
  tags,
  summary: 'My wallets',
  operationId: 'listWallets',
  description: 'The custodial one that we keep for a user, and those that they linked.',
  'x-roles': everybody,
  responses: { 200: answer(z.object({ items: z.array(walletShape) }), 'The wallets'), ...problems(401, 429) },
});
const challenge = createRoute({
  method: 'post',
  path: '/wallets/challenge',
  tags,
  summary: 'A text to sign with the wallet that is to be linked',
  operationId: 'challengeWallet',
  description: 'Good for ten minutes and for one link.',
  'x-roles': buyers,
  request: {
    body: body(z.strictObject({ address: text(44, 32) }).openapi('WalletChallengeInput'), {
      address: exampleIds.walletAddress,
    }),
  },
  responses: {
    201: answer(
      z.object({ challengeId: uuid, message: z.string(), expiresAt: z.string() }).openapi('WalletChallenge'),
      'Sign the message as it is, UTF-8',
    ),
    ...problems(400, 401, 403, 413, 415, 429),
  },
});
const link = createRoute({
  method: 'post',
  path: '/wallets',
  tags,
  summary: 'Link a wallet by its signature of the challenge; new tickets go there',
  operationId: 'linkWallet',
  description: 'The signature is that of the text from POST /wallets/challenge.',
  'x-roles': buyers,
  request: {
    body: body(
      z.strictObject({ challengeId: uuid, signature: z.base64().max(100) }).openapi('WalletLinkInput', {
        description: 'signature: Ed25519, 64 bytes in base64',
      }),
      { challengeId: exampleIds.challengeId, signature: exampleIds.signature },
    ),
  },
  responses: { 201: answer(walletShape, 'The wallet'), ...problems(400, 401, 403, 409, 413, 415, 422, 429) },
});

export function walletRoutes(ctx: AppContext) {
  return createRouter()
    .openapi(list, async (c) => c.json(await listWallets(ctx, c.get('actor')), 200))
    .openapi(challenge, async (c) =>
      c.json(await challengeWallet(ctx, c.get('actor'), c.req.valid('json')), 201),
    )
    .openapi(link, async (c) => c.json(await linkWallet(ctx, c.get('actor'), c.req.valid('json')), 201));
}
