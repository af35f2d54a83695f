import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type App, createApp } from '../../src/api/app.ts';
import {
  clientOf,
  createTestContext,
  createTestTenant,
  type TestContext,
  type TestTenant,
  testConfig,
} from '../support/test-context.ts';
import { clientFor, openWorld, operation, operations, request } from './support/operations.ts';

type Json = { [member: string]: Json } | Json[] | string | number | boolean | null;
type JsonObject = { [member: string]: Json };
type Described = {
  summary: string;
  tags: string[];
  operationId?: string;
  security?: JsonObject[];
  parameters?: { name: string; in: string; required?: boolean; schema: JsonObject }[];
  requestBody?: { required?: boolean; content: Record<string, { schema: JsonObject }> };
  responses: Record<string, { description: string; content?: Record<string, { schema: JsonObject }> }>;
};
type Document = {
  openapi: string;
  info: { title: string; version: string };
  servers: { url: string }[];
  security: JsonObject[];
  paths: Record<string, Record<string, Described>>;
  components: { schemas: Record<string, JsonObject>; securitySchemes: Record<string, JsonObject> };
};

let ctx: TestContext;
let app: App;
let tenant: TestTenant;
let document: Document;
let described: Map<string, Described>;

beforeAll(async () => {
  ctx = await createTestContext();
  app = createApp(ctx);
  tenant = await createTestTenant(ctx, app);
  const response = await app.request('/openapi.json');
  expect(response.headers.get('content-type')).toContain('application/json');
  document = (await response.json()) as Document;
  described = new Map(
    Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, one]) => [`${method.toUpperCase()} ${path}`, one] as const),
    ),
  );
});
afterAll(() => ctx.close());

/** Every object inside, with the path to it. */
function* walk(value: Json, path = '#'): Generator<[string, JsonObject]> {
  if (value === null || typeof value !== 'object') return;
  if (!Array.isArray(value)) yield [path, value];
  for (const [name, member] of Object.entries(value)) yield* walk(member, `${path}/${name}`);
}

function resolve(ref: string): Json | undefined {
  let found: Json | undefined = document as unknown as Json;
  for (const part of ref.slice(2).split('/')) found = (found as JsonObject | undefined)?.[part];
  return found;
}

/** A schema with what it refers to in its place. */
function inline(schema: Json): Json {
  if (Array.isArray(schema)) return schema.map(inline);
  if (schema === null || typeof schema !== 'object') return schema;
  if (typeof schema.$ref === 'string') return inline(resolve(schema.$ref) ?? {});
  return Object.fromEntries(Object.entries(schema).map(([name, member]) => [name, inline(member)]));
}

const TYPES = ['object', 'array', 'string', 'number', 'integer', 'boolean', 'null'];
/** What JSON Schema 2020-12 and OpenAPI 3.1 know, as far as we use it. `nullable`, for one, is of 3.0. */
const KEYWORDS = new Set(
  'type properties required additionalProperties items enum const format pattern minLength maxLength minimum maximum exclusiveMinimum exclusiveMaximum maxItems minItems default description examples anyOf oneOf allOf propertyNames contentEncoding $ref'.split(
    ' ',
  ),
);

function* schemas(): Generator<[string, JsonObject]> {
  const roots: [string, Json][] = Object.entries(document.components.schemas);
  for (const [name, one] of described) {
    for (const parameter of one.parameters ?? []) roots.push([`${name} ${parameter.name}`, parameter.schema]);
    for (const { schema } of Object.values(one.requestBody?.content ?? {})) roots.push([name, schema]);
    for (const [status, { content = {} }] of Object.entries(one.responses)) {
      for (const { schema } of Object.values(content)) roots.push([`${name} ${status}`, schema]);
    }
  }
  for (const [name, root] of roots) yield* schemasIn(root as JsonObject, name);
}

function* schemasIn(schema: JsonObject, path: string): Generator<[string, JsonObject]> {
  yield [path, schema];
  const { properties, items, additionalProperties, propertyNames } = schema;
  for (const [name, one] of Object.entries((properties ?? {}) as Record<string, JsonObject>)) {
    yield* schemasIn(one, `${path}/${name}`);
  }
  for (const one of [items, additionalProperties, propertyNames]) {
    if (one && typeof one === 'object') yield* schemasIn(one as JsonObject, `${path}/*`);
  }
  for (const kind of ['anyOf', 'oneOf', 'allOf']) {
    for (const one of (schema[kind] ?? []) as JsonObject[]) yield* schemasIn(one, `${path}/${kind}`);
  }
}

describe('the document', () => {
  it('is one of OpenAPI 3.1 and says where the service is', () => {
    expect(document).toMatchObject({
      openapi: '3.1.0',
      info: { title: 'Tessera', version: expect.stringMatching(/^\d+\.\d+\.\d+$/) },
      servers: [{ url: ctx.config.PUBLIC_URL }],
    });
    const known = ['openapi', 'info', 'servers', 'security', 'paths', 'components', 'webhooks', 'tags'];
    for (const member of Object.keys(document).filter((name) => !name.startsWith('x-'))) {
      expect(known).toContain(member);
    }
  });

  it('refers to nothing that it does not hold', () => {
    const refs = [...walk(document as unknown as Json)].flatMap(([path, { $ref }]) =>
      $ref === undefined ? [] : [[path, String($ref)] as const],
    );
    expect(refs.length).toBeGreaterThan(100);
    for (const [path, ref] of refs) expect([path, ref, typeof resolve(ref)]).toEqual([path, ref, 'object']);
  });

  it('names security schemes that exist', () => {
    for (const requirement of [
      ...document.security,
      ...[...described.values()].flatMap((one) => one.security ?? []),
    ]) {
      for (const name of Object.keys(requirement)) {
        expect(document.components.securitySchemes[name]).toMatchObject({ type: 'http', scheme: 'bearer' });
      }
    }
  });

  it('holds schemas of JSON Schema 2020-12 only', () => {
    for (const [path, schema] of schemas()) {
      for (const keyword of Object.keys(schema))
        expect([path, keyword, KEYWORDS.has(keyword)]).toEqual([path, keyword, true]);
      for (const type of [schema.type ?? []].flat())
        expect([path, TYPES.includes(String(type))]).toEqual([path, true]);
      const names = Object.keys((schema.properties as JsonObject | undefined) ?? {});
      for (const name of (schema.required ?? []) as string[]) expect(names, path).toContain(name);
      if (schema.enum) expect((schema.enum as Json[]).length, path).toBeGreaterThan(0);
      if (schema.pattern) expect(() => new RegExp(String(schema.pattern), 'u'), path).not.toThrow();
    }
  });

  it('closes every request: what it does not name is refused', () => {
    for (const [name, { requestBody }] of described) {
      if (!requestBody) continue;
      const [json, ...others] = Object.keys(requestBody.content);
      expect(json).toBe('application/json');
      // A body that must pass for JSON could not be anything else.
      expect(requestBody.required, name).toBe(others.every((type) => type.endsWith('json')));
      const body = inline(requestBody.content['application/json']?.schema ?? {}) as JsonObject;
      for (const [path, schema] of schemasIn(body, name)) {
        if (schema.type === 'object') expect([path, schema.additionalProperties]).toEqual([path, false]);
      }
    }
  });

  it('bounds every text that comes in', () => {
    for (const [name, { requestBody, parameters = [] }] of described) {
      const body = inline(requestBody?.content['application/json']?.schema ?? {}) as JsonObject;
      const roots: [string, JsonObject][] = [[name, body]];
      for (const parameter of parameters) roots.push([`${name} ${parameter.name}`, parameter.schema]);
      for (const [path, schema] of roots.flatMap(([start, root]) => [...schemasIn(root, start)])) {
        if (schema.type !== 'string') continue;
        const bounded = ['maxLength', 'enum', 'const', 'pattern'].some((keyword) => keyword in schema);
        expect([path, bounded || ['uuid', 'date-time'].includes(String(schema.format))]).toEqual([
          path,
          true,
        ]);
      }
    }
  });
});

describe('every operation', () => {
  it('has a summary of its own, a tag, and answers with descriptions', () => {
    const summaries = [...described.values()].map(({ summary }) => summary);
    expect(new Set(summaries).size).toBe(summaries.length);
    for (const [name, { summary, tags, responses }] of described) {
      expect([name, summary, tags]).toEqual([name, expect.stringMatching(/^\S.{5,}/), [expect.any(String)]]);
      const statuses = Object.keys(responses);
      expect(statuses.filter((status) => status.startsWith('2')).length, name).toBeGreaterThan(0);
      for (const status of statuses) {
        expect([name, status, responses[status]?.description]).toEqual([
          name,
          status,
          expect.stringMatching(/\S/),
        ]);
      }
    }
    const ids = [...described.values()].flatMap(({ operationId }) => operationId ?? []);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('declares each parameter of its path, once', () => {
    for (const [name, { parameters = [] }] of described) {
      const templated = [...name.matchAll(/\{(\w+)\}/g)].map(([, parameter]) => parameter);
      const declared = parameters.filter((parameter) => parameter.in === 'path');
      expect(declared.map((parameter) => parameter.name).toSorted(), name).toEqual(templated.toSorted());
      for (const parameter of declared) expect(parameter.required, name).toBe(true);
      const all = parameters.map((parameter) => `${parameter.in} ${parameter.name}`);
      expect(new Set(all).size, name).toBe(all.length);
    }
  });

  it.each(Object.keys(operations))('names the refusals that it has: %s', (name) => {
    const one = described.get(name);
    const { answers, foreign, changed } = operation(name);
    const guarded = one?.security === undefined || one.security.length > 0;
    const wanted = [
      ...(guarded ? [401, 429] : []),
      ...(one?.parameters || one?.requestBody ? [400] : []),
      ...(one?.requestBody ? [413, 415] : []),
      ...(changed ? [409, 422] : []),
      ...(foreign === 'none' ? [] : [foreign]),
      ...Object.values(answers).filter((status) => status >= 400),
    ].map(String);
    expect(Object.keys(one?.responses ?? {})).toEqual(expect.arrayContaining(wanted));
    for (const [status, response] of Object.entries(one?.responses ?? {})) {
      if (Number(status) < 400 || name === 'GET /health/ready') continue;
      expect(Object.keys(response.content ?? {})).toEqual(['application/problem+json']);
    }
  });

  it.each(Object.keys(operations))('answers what its schema says: %s', async (name) => {
    const world = await openWorld(ctx, tenant);
    const client = clientFor(tenant, name, clientOf(app));
    const answer = await request(client, name, world, { key: randomUUID() });
    const documented = described.get(name)?.responses[answer.status];
    expect(Object.keys(described.get(name)?.responses ?? {})).toContain(String(answer.status));
    const type = (answer.headers.get('content-type') ?? '').split(';')[0] ?? '';
    if (!documented?.content) return expect(answer.body).toBe('');
    expect(Object.keys(documented.content)).toContain(type);
    if (!type.includes('json')) return;
    // Closed, so that an answer shows nothing that is not in the document.
    const schema = closed(inline(documented.content[type]?.schema ?? {}));
    const parsed = z.fromJSONSchema(schema as z.core.JSONSchema.JSONSchema).safeParse(answer.body);
    expect(parsed.error?.issues ?? []).toEqual([]);
  });

  it('that a problem answers, answers what the schema of problems says', async () => {
    const schema = z.fromJSONSchema(
      inline({ $ref: '#/components/schemas/Problem' }) as z.core.JSONSchema.JSONSchema,
    );
    for (const path of ['/events?limit=0', '/events/x', `/events/${randomUUID()}`, '/nothing']) {
      expect(schema.safeParse((await tenant.alice.get(path)).body).success).toBe(true);
    }
  });

  it('that the app has is in the document, but for the pages that show it, and a bank that is not ours', () => {
    const routes = app.routes.filter(({ method }) => method !== 'ALL');
    const names = routes.map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, '{$1}')}`);
    const redirected = /\w\/$/;
    const undocumented = [...new Set(names)].filter((name) => !described.has(name) && !redirected.test(name));
    const bank = '/api/payments/test/{tenant}/{reference}/{proof}';
    expect(undocumented.toSorted()).toEqual([
      'GET /',
      `GET ${bank}`,
      'GET /docs',
      'GET /docs/start.js',
      'GET /docs/{file}',
      'GET /openapi.json',
      `POST ${bank}`,
    ]);
  });
});

/** The same schema without room for members that it does not name. */
function closed(schema: Json): Json {
  if (Array.isArray(schema)) return schema.map(closed);
  if (schema === null || typeof schema !== 'object') return schema;
  const members = Object.fromEntries(Object.entries(schema).map(([name, member]) => [name, closed(member)]));
  return schema.type === 'object' && schema.properties && !('additionalProperties' in schema)
    ? { ...members, additionalProperties: false }
    : members;
}

describe('the page', () => {
  it('shows the document, with everything it needs from here', async () => {
    const page = await app.request('/docs');
    expect(page.status).toBe(200);
    expect(page.headers.get('content-type')).toContain('text/html');
    const html = await page.text();
    const assets = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => path ?? '');
    expect(assets).toHaveLength(4);
    for (const asset of assets) {
      expect(asset).toMatch(/^\/docs\//);
      const response = await app.request(asset);
      expect([asset, response.status]).toEqual([asset, 200]);
      expect((await response.arrayBuffer()).byteLength).toBeGreaterThan(50);
    }
    const start = await (await app.request('/docs/start.js')).text();
    expect(start).toContain("url: '/openapi.json'");
    // A key that was tried there would stay in the browser's storage.
    expect(start).not.toMatch(/persist/i);
  });

  it('may run its own scripts and speak to nobody else', async () => {
    const { headers } = await app.request('/docs');
    const policy = Object.fromEntries(
      (headers.get('content-security-policy') ?? '').split(';').map((part) => {
        const [name = '', ...sources] = part.trim().split(' ');
        return [name, sources];
      }),
    );
    expect(policy['default-src']).toEqual(["'none'"]);
    expect(policy['script-src']).toEqual(["'self'"]);
    expect(policy['connect-src']).toEqual(["'self'"]);
    expect(JSON.stringify(policy)).not.toMatch(/https?:|\*|unsafe-eval/);
    expect(await (await app.request('/docs')).text()).not.toMatch(/<script>|onload=|https?:\/\//);
  });

  it.each([
    ['/docs/swagger-ui.css', 'text/css'],
    ['/docs/swagger-ui-bundle.js', 'text/javascript'],
    ['/docs/favicon-32x32.png', 'image/png'],
    ['/docs/start.js', 'text/javascript'],
  ])('sends %s as %s', async (path, type) => {
    expect((await app.request(path)).headers.get('content-type')).toContain(type);
  });

  it.each([
    'package.json',
    'index.html',
    'swagger-ui.css.map',
    '..%2fpackage.json',
    '%2e%2e%2f%2e%2e%2fpackage.json',
    '..%5cpackage.json',
    '%00',
    'constructor',
    'toString',
    '__proto__',
    'hasOwnProperty',
  ])('gives out no other file: %s', async (file) => {
    const response = await app.request(`/docs/${file}`);
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ code: 'not_found', status: 404 });
  });

  it('is where the root leads in development, and only there', async () => {
    const there = await app.request('/');
    expect([there.status, there.headers.get('location')]).toEqual([302, '/docs']);
    const config = testConfig({ NODE_ENV: 'production', ALLOW_TEST_PAYMENTS: 'true' });
    const production = createApp({ ...ctx, config });
    expect((await production.request('/')).status).toBe(404);
    expect((await production.request('/docs')).status).toBe(200);
  });
});
