import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type App, createApp } from '../../src/api/app.ts';
import { findJsonFault } from '../../src/platform/http/find-json-fault.ts';
import { sampleEvent } from '../support/samples.ts';
import {
  clientOf,
  createTestContext,
  createTestTenant,
  issueToken,
  type TestContext,
  type TestTenant,
} from '../support/test-context.ts';
import { listOperations, openWorld, operations, type World } from './support/operations.ts';
import { expectProblem } from './support/problems.ts';

let ctx: TestContext;
let app: App;
let tenant: TestTenant;
let world: World;

beforeAll(async () => {
  ctx = await createTestContext();
  app = createApp(ctx);
  tenant = await createTestTenant(ctx, app);
  world = await openWorld(ctx, tenant);
});
afterAll(() => ctx.close());

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

async function ask(method: string, path: string, headers: Record<string, string> = {}) {
  const token = await issueToken({ tenantId: tenant.tenantId, subject: 'olga', role: 'organiser' });
  const response = await app.request(path, {
    method,
    headers: { authorization: `Bearer ${token}`, ...headers },
  });
  const text = await response.text();
  return { status: response.status, body: text === '' ? {} : JSON.parse(text), headers: response.headers };
}

describe('a method that an address does not know', () => {
  it('is refused with those that it knows, at every address', async () => {
    const known = Map.groupBy(await listOperations(app), ({ name }) => name.split(' ')[1] ?? '');
    let refused = 0;
    for (const [path, own] of known) {
      const allowed = new Set(own.map(({ name }) => name.split(' ')[0] ?? ''));
      if (allowed.has('GET')) allowed.add('HEAD');
      const { name } = own[0] ?? { name: '' };
      const values = operations[name]?.path?.(world) ?? {};
      const place = path.replace(/\{(\w+)\}/g, (_, parameter: string) => values[parameter] ?? '');
      for (const method of METHODS.filter((one) => !allowed.has(one) && one !== 'HEAD')) {
        const answer = await ask(method, place);
        // An address may be found under a wider pattern too: /tickets/reserve is no id, but looks like one.
        if (answer.status === 400) continue;
        expect([method, path, answer.status]).toEqual([method, path, 405]);
        expectProblem(answer, 405, 'method_not_allowed');
        const named = (answer.headers.get('allow') ?? '').split(', ');
        expect([path, named]).toEqual([path, expect.arrayContaining([...allowed])]);
        expect(named).not.toContain(method);
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(150);
  });

  it.each([
    ['POST', '/docs', 'GET, HEAD'],
    ['DELETE', '/openapi.json', 'GET, HEAD'],
    ['POST', '/health/live', 'GET, HEAD'],
  ])('is refused by the pages too: %s %s', async (method, path, allow) => {
    const answer = await ask(method, path);
    expectProblem(answer, 405, 'method_not_allowed');
    expect(answer.headers.get('allow')).toBe(allow);
  });

  it('is not told from an address that does not exist to whoever has no token', async () => {
    const answer = await clientOf(app).put('/events', {});
    expectProblem(answer, 401, 'unauthenticated');
    expect(answer.headers.get('allow')).toBeNull();
  });

  it('does not turn what is missing into something else', async () => {
    for (const path of [`/events/${randomUUID()}`, '/nothing', '/events/x/y']) {
      const answer = await tenant.organiser.get(path);
      expect(answer.headers.get('allow')).toBeNull();
      expect([400, 404]).toContain(answer.status);
    }
  });
});

describe('a page', () => {
  it.each(['/docs', '/openapi.json', '/health/live'])('is found with a slash behind it: %s', async (page) => {
    const response = await app.request(`${page}/`);
    expect([response.status, response.headers.get('location')]).toEqual([308, page]);
    expect((await app.request(response.headers.get('location') ?? '')).status).toBe(200);
  });

  it('is not made of an address of the API, where a missing id is no list', async () => {
    expectProblem(await tenant.organiser.get('/events/'), 404, 'not_found');
    expectProblem(await tenant.organiser.get('/../docs/x/'), 404, 'not_found');
  });
});

describe('a body of another media type', () => {
  it.each([
    'text/plain',
    'application/xml',
    'application/merge-patch+json',
    'multipart/form-data; boundary=x',
  ])('is refused with what is taken: %s', async (type) => {
    const answer = await tenant.organiser.post('/events', JSON.stringify(sampleEvent()), {
      headers: { 'content-type': type },
    });
    expectProblem(answer, 415, 'unsupported_media_type');
    expect(answer.body.detail).toContain('application/json');
  });

  it('is told of CSV where a seat map is due', async () => {
    const answer = await tenant.organiser.put(`/events/${world.hall.eventId}/seat-map`, 'x', {
      headers: { 'content-type': 'text/plain' },
    });
    expectProblem(answer, 415, 'unsupported_media_type');
    expect(answer.body.detail).toContain('text/csv');
  });
});

describe('a body that is no JSON', () => {
  const canary = 'canary@example.com';
  const cases: [string, string, RegExp][] = [
    ['a comma too many', `{"a":"${canary}",}`, /line 1, column \d+: the name of a member/],
    ['a comma too few', `{"a":"${canary}"\n "b":1}`, /line 2, column 2: a comma is due/],
    ['a name without quotes', `{${canary}:1}`, /line 1, column 2: there is something that is neither/],
    ['single quotes', `{'${canary}':1}`, /line 1, column 2: there is something that is neither/],
    ['no colon', `{"${canary}" 1}`, /a colon is due/],
    ['half a text', `{"a":"${canary}`, /a text in double quotes does not end/],
    ['half a document', `{"a":"${canary}"`, /at its end: a closing brace is due/],
    ['half a list', `["${canary}"`, /at its end: a closing bracket is due/],
    ['two documents', `{"a":"${canary}"} {}`, /something behind the end/],
    ['a comment', `{"a":"${canary}"} // x`, /a comment/],
    ['a bad escape', `{"a":"${canary}\\x"}`, /no such escape/],
    ['half an escape', `{"a":"${canary}\\u12"}`, /four hexadecimal digits/],
    ['a line break in a text', `{"a":"${canary}\n"}`, /does not end on its line/],
    ['a tab in a text', `{"a":"${canary}\t"}`, /control character/],
    ['half a number', `{"${canary}":1.}`, /a number is not complete/],
    ['no number', `{"${canary}":NaN}`, /neither a value nor a sign/],
    ['a leading zero', `{"${canary}":01}`, /a comma is due/],
    ['white space', ' \n ', /it is empty/],
  ];

  it.each(cases)(
    'is told what is wrong and where, and nothing of it is repeated: %s',
    async (_name, text, why) => {
      const answer = await tenant.organiser.post('/events', text);
      expectProblem(answer, 400, 'malformed_body');
      expect(answer.body.detail).toMatch(/^The body is not JSON: /);
      expect(answer.body.detail).toMatch(why);
      expect(JSON.stringify(answer.body)).not.toMatch(/canary|example\.com/);
    },
  );

  it('is told so when there is none at all', async () => {
    const answer = await tenant.organiser.post('/events', '', {
      headers: { 'content-type': 'application/json' },
    });
    expectProblem(answer, 400, 'malformed_body');
    expect(answer.body.detail).toContain('it is empty');
  });

  it('is looked at up to its first fault only, however large it is', () => {
    const started = performance.now();
    for (const text of [
      '}'.repeat(4_000_000),
      '"\n'.repeat(2_000_000),
      `${'[1,'.repeat(15)}${'1 '.repeat(1_000_000)}`,
    ]) {
      expect(findJsonFault(text)).toMatch(/./);
    }
    expect(performance.now() - started).toBeLessThan(1_000);
  });
});

describe('a body that is wrong as a whole', () => {
  it.each([
    ['a list', '[]', 'invalid_type'],
    ['a text', '"x"', 'invalid_type'],
    ['null', 'null', 'invalid_type'],
    [
      'members that do not go together',
      JSON.stringify(sampleEvent({ endsAt: '2001-01-01T00:00:00Z' })),
      'not_allowed',
    ],
  ])('is called body: %s', async (_name, text, code) => {
    const answer = await tenant.organiser.post<{ errors: unknown[] }>('/events', text);
    expectProblem(answer, 400, 'validation_failed');
    expect(answer.body.errors).toEqual([{ path: 'body', code, message: expect.any(String) }]);
  });
});
