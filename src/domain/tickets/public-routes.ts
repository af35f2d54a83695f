import { createRoute, z } from '@hono/zod-openapi';
import type { AppContext } from '../../context.ts';
import { exampleIds } from '../../platform/http/example-ids.ts';
import { createRouter } from '../../platform/http/router.ts';
import { answer, problems } from '../../platform/http/shapes.ts';
import { drawTicket } from './draw-ticket.ts';
import { findNft, toMetadata } from './show-nft.ts';

const mintParam = z.object({
  mint: z
    .string()
    .regex(/^[1-9A-HJ-NP-Za-km-z]{32,44}$/, 'must be a base58 address')
    .openapi({ param: { example: exampleIds.mint } }),
});

const metadataShape = z
  .object({
    name: z.string(),
    symbol: z.string(),
    description: z.string(),
    image: z.string(),
    attributes: z.array(z.object({ trait_type: z.string(), value: z.string() })),
    properties: z.object({
      category: z.string(),
      files: z.array(z.object({ uri: z.string(), type: z.string() })),
    }),
  })
  .openapi('NftMetadata');

const metadata = createRoute({
  method: 'get',
  path: '/nft/{mint}/metadata.json',
  tags: ['NFT'],
  summary: 'Public metadata of a ticket NFT, without personal data',
  operationId: 'getNftMetadata',
  description: 'What wallets and marketplaces show of the NFT. It follows what the organiser changes.',
  security: [],
  request: { params: mintParam },
  responses: { 200: answer(metadataShape, 'Metaplex token standard'), ...problems(400, 404, 429) },
});
const image = createRoute({
  method: 'get',
  path: '/nft/{mint}/image.svg',
  tags: ['NFT'],
  summary: 'The picture of a ticket NFT',
  operationId: 'getNftImage',
  description: 'Drawn from the event and the ticket type, without the name of the holder.',
  security: [],
  request: { params: mintParam },
  responses: {
    200: { description: 'SVG', content: { 'image/svg+xml': { schema: z.string() } } },
    ...problems(400, 404, 429),
  },
});

/** What anybody may ask without a token: wallets and marketplaces do. */
export function nftRoutes(ctx: AppContext) {
  return createRouter()
    .openapi(metadata, async (c) => {
      const nft = await findNft(ctx, c.req.valid('param').mint);
      c.header('Cache-Control', 'public, max-age=300');
      return c.json(toMetadata(nft, ctx.config.PUBLIC_URL), 200);
    })
    .openapi(image, async (c) => {
      const nft = await findNft(ctx, c.req.valid('param').mint);
      return c.body(drawTicket(nft), 200, {
        'content-type': 'image/svg+xml',
        'cache-control': 'public, max-age=300',
        'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'",
      });
    });
}
