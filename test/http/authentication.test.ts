import { createHmac, generateKeyPairSync, type KeyObject, randomUUID, type webcrypto } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { exportJWK, exportSPKI, generateKeyPair, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type App, createApp } from '../../src/api/app.ts';
import { formatApiKey } from '../../src/domain/tenants/api-key-format.ts';
import { createLogger } from '../../src/platform/logger.ts';
import { createTestClock, type TestClock } from '../support/test-clock.ts';
import {
  type Client,
  clientOf,
  createTestContext,
  createTestTenant,
  identity,
  issueToken,
  type TestContext,
  type TestTenant,
  testConfig,
} from '../support/test-context.ts';
import { listOperations, openWorld, request } from './support/operations.ts';
import { digestDatabase, expectProblem, withoutRequestId } from './support/problems.ts';

const ours = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true });
const rsa = await generateKeyPair('RS256', { extractable: true });
const ec = await generateKeyPair('ES256', { extractable: true });
const stranger = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true });
const keys = [
  ...JSON.parse(identity.JWT_PUBLIC_KEYS).keys,
  { ...(await exportJWK(ours.publicKey)), alg: 'EdDSA', kid: 'ours', use: 'sig' },
  { ...(await exportJWK(rsa.publicKey)), alg: 'RS256', kid: 'rsa', use: 'sig' },
  { ...(await exportJWK(ec.publicKey)), alg: 'ES256', kid: 'ec', use: 'sig' },
];
const config = testConfig({
  JWT_PUBLIC_KEYS: JSON.stringify({ keys }),
  JWT_ALGORITHMS: 'EdDSA,ES256,RS256',
});

let ctx: TestContext;
let app: App;
let tenant: TestTenant;
let offset = 0;

beforeAll(async () => {
  ctx = await createTestContext({ config, clock: { now: () => new Date(Date.now() + offset) } });
  app = createApp(ctx);
  tenant = await createTestTenant(ctx, app);
});
afterAll(() => ctx.close());

const seconds = (from = 0) => Math.floor(Date.now() / 1000) + from;
const claims = () => ({
  iss: identity.JWT_ISSUER,
  aud: identity.JWT_AUDIENCE,
  exp: seconds(600),
  sub: 'alice',
  tenant: tenant.tenantId,
  role: 'buyer',
});
type Change = Record<string, unknown>;

/** A good token, with claims and header members replaced; undefined takes one away. */
function token(
  change: Change = {},
  header: Change = {},
  key: webcrypto.CryptoKey | KeyObject | Uint8Array = ours.privateKey,
) {
  return new SignJWT({ ...claims(), ...change })
    .setProtectedHeader({ alg: 'EdDSA', typ: 'JWT', kid: 'ours', ...header } as { alg: string })
    .sign(key);
}

const base64url = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** A token by hand, for what no library signs. */
function forged(header: Change, signature: string | ((text: string) => Buffer)): string {
  const text = `${base64url({ typ: 'JWT', kid: 'ours', ...header })}.${base64url(claims())}`;
  return `${text}.${typeof signature === 'string' ? signature : signature(text).toString('base64url')}`;
}

const probe = (authorization?: string, target: App = app) =>
  clientOf(target).get('/wallets', { headers: authorization === undefined ? {} : { authorization } });

describe('a token', () => {
  it.each([
    ['EdDSA', 'ours', () => ours.privateKey],
    ['RS256', 'rsa', () => rsa.privateKey],
    ['ES256', 'ec', () => ec.privateKey],
  ])('signed with %s by a key that is known opens', async (alg, kid, key) => {
    expect(await probe(`Bearer ${await token({}, { alg, kid }, key())}`)).toMatchObject({ status: 200 });
  });

  it('may have several audiences, if we are one of them', async () => {
    const several = await token({ aud: ['shop', identity.JWT_AUDIENCE] });
    expect((await probe(`Bearer ${several}`)).status).toBe(200);
  });

  it('comes behind a scheme that is written in any case', async () => {
    expect((await probe(`bEaReR ${await token()}`)).status).toBe(200);
  });

  const hmac = (secret: string | Buffer) => (text: string) =>
    createHmac('sha256', secret).update(text).digest();
  it.each<[string, () => string | Promise<string>]>([
    ['with alg none and no signature', () => forged({ alg: 'none' }, '')],
    ['with alg nOnE', () => forged({ alg: 'nOnE' }, '')],
    ['with alg none and a signature', () => forged({ alg: 'none' }, 'AAAA')],
    ['without alg', () => forged({}, '')],
    ['with HS256 under the public key as JWK', () => forged({ alg: 'HS256' }, hmac(JSON.stringify(keys[1])))],
    [
      'with HS256 under the raw public key',
      () => forged({ alg: 'HS256' }, hmac(Buffer.from(keys[1].x, 'base64url'))),
    ],
    [
      'with HS256 under the public key as PEM',
      async () => forged({ alg: 'HS256', kid: 'rsa' }, hmac(await exportSPKI(rsa.publicKey))),
    ],
    ['with HS256 under an empty secret', () => forged({ alg: 'HS256' }, hmac(''))],
    ['with a signature of zeros', () => forged({ alg: 'ES256', kid: 'ec' }, () => Buffer.alloc(64))],
    ['signed by another key', () => token({}, {}, stranger.privateKey)],
    ['signed with RS384', () => forged({ alg: 'RS384', kid: 'rsa' }, () => Buffer.alloc(256))],
    ['of an unknown key id', () => token({}, { kid: 'withdrawn' })],
    ['with a path as key id', () => token({}, { kid: '../../../../dev/null' })],
    ['with SQL as key id', () => token({}, { kid: "ours' or '1'='1" })],
    [
      'that brings its own key',
      async () => token({}, { jwk: await exportJWK(stranger.publicKey) }, stranger.privateKey),
    ],
    ['that says where to fetch its key', () => token({}, { kid: 'x', jku: 'http://127.0.0.1:1/jwks' })],
    [
      'with a critical extension that nobody knows',
      () => forged({ alg: 'EdDSA', crit: ['x'], x: 1 }, 'AAAA'),
    ],
    ['without typ', () => token({}, { typ: undefined })],
    ['of another type', () => token({}, { typ: 'logout+jwt' })],
    ['of another issuer', () => token({ iss: 'somebody' })],
    ['without an issuer', () => token({ iss: undefined })],
    ['for another audience', () => token({ aud: 'shop' })],
    ['without an audience', () => token({ aud: undefined })],
    ['that has expired', () => token({ exp: seconds(-10) })],
    ['that expires at no time', () => token({ exp: undefined })],
    ['that expires at a word', () => token({ exp: 'never' })],
    ['that is not valid yet', () => token({ nbf: seconds(60) })],
    ['without a subject', () => token({ sub: undefined })],
    ['with an empty subject', () => token({ sub: '' })],
    ['with a subject of 129 characters', () => token({ sub: 'a'.repeat(129) })],
    ['with a number as subject', () => token({ sub: 7 })],
    ['with a NUL in its subject', () => token({ sub: 'ali\0ce' })],
    ['with half a surrogate pair in its subject', () => token({ sub: 'alice\ud800' })],
    ['without a tenant', () => token({ tenant: undefined })],
    ['with a tenant that is no UUID', () => token({ tenant: "x'; select 1; --" })],
    ['with a UUID and more as tenant', () => token({ tenant: `${tenant.tenantId}\n'` })],
    ['with an upper-case tenant', () => token({ tenant: tenant.tenantId.toUpperCase() })],
    ['with a list of tenants', () => token({ tenant: [tenant.tenantId] })],
    ['of a tenant that does not exist', () => token({ tenant: randomUUID() })],
    ['without a role', () => token({ role: undefined })],
    ['with an unknown role', () => token({ role: 'root' })],
    ['with the name of a method as role', () => token({ role: 'constructor' })],
    ['with a list of roles', () => token({ role: ['admin'] })],
    [
      'whose claims were changed',
      async () => (await token()).replace(/\.[^.]+\./, `.${base64url({ ...claims(), role: 'admin' })}.`),
    ],
    ['whose signature was cut off', async () => (await token()).replace(/[^.]+$/, '')],
    [
      'whose last character was changed',
      async () => (await token()).replace(/.$/, (last) => (last === 'A' ? 'Q' : 'A')),
    ],
    ['of two parts', async () => (await token()).split('.').slice(0, 2).join('.')],
    ['of five parts', async () => `${await token()}.x.y`],
    ['of 10,000 characters', () => 'a'.repeat(10_000)],
    ['of dots', () => '...'],
  ])('%s opens nothing, and the answer does not say why', async (_name, make) => {
    const answer = await probe(`Bearer ${await make()}`);
    expectProblem(answer, 401, 'unauthenticated');
    expect(withoutRequestId(answer)).toEqual(withoutRequestId(await probe()));
    expect(answer.headers.get('www-authenticate')).toBe('Bearer');
  });

  it.each([
    ['no header', () => undefined],
    ['an empty header', () => ''],
    ['a scheme alone', () => 'Bearer'],
    ['a scheme and a space', () => 'Bearer '],
    ['a bare token', (good: string) => good],
    ['another scheme', (good: string) => `Basic ${good}`],
    ['a device scheme that does not exist yet', (good: string) => `Device ${good}`],
    ['two tokens', (good: string) => `Bearer ${good} ${good}`],
    ['several schemes', (good: string) => `Bearer ${good}, Basic YTpi`],
    ['several schemes, the good one last', (good: string) => `Basic YTpi, Bearer ${good}`],
    ['two spaces', (good: string) => `Bearer  ${good}`],
    ['a tab', (good: string) => `Bearer\t${good}`],
    ['a quoted token', (good: string) => `Bearer "${good}"`],
  ])('is not found in %s', async (_name, header) => {
    expectProblem(await probe(header(await token())), 401, 'unauthenticated');
  });

  it('is not taken from the query, a cookie or another header', async () => {
    const good = await token();
    for (const [path, headers] of [
      [`/wallets?access_token=${good}`, {}],
      ['/wallets', { cookie: `token=${good}; authorization=Bearer ${good}` }],
      ['/wallets', { 'x-authorization': `Bearer ${good}`, 'proxy-authorization': `Bearer ${good}` }],
    ] as const) {
      expectProblem(await clientOf(app).get(path, { headers }), 401, 'unauthenticated');
    }
  });

  it('decides alone of which tenant and who the caller is', async () => {
    const other = await createTestTenant(ctx, app, 'Other');
    const world = await openWorld(ctx, tenant);
    const headers = {
      'x-tenant-id': tenant.tenantId,
      'x-user-id': 'alice',
      'x-role': 'admin',
      'x-forwarded-user': 'alice',
    };
    expectProblem(await other.alice.get(`/tickets/${world.ticketId}`, { headers }), 404, 'not_found');
    expectProblem(
      await other.alice.post(`/tickets/${world.ticketId}/revoke`, { reason: 'fraud' }, { headers, key: 'k' }),
      403,
      'forbidden',
    );
  });

  it('is dead when it expires, however often it was used before', async () => {
    const short = await token({ exp: seconds(30) });
    try {
      expect((await probe(`Bearer ${short}`)).status).toBe(200);
      offset = 40_000;
      expectProblem(await probe(`Bearer ${short}`), 401, 'unauthenticated');
    } finally {
      offset = 0;
    }
  });

  it('opens nothing once its tenant was closed, within the time for which tenants are remembered', async () => {
    const closing = await createTestTenant(ctx, app, 'Closing');
    const close = (active: boolean) =>
      ctx.database.owner.query('update tenants set is_active = $2 where tenant_id = $1', [
        closing.tenantId,
        active,
      ]);
    try {
      expect((await closing.alice.get('/wallets')).status).toBe(200);
      expect((await closing.admin.get('/api-keys')).status).toBe(200);
      await close(false);
      offset = 61_000;
      expectProblem(await closing.alice.get('/wallets'), 401, 'unauthenticated');
      expectProblem(await closing.admin.get('/api-keys'), 401, 'unauthenticated');
      await close(true);
      expect((await closing.alice.get('/wallets')).status).toBe(200);
    } finally {
      offset = 0;
    }
  });
});

describe('the log', () => {
  type Line = { level: string; refusal?: string; requestId?: string; leftOut?: number; msg: string };

  /** What the log says of what `run` asks an app of its own, and all of its text. */
  async function logOf(
    run: (target: App, clock: TestClock) => Promise<unknown>,
    changes: Partial<TestContext['config']> = {},
    level = 'debug',
  ): Promise<{ lines: Line[]; text: string }> {
    const folder = await mkdtemp(`${tmpdir()}/tessera-log-`);
    const destination = `${folder}/api.log`;
    const clock = createTestClock();
    const log = createLogger({ level, process: 'api', destination });
    await run(
      createApp({ ...ctx, log, clock, config: { ...config, ...changes } as TestContext['config'] }),
      clock,
    );
    const text = await readFile(destination, 'utf8');
    await rm(folder, { recursive: true });
    const lines = text.split('\n').flatMap((line) => (line ? [JSON.parse(line) as Line] : []));
    return { lines: lines.filter(({ refusal }) => refusal), text };
  }

  const canary = 'canary-7f3a';
  it.each<[string, string, () => string | undefined | Promise<string>]>([
    ['no_token', 'debug', () => undefined],
    ['malformed', 'info', () => `Basic ${canary}`],
    ['malformed', 'info', () => `Bearer ${canary}.${canary}.${canary}`],
    ['malformed', 'info', () => `Bearer ${canary}`],
    ['expired', 'info', () => token({ exp: seconds(-60), name: canary })],
    ['no_expiry', 'info', () => token({ exp: undefined, name: canary })],
    ['not_yet_valid', 'info', () => token({ nbf: seconds(600), name: canary })],
    ['wrong_issuer', 'info', () => token({ iss: canary })],
    ['wrong_audience', 'info', () => token({ aud: canary })],
    ['wrong_type', 'info', () => token({ name: canary }, { typ: canary })],
    ['unknown_key', 'info', () => token({ name: canary }, { kid: canary })],
    ['bad_signature', 'info', () => token({ name: canary }, {}, stranger.privateKey)],
    ['wrong_algorithm', 'info', () => forged({ alg: 'HS256', x: canary }, () => Buffer.from(canary))],
    ['not_supported', 'info', () => forged({ alg: 'EdDSA', crit: [canary], [canary]: 1 }, `${canary}A`)],
    ['bad_subject', 'info', () => token({ sub: `${canary}\0` })],
    ['bad_tenant', 'info', () => token({ tenant: canary })],
    ['bad_role', 'info', () => token({ role: canary })],
    ['tenant_closed', 'info', () => token({ tenant: randomUUID(), name: canary })],
    ['api_key_malformed', 'info', () => `tk_live_${canary}`],
    ['api_key_unknown', 'info', () => formatApiKey(tenant.tenantId, randomUUID()).text],
    [
      'api_key_unknown',
      'info',
      () =>
        `tk_live_${Buffer.concat([Buffer.from(tenant.apiKey.slice(8), 'base64url').subarray(0, 32), Buffer.alloc(24)]).toString('base64url')}`,
    ],
  ])('names the refusal %s (%s), and nothing of the token', async (refusal, level, make) => {
    const given = await make();
    const header = given === undefined || given.includes(' ') ? given : `Bearer ${given}`;
    let answer: Awaited<ReturnType<typeof probe>> | undefined;
    const { lines, text } = await logOf(async (target) => {
      answer = await probe(header, target);
    });
    expect(answer?.status).toBe(401);
    expect(lines).toEqual([
      expect.objectContaining({ refusal, level, requestId: answer?.headers.get('x-request-id') }),
    ]);
    expect(text).not.toContain(canary);
    for (const part of (header ?? '').split(/[ .]/).filter((one) => one.length > 12)) {
      expect(text).not.toContain(part);
    }
    // Nor does the answer say what the log says.
    expect(JSON.stringify([answer?.body, ...(answer?.headers ?? [])])).not.toContain(refusal);
  });

  it('tells a key that was revoked from one that ran out', async () => {
    const { body: key } = await tenant.admin.post<{ id: string; key: string }>('/api-keys', {
      name: 'shop',
      role: 'buyer',
      expiresAt: new Date(Date.now() + 60_000).toISOString(),
    });
    const { lines } = await logOf(async (target, clock) => {
      clock.advance(61_000);
      await probe(`Bearer ${key.key}`, target);
      clock.advance(-61_000);
      await tenant.admin.delete(`/api-keys/${key.id}`);
      await probe(`Bearer ${key.key}`, target);
    });
    expect(lines.map(({ refusal }) => refusal)).toEqual(['api_key_expired', 'api_key_revoked']);
  });

  it('warns when the keys of the issuer cannot be had', async () => {
    const { JWT_PUBLIC_KEYS, ...rest } = config;
    const { lines, text } = await logOf(
      async (target) => probe(`Bearer ${await token({ name: canary })}`, target),
      { ...rest, JWT_PUBLIC_KEYS: undefined, JWT_JWKS_URL: 'http://127.0.0.1:1/jwks' },
    );
    expect(lines).toMatchObject([{ refusal: 'keys_unavailable', level: 'warn' }]);
    expect(text).not.toContain(canary);
  });

  it('is not filled by whoever sends bad tokens, and tells how much was left out', async () => {
    const { lines } = await logOf(async (target, clock) => {
      for (let i = 0; i < 50; i++) await probe('Bearer x', target);
      clock.advance(1_000);
      await probe('Bearer x', target);
    });
    expect(lines).toHaveLength(21);
    expect(lines.at(-1)).toMatchObject({ refusal: 'malformed', leftOut: 30 });
  });

  it('has room for bad tokens, however many come without one', async () => {
    const ask = async (target: App) => {
      for (let i = 0; i < 50; i++) await probe(undefined, target);
      await probe('Bearer x', target);
    };
    const { lines } = await logOf(ask, {}, 'info');
    expect(lines).toMatchObject([{ refusal: 'malformed' }]);
  });

  it('says nothing of who is let in', async () => {
    const { lines } = await logOf(async (target) => probe(`Bearer ${await token()}`, target));
    expect(lines).toEqual([]);
  });
});

describe('a shared secret', () => {
  const JWT_SECRET = 's'.repeat(32);
  const secret = new TextEncoder().encode(JWT_SECRET);
  const withSecret = () => {
    const { JWT_PUBLIC_KEYS, ...rest } = ctx.config;
    return createApp({
      ...ctx,
      config: { ...rest, JWT_ALGORITHMS: ['HS256'], JWT_SECRET } as TestContext['config'],
    });
  };

  it('verifies tokens signed with it', async () => {
    expect((await probe(`Bearer ${await token({}, { alg: 'HS256' }, secret)}`, withSecret())).status).toBe(
      200,
    );
  });

  it.each<[string, () => string | Promise<string>]>([
    ['under another secret', () => token({}, { alg: 'HS256' }, new TextEncoder().encode('t'.repeat(32)))],
    ['with another algorithm of that secret', () => token({}, { alg: 'HS512' }, secret)],
    ['with a key pair', () => token()],
    ['with nothing', () => forged({ alg: 'none' }, '')],
  ])('refuses tokens signed %s', async (_name, make) => {
    expectProblem(await probe(`Bearer ${await make()}`, withSecret()), 401, 'unauthenticated');
  });
});

describe('keys behind a URL', () => {
  async function withIssuer(run: (issuer: Issuer, target: App) => Promise<void>) {
    const issuer = await startIssuer();
    const { JWT_PUBLIC_KEYS, ...rest } = ctx.config;
    const changed = { ...rest, JWT_JWKS_URL: issuer.url } as TestContext['config'];
    // The time of the key set's cooldown is the clock's of the process.
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() });
    try {
      await run(issuer, createApp({ ...ctx, config: changed }));
    } finally {
      vi.useRealTimers();
      await issuer.close();
    }
  }

  it('are fetched once for many tokens', () =>
    withIssuer(async (issuer, target) => {
      for (let i = 0; i < 5; i++) {
        expect((await probe(`Bearer ${await token({ sub: `user-${i}` })}`, target)).status).toBe(200);
      }
      expect(issuer.asked).toBe(1);
    }));

  it('are fetched again for a key that is new, and the old key stays good while it is published', () =>
    withIssuer(async (issuer, target) => {
      const next = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true });
      const fresh = () => token({}, { kid: 'next' }, next.privateKey);
      expectProblem(await probe(`Bearer ${await fresh()}`, target), 401, 'unauthenticated');
      issuer.keys = [
        ...keys,
        { ...(await exportJWK(next.publicKey)), alg: 'EdDSA', kid: 'next', use: 'sig' },
      ];
      vi.setSystemTime(Date.now() + 11_000);
      expect((await probe(`Bearer ${await fresh()}`, target)).status).toBe(200);
      expect((await probe(`Bearer ${await token()}`, target)).status).toBe(200);
    }));

  it('are not fetched for every unknown key id that somebody makes up', () =>
    withIssuer(async (issuer, target) => {
      for (let i = 0; i < 20; i++) {
        const made = await token({}, { kid: `made-up-${i}` });
        expectProblem(await probe(`Bearer ${made}`, target), 401, 'unauthenticated');
      }
      expect(issuer.asked).toBeLessThanOrEqual(2);
    }));

  it.each([
    ['does not answer', (issuer: Issuer) => issuer.close()],
    ['answers an error', (issuer: Issuer) => void Object.assign(issuer, { status: 500 })],
    ['answers with something else', (issuer: Issuer) => void Object.assign(issuer, { keys: 'x' })],
    ['sends us elsewhere', (issuer: Issuer) => void Object.assign(issuer, { status: 302 })],
  ])('open nothing when the issuer %s', (_name, breakIt) =>
    withIssuer(async (issuer, target) => {
      await breakIt(issuer);
      const answer = await probe(`Bearer ${await token()}`, target);
      expectProblem(answer, 401, 'unauthenticated');
      expect(withoutRequestId(answer)).toEqual(withoutRequestId(await probe(undefined, target)));
    }),
  );
});

type Issuer = Awaited<ReturnType<typeof startIssuer>>;

async function startIssuer() {
  const issuer = { url: '', asked: 0, status: 200, keys: keys as unknown, close: async () => {} };
  const server = createServer((_request, response) => {
    issuer.asked++;
    response.writeHead(issuer.status, { 'content-type': 'application/json', location: issuer.url });
    response.end(JSON.stringify({ keys: issuer.keys }));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  issuer.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`;
  issuer.close = async () => {
    server.closeAllConnections();
    server.close();
  };
  return issuer;
}

describe('every route', () => {
  let nobody: Client;
  let garbage: Client;
  beforeAll(async () => {
    nobody = clientOf(app);
    const { privateKey } = generateKeyPairSync('ed25519');
    garbage = clientOf(app, await token({ role: 'admin' }, {}, privateKey));
  });

  it('asks for a token but for health, the public side of NFTs and notices that prove themselves', async () => {
    const open = (await listOperations(app)).filter(({ guarded }) => !guarded).map(({ name }) => name);
    expect(open.toSorted()).toEqual([
      'GET /api/nft/{mint}/image.svg',
      'GET /api/nft/{mint}/metadata.json',
      'GET /health/live',
      'GET /health/ready',
      'POST /api/payments/webhook/{provider}',
    ]);
  });

  it('answers 401 without a good token before it looks at anything else, and does nothing', async () => {
    const world = await openWorld(ctx, tenant);
    const before = await digestDatabase(ctx);
    for (const { name, guarded } of await listOperations(app)) {
      if (!guarded) continue;
      for (const client of [nobody, garbage]) {
        const answers = [
          await request(client, name, world, { key: randomUUID() }),
          await request(client, name, world, { body: name.startsWith('P') ? '{' : undefined }),
        ];
        for (const answer of answers) {
          expect([name, answer.status]).toEqual([name, 401]);
          expectProblem(answer, 401, 'unauthenticated');
        }
      }
    }
    expect(await digestDatabase(ctx)).toBe(before);
  });

  it.each(['/nothing', '/events/x/y/z', '/', '/../api/admin'])(
    'that does not exist (%s) is not told from the others without a token',
    async (path) => {
      expectProblem(await nobody.get(path), 401, 'unauthenticated');
      expectProblem(await nobody.delete(path), 401, 'unauthenticated');
    },
  );

  it('answers each role on its own token only', async () => {
    const known = clientOf(app, await issueToken({ tenantId: tenant.tenantId, subject: 'x', role: 'buyer' }));
    expectProblem(await known.get('/api-keys'), 403, 'forbidden');
  });
});
