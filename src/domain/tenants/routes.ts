import { createRoute, z } from '@hono/zod-openapi';
import type { AppContext } from '../../context.ts';
import { roles, TRANSFER_FOR_OTHERS } from '../../platform/actor.ts';
import { admins } from '../../platform/http/callers.ts';
import { createRouter } from '../../platform/http/router.ts';
import {
  answer,
  body,
  idOf,
  instant,
  pageOf,
  pageQuery,
  problems,
  text,
  uuid,
} from '../../platform/http/shapes.ts';
import { createApiKey } from './create-api-key.ts';
import { listApiKeys } from './list-api-keys.ts';
import { revokeApiKey } from './revoke-api-key.ts';

const tags = ['Administration'];
const role = z.enum(roles);
const scope = z.enum(['on_behalf_of', TRANSFER_FOR_OTHERS]);

const keyInput = z
  .strictObject({
    name: text(200, 1),
    role,
    scopes: z.array(scope).max(10).default([]),
    expiresAt: instant.optional(),
  })
  .openapi('ApiKeyInput');
const keyShape = z
  .object({ id: uuid, name: z.string(), role, scopes: z.array(z.string()), key: z.string() })
  .openapi('NewApiKey', { description: 'key is shown this once' });
const listedShape = z
  .object({
    id: uuid,
    name: z.string(),
    role: z.string(),
    scopes: z.array(z.string()),
    createdAt: z.string(),
    expiresAt: z.string().nullable(),
  })
  .openapi('ApiKey');

const create = createRoute({
  method: 'post',
  path: '/api-keys',
  tags,
  summary: 'Make an API key',
  operationId: 'createApiKey',
  description:
    'A key has one role. With the scope on_behalf_of it may act for any buyer who is named in On-Behalf-Of; with transfer_for_others, and a role of staff, it may transfer tickets of others.',
  'x-roles': admins,
  request: { body: body(keyInput, { name: 'Box office', role: 'support' }) },
  responses: { 201: answer(keyShape, 'The key, shown this once'), ...problems(400, 401, 403, 413, 415, 429) },
});
const list = createRoute({
  method: 'get',
  path: '/api-keys',
  tags,
  summary: 'The keys in force',
  operationId: 'listApiKeys',
  description: 'In pages, the secrets left out.',
  'x-roles': admins,
  request: { query: z.strictObject(pageQuery) },
  responses: {
    200: answer(pageOf(listedShape), 'A page of keys, without secrets'),
    ...problems(400, 401, 403, 429),
  },
});
const revoke = createRoute({
  method: 'delete',
  path: '/api-keys/{id}',
  tags,
  summary: 'Revoke a key; dead everywhere within half a minute',
  operationId: 'revokeApiKey',
  description: 'For good: a key cannot be put in force again.',
  'x-roles': admins,
  request: { params: idOf('apiKeyId') },
  responses: { 204: { description: 'Revoked' }, ...problems(400, 401, 403, 404, 429) },
});

export function tenantRoutes(ctx: AppContext) {
  return createRouter()
    .openapi(create, async (c) => c.json(await createApiKey(ctx, c.get('actor'), c.req.valid('json')), 201))
    .openapi(list, async (c) => c.json(await listApiKeys(ctx, c.get('actor'), c.req.valid('query')), 200))
    .openapi(revoke, async (c) => {
      await revokeApiKey(ctx, c.get('actor'), c.req.valid('param'));
      return c.body(null, 204);
    });
}
