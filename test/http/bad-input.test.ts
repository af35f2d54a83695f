import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type App, createApp } from '../../src/api/app.ts';
import { serveHttp } from '../../src/main/serve-http.ts';
import { sampleEvent, samplePurchase } from '../support/samples.ts';
import {
  createTestContext,
  createTestTenant,
  issueToken,
  type TestContext,
  type TestTenant,
} from '../support/test-context.ts';
import { clientFor, openWorld, operation, operations, request, type World } from './support/operations.ts';
import { digestDatabase, expectProblem } from './support/problems.ts';

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

const withBody = Object.keys(operations).filter((name) => operation(name).body);
const owner = (name: string) => clientFor(tenant, name, tenant.alice);
const send = (name: string, body: unknown, headers: Record<string, string> = {}) =>
  request(owner(name), name, world, { body, headers, key: randomUUID() });
const nested = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`;

describe.each(withBody)('%s', (name) => {
  const good = () => operation(name).body?.(world) ?? {};
  const text = (change: Record<string, unknown> = {}) => JSON.stringify({ ...good(), ...change });
  /** The good request with raw JSON for one more member. */
  const withMember = (member: string) => text().replace(/\}$/, `,${member}}`);
  const cases: [string, () => unknown, string, Record<string, string>?][] = [
    ['half a document', () => text().slice(0, -1), 'malformed_body'],
    ['two documents', () => `${text()}${text()}`, 'malformed_body'],
    ['a comment', () => `${text()}// good`, 'malformed_body'],
    ['a trailing comma', () => text().replace(/\}$/, ',}'), 'malformed_body'],
    ['single quotes', () => text().replaceAll('"', "'"), 'malformed_body'],
    ['nothing but white space', () => ' \n', 'malformed_body'],
    ['a raw line break in a string', () => withMember('"a":"\n"'), 'malformed_body'],
    ['an array', () => `[${text()}]`, 'validation_failed'],
    ['a string', () => JSON.stringify(text()), 'validation_failed'],
    ['null', () => 'null', 'validation_failed'],
    ['an empty object', () => '{}', 'validation_failed'],
    [
      'a form',
      () => 'a=b',
      'unsupported_media_type',
      { 'content-type': 'application/x-www-form-urlencoded' },
    ],
    ['text', () => text(), 'unsupported_media_type', { 'content-type': 'text/plain' }],
    ['a patch', () => text(), 'unsupported_media_type', { 'content-type': 'application/json-patch+json' }],
    ['something like JSON', () => text(), 'unsupported_media_type', { 'content-type': 'application/json5' }],
    ['JSON by its suffix', () => text(), 'unsupported_media_type', { 'content-type': 'application/x+json' }],
    ['JSON with a dot', () => text(), 'unsupported_media_type', { 'content-type': 'application/json.x' }],
    [
      'JSON and something',
      () => text(),
      'unsupported_media_type',
      { 'content-type': 'application/json, a/b' },
    ],
    ['no content type', () => text(), 'unsupported_media_type', { 'content-type': '' }],
    ['a document 17 deep', () => withMember(`"a":${nested(16)}`), 'malformed_body'],
    ['a depth bomb', () => nested(30_000), 'malformed_body'],
    ['a depth bomb that is never closed', () => '{"a":'.repeat(10_000), 'malformed_body'],
    ['an unknown member', () => withMember('"vip":true'), 'validation_failed'],
    ['a __proto__ member', () => withMember('"__proto__":{"isAdmin":true}'), 'validation_failed'],
    ['an escaped __proto__ member', () => withMember('"__pro\\u0074o__":{"a":1}'), 'validation_failed'],
    ['a constructor member', () => withMember('"constructor":{"prototype":{"a":1}}'), 'validation_failed'],
    ['a tenant', () => text({ tenantId: randomUUID() }), 'validation_failed'],
    ['a tenant, as the database calls it', () => text({ tenant_id: randomUUID() }), 'validation_failed'],
    ['a status', () => text({ status: 'paid' }), 'validation_failed'],
    ['an id', () => text({ id: randomUUID() }), 'validation_failed'],
    ['an owner', () => text({ userId: 'mallory' }), 'validation_failed'],
    ['a NUL in a member', () => withMember('"a":"\\u0000"'), 'malformed_body'],
    ['a NUL in the name of a member', () => withMember('"a\\u0000":1'), 'malformed_body'],
    ['half a surrogate pair', () => withMember('"a":"\\ud83d"'), 'malformed_body'],
    ['the wrong half first', () => withMember('"a":"\\ude00\\ud83d"'), 'malformed_body'],
    ['half a surrogate pair in the name of a member', () => withMember('"\\udfff":1'), 'malformed_body'],
  ];

  // What was seen may be sent back to where it is edited, an id too, and a patch may say nothing.
  const isEdit = /^(PUT|PATCH) .*\{id\}$/.test(name);

  it.each(cases)('refuses %s and writes nothing', async (what, body, code, headers) => {
    const before = await digestDatabase(ctx);
    const answer = await send(name, body(), headers);
    if (isEdit && what === 'an empty object' && name.startsWith('PATCH')) {
      expect(answer.status).toBe(200);
    } else if (isEdit && what === 'an id') expectProblem(answer, 409, 'read_only_fields');
    else expectProblem(answer, code === 'unsupported_media_type' ? 415 : 400, code);
    expect(JSON.stringify(answer.body)).not.toMatch(/JSON\.parse|Unexpected token|at position/);
    expect(await digestDatabase(ctx)).toBe(before);
  });

  it.each(['text/plain', 'application/json', 'multipart/form-data', 'x'])(
    'refuses no body at all, said to be %s',
    async (type) => {
      const answer = await request(owner(name), name, world, {
        body: undefined,
        headers: { 'content-type': type },
        key: randomUUID(),
      });
      const [status, code] =
        type === 'application/json' ? [400, 'malformed_body'] : [415, 'unsupported_media_type'];
      expectProblem(answer, Number(status), String(code));
    },
  );

  it('refuses a body that is larger than it may be by a byte, and reads one that is not', async () => {
    const before = await digestDatabase(ctx);
    const limit = name.endsWith('/seat-map') ? 4 * 1024 * 1024 : 64 * 1024;
    expectProblem(await send(name, text() + ' '.repeat(limit + 1 - text().length)), 413, 'body_too_large');
    expectProblem(await send(name, `[${' '.repeat(limit - 2)}]`), 400, 'validation_failed');
    expect(await digestDatabase(ctx)).toBe(before);
  });

  it('refuses every member in turn when it is of another type, too large or no text', async () => {
    const before = await digestDatabase(ctx);
    for (const [member, value] of Object.entries(good())) {
      const others: unknown[] = [
        null,
        [],
        {},
        { toString: 'x' },
        1e308,
        -1,
        1.5,
        '',
        '\ud800',
        'x'.repeat(5_000),
      ];
      for (const one of others.filter((wrong) => !isAcceptable(member, wrong, value))) {
        const answer = await send(name, text({ [member]: one }));
        expect([member, one, answer.status]).toEqual([member, one, 400]);
        expect(['validation_failed', 'malformed_body', 'bad_address']).toContain(answer.body.code);
      }
      for (const raw of ['99999999999999999999999999', '1e999', '-1e999', '9007199254740993']) {
        const changed = text({ [member]: 'PLACE' }).replace('"PLACE"', raw);
        expect([member, raw, (await send(name, changed)).status]).toEqual([member, raw, 400]);
      }
    }
    expect(await digestDatabase(ctx)).toBe(before);
  });

  it('reads JSON whatever the case and the parameters of its content type', async () => {
    const answer = await request(owner(name), name, await openWorld(ctx, tenant), {
      headers: { 'content-type': 'Application/JSON; charset="UTF-8"' },
      key: randomUUID(),
    });
    expect(answer.status).toBeLessThan(300);
  });
});

/**
 * An empty list may stand for a list, and nothing for a text or a limit that need not be; and an empty signature is
 * well-formed, though it proves nothing.
 */
function isAcceptable(member: string, value: unknown, good: unknown): boolean {
  if (['doorsOpenAt', 'salesStartAt', 'salesEndAt', 'perCustomerLimit'].includes(member))
    return value === null;
  if (['signature', 'description', 'venueAddress'].includes(member)) return value === '';
  return Array.isArray(good) && Array.isArray(value);
}

describe('of two members with one name', () => {
  it('the last counts, for what is checked and for what is done alike', async () => {
    const type = { id: world.ticketTypeId, eventId: world.eventId };
    const body = JSON.stringify(samplePurchase(type)).replace('"quantity":1', '"quantity":11,"quantity":2');
    const sold = await tenant.alice.post('/tickets/purchase', body, { key: randomUUID() });
    expect(sold).toMatchObject({ status: 201, body: { quantity: 2, amountMinor: 5_000 } });
    const reversed = body.replace('"quantity":11,"quantity":2', '"quantity":2,"quantity":11');
    const answer = await tenant.alice.post('/tickets/purchase', reversed, { key: randomUUID() });
    expectProblem(answer, 400, 'validation_failed');
  });
});

describe('text', () => {
  it('may hold every character that there is', async () => {
    const title = 'Tschüß – 東京 🎭\u202e\u0001\t\u{10ffff} <script>"\'`;--\\u0000%00';
    const { body } = await tenant.organiser.post('/events', sampleEvent({ title }));
    expect((await tenant.alice.get(`/events/${body.id}`)).body).toMatchObject({ title });
  });

  it('is refused when it is not UTF-8', async () => {
    const bytes = Buffer.concat([Buffer.from('{"title":"'), Buffer.of(0xff, 0xfe), Buffer.from('"}')]);
    const response = await app.request('/api/events', {
      method: 'POST',
      headers: {
        authorization: `Bearer ${await issueToken({ tenantId: tenant.tenantId, subject: 'olga', role: 'organiser' })}`,
        'content-type': 'application/json',
      },
      body: bytes,
    });
    const answer = { status: response.status, body: await response.json(), headers: response.headers };
    expectProblem(answer, 400, 'malformed_body');
  });
});

describe('a path or a query', () => {
  it.each([
    ['a NUL in an id', '/events/%00'],
    ['a NUL in a transaction', '/transactions/TXN%00'],
    ['an id that is none', '/events/1'],
    ['an id with something behind it', "/events/0199f000-0000-7000-8000-000000000000'--"],
    ['an id in braces', '/tickets/%7B0199f000-0000-7000-8000-000000000000%7D'],
    ['an id of 50,000 characters', `/tickets/${'0'.repeat(50_000)}`],
    ['a transaction of 65 characters', `/transactions/${'T'.repeat(65)}`],
    ['a NUL in a filter', '/events?venue=%00'],
    ['an empty search', '/events?search='],
    ['a search of 101 characters', `/events?search=${'a'.repeat(101)}`],
    ['an unknown filter', '/events?tenantId=0199f000-0000-7000-8000-000000000000'],
    ['an unknown filter of tickets', '/tickets?ownerWallet=x'],
    ['a __proto__ filter', '/tickets?__proto__=x'],
    ['a nested filter', '/tickets?userId[ne]=alice'],
    ['a filter twice', '/tickets?userId=alice&userId=bob'],
    ['a status that there is not', '/tickets?status=SOLD'],
    ['no limit', '/tickets?limit='],
    ['a limit of 0', '/tickets?limit=0'],
    ['a limit of 101', '/tickets?limit=101'],
    ['a negative limit', '/events?limit=-1'],
    ['half a limit', '/events?limit=1.5'],
    ['a limit beyond numbers', '/events?limit=1e999'],
    ['a limit that is no number', '/events?limit=all'],
    ['two limits', '/events?limit=1&limit=2'],
    ['a flag that is none', '/events?includeInactive=yes'],
    ['a date that there is not', '/events?startsAfter=2026-02-30T00:00:00Z'],
    ['a date without an offset', '/events?startsAfter=2026-02-03T00:00:00'],
    ['a date beyond dates', '/events?startsBefore=9999-12-31T23:59:59Z'],
    ['a date before dates', '/events?startsBefore=0001-01-01T00:00:00Z'],
    ['infinity', '/events?startsAfter=infinity'],
  ])('with %s is refused', async (_name, path) => {
    expectProblem(await tenant.admin.get(path), 400, 'validation_failed');
  });

  it.each(['/events/../../etc/passwd', '/events/%2e%2e%2f', '/nft/../tickets/x/y', '//events', '/events/'])(
    'that leads elsewhere leads nowhere: %s',
    async (path) => {
      const answer = await tenant.admin.get(path);
      expect([400, 401, 404]).toContain(answer.status);
      expect(answer.headers.get('content-type')).toBe('application/problem+json');
    },
  );

  it.each([
    ['%E0%A4%A', 'an escape that is cut off'],
    ['%zz', 'an escape that is none'],
  ])('with %s (%s) is refused', async (part) => {
    expectProblem(await tenant.admin.get(`/events/${part}`), 400, 'validation_failed');
    const { status } = await tenant.admin.get(`/transactions/${part}`);
    expect([400, 404]).toContain(status);
  });

  it('that is no UTF-8 finds nothing', async () => {
    expectProblem(await tenant.admin.get('/transactions/%ED%A0%80'), 404, 'not_found');
    expect((await tenant.admin.get('/events?search=%ED%A0%80')).body).toMatchObject({ items: [] });
    expect((await tenant.admin.get('/tickets?userId=%FF%FE')).body).toMatchObject({ items: [] });
  });

  it('finds what it looks for with an id in capitals', async () => {
    expect((await tenant.alice.get(`/events/${world.eventId.toUpperCase()}`)).status).toBe(200);
  });
});

describe('a cursor', () => {
  const cursor = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const id = randomUUID();
  const instant = '2026-01-01T00:00:00.000Z';
  const bad: [string, string][] = [
    ['no JSON', 'x'],
    ['an empty one', ''],
    ['an object', cursor({ length: 2 })],
    ['a list that is too short', cursor([])],
    ['a list that is too long', cursor([instant, id, id])],
    ['numbers', cursor([1, 2])],
    ['null', cursor([null, null])],
    ['words', cursor(['x', 'y'])],
    ['one word', cursor(['x'])],
    ['SQL', cursor(["' or 1=1 --", "'; drop table events; --"])],
    ['SQL for one', cursor(["' or 1=1 --"])],
    ['a NUL', cursor(['\0', '\0'])],
    ['one NUL', cursor([`${id}\0`])],
    ['half a surrogate pair', cursor(['\ud800'])],
    ['the end of time', cursor(['infinity', id])],
    ['a date that there is not', cursor(['2026-02-30T00:00:00.000Z', id])],
    ['a year that is too large', cursor(['+275760-09-13T00:00:00.000Z', id])],
    ['the year 0', cursor(['0000-01-01T00:00:00.000Z', id])],
    ['now', cursor(['now', id])],
    ['an id that is none', cursor([instant, 'x'])],
    ['an id in braces', cursor([`{${id}}`])],
    ['501 characters', 'W'.repeat(501)],
  ];
  it.each(bad)('of %s is refused', async (_name, text) => {
    for (const list of ['/events', '/tickets', '/promo-codes', '/api-keys']) {
      const answer = await tenant.admin.get(`${list}?cursor=${encodeURIComponent(text)}`);
      expect([list, answer.status]).toEqual([list, 400]);
      expect(['bad_cursor', 'validation_failed']).toContain(answer.body.code);
      expectProblem(answer, 400, String(answer.body.code));
    }
  });

  it('of one list is none of the other', async () => {
    const event = cursor([instant, id]);
    const ticket = cursor([id]);
    expectProblem(await tenant.admin.get(`/tickets?cursor=${event}`), 400, 'bad_cursor');
    expectProblem(await tenant.admin.get(`/events?cursor=${ticket}`), 400, 'bad_cursor');
  });
});

describe('a pattern', () => {
  it.each([
    ['an e-mail address of letters', 'a'.repeat(50_000)],
    ['an e-mail address of dots', 'a.'.repeat(25_000)],
    ['an e-mail address of subdomains', `a@${'a.'.repeat(25_000)}`],
    ['an e-mail address of hyphens', `a@${'-'.repeat(50_000)}`],
    ['an e-mail address of @', '@'.repeat(50_000)],
    ['an e-mail address that almost is one', `${'a'.repeat(20_000)}@${'a'.repeat(20_000)}.`],
  ])('does not choke on %s', async (_name, customerEmail) => {
    const type = { id: world.ticketTypeId, eventId: world.eventId };
    const start = performance.now();
    const answer = await tenant.alice.post('/tickets/purchase', samplePurchase(type, { customerEmail }), {
      key: randomUUID(),
    });
    expectProblem(answer, 400, 'validation_failed');
    expect(performance.now() - start).toBeLessThan(1_000);
  });

  it.each([
    ['a date', { startsAt: '1'.repeat(50_000) }],
    ['a date with many fractions', { startsAt: `2026-01-01T00:00:00.${'0'.repeat(50_000)}` }],
    ['a currency', { currency: 'E'.repeat(50_000) }],
  ])('does not choke on %s of 50 kB', async (_name, change) => {
    const start = performance.now();
    expectProblem(await tenant.organiser.post('/events', sampleEvent(change)), 400, 'validation_failed');
    expect(performance.now() - start).toBeLessThan(1_000);
  });

  it.each([
    ['authorization', `Bearer ${'a.'.repeat(25_000)}`],
    ['authorization', `Bearer tk_live_${'A'.repeat(50_000)}`],
    ['authorization', ' '.repeat(50_000)],
    ['x-request-id', 'a'.repeat(50_000)],
    ['idempotency-key', 'a'.repeat(50_000)],
    ['content-type', `application/json${' '.repeat(50_000)}x`],
    ['accept', 'image/'.repeat(10_000)],
  ])('does not choke on a %s of 50 kB', async (header, value) => {
    const start = performance.now();
    const answer = await tenant.alice.post(
      `/tickets/${world.ticketId}/revoke`,
      { reason: 'fraud' },
      { headers: { [header]: value } },
    );
    expect([400, 401, 403, 415]).toContain(answer.status);
    expect(performance.now() - start).toBeLessThan(1_000);
  });
});

describe('on a socket', () => {
  const stop = new AbortController();
  let port: number;
  let token: string;
  beforeAll(async () => {
    const { url } = await serveHttp(app, { host: '127.0.0.1', port: 0, signal: stop.signal });
    port = Number(new URL(url).port);
    token = await issueToken({ tenantId: tenant.tenantId, subject: 'olga', role: 'organiser' });
  });
  afterAll(() => stop.abort());

  /** Writes until the other side has had enough; returns what it said and how much it took. */
  function talk(head: string, more?: () => string | undefined): Promise<{ answer: string; sent: number }> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1');
      let answer = '';
      let sent = 0;
      socket.setEncoding('utf8');
      socket.on('data', (text) => {
        answer += text;
        if (!more) socket.end();
      });
      socket.on('error', (error: NodeJS.ErrnoException) => {
        if (!['EPIPE', 'ECONNRESET'].includes(error.code ?? '')) reject(error);
      });
      socket.on('close', () => resolve({ answer, sent }));
      socket.write(head);
      const pump = (): void => {
        const chunk = socket.destroyed || answer !== '' ? undefined : more?.();
        if (chunk === undefined) {
          if (more) setTimeout(() => socket.end(), 50);
          return;
        }
        sent += chunk.length;
        if (socket.write(chunk)) setImmediate(pump);
        else socket.once('drain', pump);
      };
      if (more) pump();
    });
  }
  const head = (...lines: string[]) =>
    ['POST /api/events HTTP/1.1', 'host: localhost', ...lines, '', ''].join('\r\n');
  const guarded = (...lines: string[]) =>
    head(`authorization: Bearer ${token}`, 'content-type: application/json', ...lines);

  it('an endless chunked body is cut off, and memory stays flat', async () => {
    const chunk = `4000\r\n${' '.repeat(0x4000)}\r\n`;
    const limit = 64 * 1024 * 1024;
    let left = limit / chunk.length;
    const memory = process.memoryUsage().rss;
    const { answer, sent } = await talk(guarded('transfer-encoding: chunked'), () =>
      left-- > 0 ? chunk : undefined,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(answer).toContain('body_too_large');
    expect(sent).toBeLessThan(limit);
    expect(process.memoryUsage().rss - memory).toBeLessThan(64 * 1024 * 1024);
  });

  it('a POST that says nothing of a body has none: it is told what is missing, not what type', async () => {
    const { answer } = await talk(head(`authorization: Bearer ${token}`));
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toContain('validation_failed');
  });

  it('a body that says it is large is refused before it comes', async () => {
    const { answer } = await talk(guarded(`content-length: ${2 ** 30}`));
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
  });

  it('a large body without a good token is not read at all', async () => {
    const { answer } = await talk(head('content-type: application/json', `content-length: ${2 ** 30}`));
    expect(answer).toMatch(/^HTTP\/1\.1 401 /);
  });

  it.each([
    ['a header of 50 kB', `x-bait: ${'a'.repeat(50_000)}`, 431],
    ['a length that is no number', 'content-length: x', 400],
    ['two lengths', 'content-length: 1\r\ncontent-length: 2', 400],
    ['a length and chunks', 'content-length: 5\r\ntransfer-encoding: chunked', 400],
    ['a header without a name', ': x', 400],
  ])('%s is refused by the server', async (_name, line, status) => {
    const { answer } = await talk(guarded(line));
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  });

  it('others are served meanwhile', async () => {
    const slow = connect(port, '127.0.0.1');
    slow.write('POST /api/events HTTP/1.1\r\nhost: localhost\r\n');
    const response = await fetch(`http://127.0.0.1:${port}/health/live`);
    expect(response.status).toBe(200);
    slow.destroy();
  });
});
