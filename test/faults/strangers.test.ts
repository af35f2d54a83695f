import { randomUUID } from 'node:crypto';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type App, createApp } from '../../src/api/app.ts';
import { formatApiKey } from '../../src/domain/tenants/api-key-format.ts';
import { signature } from '../support/provider-books.ts';
import { createTestClock, type TestClock } from '../support/test-clock.ts';
import {
  createTestContext,
  createTestTenant,
  issueToken,
  type TestContext,
  type TestTenant,
  testConfig,
} from '../support/test-context.ts';

let ctx: TestContext;
let tenant: TestTenant;
let clock: TestClock;

beforeAll(async () => {
  clock = createTestClock();
  ctx = await createTestContext({ clock });
  tenant = await createTestTenant(ctx, createApp(ctx));
});
afterAll(() => ctx.close());

function appWith(env: Record<string, string>): App {
  const { ADDRESS_LIMIT_PER_MINUTE, TRUSTED_PROXIES, PUBLIC_URL } = testConfig(env);
  return createApp({
    ...ctx,
    config: { ...ctx.config, ADDRESS_LIMIT_PER_MINUTE, TRUSTED_PROXIES, PUBLIC_URL },
  });
}

const from = (remoteAddress: string) => ({ incoming: { socket: { remoteAddress } } });
const ask = async (
  app: App,
  address: string,
  path: string,
  headers: Record<string, string> = {},
  init = {},
) => app.request(path, { headers, ...init }, from(address));
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const wrongKey = () => bearer(formatApiKey(tenant.tenantId, randomUUID()).text);

describe('an address', () => {
  it('is told 429 after 60 wrong keys in a minute, before anybody looks for them', async () => {
    const app = appWith({});
    const connect = vi.spyOn(ctx.db.pool, 'connect');
    const seen: Record<number, number> = {};
    for (let i = 0; i < 700; i++) {
      const { status } = await ask(app, '192.0.2.1', '/api/wallets', wrongKey());
      seen[status] = (seen[status] ?? 0) + 1;
    }
    const looks = connect.mock.calls.length;
    connect.mockRestore();
    expect(seen).toEqual({ 401: 60, 429: 640 });
    expect(looks).toBe(60);
    expect((await ask(app, '192.0.2.2', '/api/wallets', wrongKey())).status).toBe(401);
    clock.advance(60_000);
    expect((await ask(app, '192.0.2.1', '/api/wallets', wrongKey())).status).toBe(401);
  });

  it('does not get past the limit with 700 at once, and is told when to come again', async () => {
    const app = appWith({ ADDRESS_LIMIT_PER_MINUTE: '50' });
    const answers = await Promise.all(
      Array.from({ length: 700 }, () => ask(app, '192.0.2.1', '/api/wallets', wrongKey())),
    );
    const refused = answers.filter(({ status }) => status === 429);
    expect(refused.length).toBeGreaterThanOrEqual(650);
    expect(Number(refused[0]?.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await refused[0]?.json()).toMatchObject({ code: 'rate_limited' });
  });

  it('is not stopped by good tokens, and who was let in stays in whatever others do there', async () => {
    const app = appWith({ ADDRESS_LIMIT_PER_MINUTE: '20' });
    const token = (subject: string) => issueToken({ tenantId: tenant.tenantId, subject, role: 'buyer' });
    for (let i = 0; i < 50; i++) {
      const { status } = await ask(app, '192.0.2.1', '/api/wallets', bearer(await token(`user-${i}`)));
      expect(status).toBe(200);
    }
    const alice = await token('alice');
    expect((await ask(app, '192.0.2.1', '/api/wallets', bearer(alice))).status).toBe(200);
    expect((await ask(app, '192.0.2.1', '/api/wallets', bearer(tenant.apiKey))).status).toBe(200);
    for (let i = 0; i < 5; i++) await ask(app, '192.0.2.1', '/api/wallets', bearer('x'));
    expect((await ask(app, '192.0.2.1', '/api/wallets')).status).toBe(429);
    expect((await ask(app, '192.0.2.1', '/api/wallets', bearer(await token('bob')))).status).toBe(429);
    expect((await ask(app, '192.0.2.1', '/api/wallets', bearer(alice))).status).toBe(200);
    expect((await ask(app, '192.0.2.1', '/api/wallets', bearer(tenant.apiKey))).status).toBe(200);
  });

  it('may look at so many pages, and at health as often as it likes', async () => {
    const app = appWith({ ADDRESS_LIMIT_PER_MINUTE: '5' });
    const pages = ['/docs', '/docs/start.js', '/openapi.json', '/api/nft/x/metadata.json', '/docs/nothing'];
    for (const page of pages) expect((await ask(app, '192.0.2.1', page)).status).not.toBe(429);
    for (const page of pages) expect((await ask(app, '192.0.2.1', page)).status).toBe(429);
    for (let i = 0; i < 20; i++) expect((await ask(app, '192.0.2.1', '/health/live')).status).toBe(200);
  });

  it('cannot have the database asked for each look at health', async () => {
    const app = appWith({});
    const connect = vi.spyOn(ctx.db.pool, 'connect');
    const query = vi.spyOn(ctx.db.pool, 'query');
    const answers = await Promise.all(
      Array.from({ length: 200 }, () => ask(app, '192.0.2.1', '/health/ready')),
    );
    const asked = connect.mock.calls.length + query.mock.calls.length;
    connect.mockRestore();
    query.mockRestore();
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([503]));
    expect(asked).toBeGreaterThan(0);
    expect(asked).toBeLessThan(5);
  });

  it('pays for notices that are not signed, and not for those that are', async () => {
    const app = appWith({ ADDRESS_LIMIT_PER_MINUTE: '20' });
    const body = JSON.stringify({ id: 'evt_1', type: 'x', tenant: 'another', reference: 'x' });
    const notify = (headers: Record<string, string>) =>
      ask(app, '192.0.2.9', '/api/payments/webhook/test', headers, { method: 'POST', body });
    for (let i = 0; i < 30; i++) expect((await notify(signature(ctx, body))).status).toBe(200);
    const seen = [];
    for (let i = 0; i < 4; i++) seen.push((await notify({})).status);
    expect(seen).toEqual([401, 401, 429, 429]);
  });

  it.each<[string, string, string, boolean]>([
    ['one of IPv6 and its neighbour', '2001:db8:1:2::1', '2001:db8:1:2:ffff::9', true],
    ['one of IPv6 written in two ways', '2001:db8:0:0:1::1', '2001:0db8::2', true],
    ['two networks of IPv6', '2001:db8:1:2::1', '2001:db8:1:3::1', false],
    ['one of IPv4 within IPv6', '::ffff:192.0.2.7', '192.0.2.7', true],
    ['two of IPv4', '192.0.2.7', '192.0.2.8', false],
  ])('is counted as one or two: %s', async (_name, first, second, same) => {
    const app = appWith({ ADDRESS_LIMIT_PER_MINUTE: '1' });
    await ask(app, first, '/docs');
    expect((await ask(app, second, '/docs')).status).toBe(same ? 429 : 200);
  });

  it('is what the proxies of ours saw, and never what the caller wrote', async () => {
    const chain = (...hops: string[]) => ({ 'x-forwarded-for': hops.join(', ') });
    const open = appWith({ ADDRESS_LIMIT_PER_MINUTE: '1' });
    expect((await ask(open, '10.0.0.1', '/docs', chain('192.0.2.1'))).status).toBe(200);
    expect((await ask(open, '10.0.0.1', '/docs', chain('192.0.2.2'))).status).toBe(429);
    const behind = appWith({ ADDRESS_LIMIT_PER_MINUTE: '1', TRUSTED_PROXIES: '2' });
    expect((await ask(behind, '10.0.0.1', '/docs', chain('1.1.1.1', '192.0.2.1', '10.0.0.2'))).status).toBe(
      200,
    );
    expect((await ask(behind, '10.0.0.1', '/docs', chain('2.2.2.2', '192.0.2.1', '10.0.0.2'))).status).toBe(
      429,
    );
    expect((await ask(behind, '10.0.0.1', '/docs', chain('1.1.1.1', '192.0.2.2', '10.0.0.2'))).status).toBe(
      200,
    );
    expect((await ask(behind, '10.0.0.9', '/docs', chain('no address', '10.0.0.2'))).status).toBe(200);
    expect((await ask(behind, '10.0.0.9', '/docs')).status).toBe(429);
  });
});

describe('what is the same for everybody', () => {
  const paths = [
    '/docs',
    '/docs/start.js',
    '/docs/swagger-ui-bundle.js',
    '/docs/swagger-ui.css',
    '/openapi.json',
  ];

  it.each(paths)('is kept compressed, has a tag, and is not sent twice: %s', async (path) => {
    const app = appWith({});
    const plain = await app.request(path);
    const text = await plain.text();
    expect(plain.headers.get('cache-control')).toMatch(/^public, max-age=\d+$/);
    expect(plain.headers.get('vary')).toBe('Accept-Encoding');
    expect(plain.headers.get('content-encoding')).toBeNull();
    const tags = new Set([plain.headers.get('etag')]);
    for (const [accepted, coding, open] of [
      ['gzip, deflate, br', 'br', brotliDecompressSync],
      ['gzip;q=0.5, br;q=0', 'gzip', gunzipSync],
    ] as const) {
      const packed = await app.request(path, { headers: { 'accept-encoding': accepted } });
      expect(packed.headers.get('content-encoding')).toBe(coding);
      const bytes = Buffer.from(await packed.arrayBuffer());
      expect(open(bytes).toString()).toBe(text);
      const etag = packed.headers.get('etag') ?? '';
      tags.add(etag);
      const again = await app.request(path, {
        headers: { 'accept-encoding': accepted, 'if-none-match': `"x", W/${etag}` },
      });
      expect([again.status, (await again.arrayBuffer()).byteLength]).toEqual([304, 0]);
      expect(again.headers.get('etag')).toBe(etag);
    }
    expect(tags.size).toBe(3);
    expect((await app.request(path, { headers: { 'if-none-match': '"x"' } })).status).toBe(200);
  });

  it('is made once: the document is not written again for the next', async () => {
    const app = appWith({});
    for (const path of paths) await app.request(path);
    const stringify = vi.spyOn(JSON, 'stringify');
    for (let i = 0; i < 50; i++) expect((await app.request('/openapi.json')).status).toBe(200);
    const written = stringify.mock.results.filter(({ value }) => String(value).length > 10_000).length;
    stringify.mockRestore();
    expect(written).toBe(0);
  });
});

describe('every answer', () => {
  it.each<[string, Record<string, string>]>([
    ['/docs', {}],
    ['/openapi.json', {}],
    ['/health/live', {}],
    ['/nothing', {}],
    ['/api/wallets', {}],
    ['/api/events', { authorization: 'alice' }],
    ['/api/events/x', { authorization: 'alice' }],
    ['/api/nft/x/metadata.json', {}],
  ])('is what it says, stands in no frame, and is kept only when it is nobody’s: %s', async (path, given) => {
    const token = await issueToken({ tenantId: tenant.tenantId, subject: 'alice', role: 'buyer' });
    const init = { headers: given.authorization ? bearer(token) : {} };
    const { headers } = await appWith({}).request(path, init);
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
    expect(headers.get('strict-transport-security')).toBeNull();
    const isPage = path === '/docs' || path === '/openapi.json';
    expect(headers.get('cache-control')).toMatch(isPage ? /^public/ : /^no-store$/);
    const secure = await appWith({ PUBLIC_URL: 'https://tickets.example.com' }).request(path, init);
    expect(secure.headers.get('strict-transport-security')).toMatch(/^max-age=\d{8,}$/);
  });
});
