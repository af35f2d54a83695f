import { randomBytes } from 'node:crypto';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import type { createApp } from '../../src/api/app.ts';
import { type Config, loadConfig } from '../../src/config.ts';
import type { AppContext } from '../../src/context.ts';
import { createChainReader } from '../../src/domain/chain/read/chain-reader.ts';
import { createRpc } from '../../src/domain/chain/rpc/rpc.ts';
import { createTestProvider } from '../../src/domain/payments/test-provider.ts';
import { createTenant } from '../../src/domain/tenants/create-tenant.ts';
import { topology } from '../../src/messages.ts';
import type { Role } from '../../src/platform/actor.ts';
import { createLocalBus } from '../../src/platform/bus-local.ts';
import { createMemoryCache } from '../../src/platform/cache-memory.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { noFailpoints } from '../../src/platform/failpoints.ts';
import { createLogger } from '../../src/platform/logger.ts';
import { createMetrics } from '../../src/platform/metrics.ts';
import { openTestDatabase, type TestDatabase } from './test-database.ts';

export const LOCAL_PROGRAM_ID = 'TesseraTicket111111111111111111111111111111';
/** Nothing listens there: a chain that does not answer. */
export const DEAD_RPC = 'http://127.0.0.1:1';

const { privateKey, publicKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true });
const jwk = { ...(await exportJWK(publicKey)), alg: 'EdDSA', kid: 'test', use: 'sig' };

export const identity = {
  JWT_ISSUER: 'tessera-test',
  JWT_AUDIENCE: 'tessera',
  JWT_ALGORITHMS: 'EdDSA',
  JWT_PUBLIC_KEYS: JSON.stringify({ keys: [jwk] }),
};

export function testConfig(env: Record<string, string> = {}): Config {
  const codeKeys = `1:${randomBytes(32).toString('base64')}`;
  const base = {
    NODE_ENV: 'test',
    LOG_LEVEL: 'silent',
    RATE_LIMIT_PER_MINUTE: '100000',
    HOLDS_PER_MINUTE: '100000',
    MAX_HELD_PLACES: '10000',
    QR_MASTER_KEYS: codeKeys,
  };
  return loadConfig({ ...base, CHAIN_PROGRAM_ID: LOCAL_PROGRAM_ID, ...identity, ...env }, 'up');
}

/** A token as the tenant's identity provider would give it out. */
export function issueToken({
  tenantId,
  subject,
  ...claims
}: {
  tenantId: string;
  subject: string;
  role: Role;
  scope?: string;
  email?: string;
  email_verified?: boolean;
}): Promise<string> {
  return new SignJWT({ tenant: tenantId, ...claims })
    .setProtectedHeader({ alg: 'EdDSA', typ: 'JWT', kid: 'test' })
    .setSubject(subject)
    .setIssuer(identity.JWT_ISSUER)
    .setAudience(identity.JWT_AUDIENCE)
    .setIssuedAt()
    .setExpirationTime('24h')
    .sign(privateKey);
}

export type TestContext = AppContext & { database: TestDatabase; close(): Promise<void> };

/**
 * The context of an API on a database of its own, with the in-process bus and cache. The chain does not answer unless
 * a test brings one.
 */
export async function createTestContext(
  overrides: Partial<AppContext> & { rpcUrl?: string } = {},
): Promise<TestContext> {
  const { rpcUrl = DEAD_RPC, ...given } = overrides;
  const database = await openTestDatabase();
  const config = given.config ?? testConfig();
  const log = createLogger({ level: config.LOG_LEVEL, process: 'test' });
  const metrics = createMetrics();
  const clock = given.clock ?? systemClock;
  const cache = given.cache ?? createMemoryCache({ clock });
  const rpc = createRpc({ urls: [rpcUrl], cache, log, metrics });
  const base = { config, log, metrics, cache, clock, db: database.app, failpoints: noFailpoints };
  const bus = given.bus ?? createLocalBus({ topology, log, confirmTimeoutMs: 2_000 });
  return {
    ...base,
    bus,
    chain: createChainReader(rpc, LOCAL_PROGRAM_ID),
    payments: createTestProvider(base),
    ...given,
    database,
    async close() {
      await bus.close();
      await cache.close();
      await database.drop();
    },
  };
}

type Answer<T = Record<string, unknown>> = { status: number; body: T; headers: Headers };
type CallOptions = { key?: string; headers?: Record<string, string> };

/** A client of the app without a socket in between. */
export function clientOf(app: ReturnType<typeof createApp>, token?: string) {
  async function call<T>(
    method: string,
    path: string,
    body?: unknown,
    options: CallOptions = {},
  ): Promise<Answer<T>> {
    const { key, headers = {} } = options;
    const response = await app.request(`/api${path}`, {
      method,
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(key === undefined ? {} : { 'idempotency-key': key }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const json = /json/.test(response.headers.get('content-type') ?? '');
    return {
      status: response.status,
      body: (json ? JSON.parse(text) : text) as T,
      headers: response.headers,
    };
  }
  return {
    get: <T = Record<string, unknown>>(path: string, options?: CallOptions) =>
      call<T>('GET', path, undefined, options),
    delete: <T = Record<string, unknown>>(path: string, options?: CallOptions) =>
      call<T>('DELETE', path, undefined, options),
    post: <T = Record<string, unknown>>(path: string, body?: unknown, options?: CallOptions) =>
      call<T>('POST', path, body, options),
    patch: <T = Record<string, unknown>>(path: string, body?: unknown, options?: CallOptions) =>
      call<T>('PATCH', path, body, options),
    put: <T = Record<string, unknown>>(path: string, body?: unknown, options?: CallOptions) =>
      call<T>('PUT', path, body, options),
  };
}

export type Client = ReturnType<typeof clientOf>;

/** A tenant with people in every role, each with a client. */
export async function createTestTenant(ctx: AppContext, app: ReturnType<typeof createApp>, name = 'Test') {
  const { tenantId, apiKey } = await createTenant(ctx, { name });
  const as = async (
    subject: string,
    role: Role,
    more: { scope?: string; verifiedEmail?: string } = {},
  ): Promise<Client> => {
    const { scope, verifiedEmail: email } = more;
    const claims = { ...(scope ? { scope } : {}), ...(email ? { email, email_verified: true } : {}) };
    return clientOf(app, await issueToken({ tenantId, subject, role, ...claims }));
  };
  return {
    tenantId,
    apiKey: apiKey.key,
    as,
    admin: clientOf(app, apiKey.key),
    organiser: await as('olga', 'organiser'),
    support: await as('sam', 'support'),
    alice: await as('alice', 'buyer'),
    bob: await as('bob', 'buyer'),
    scanner: await as('gate-1', 'scanner'),
  };
}

export type TestTenant = Awaited<ReturnType<typeof createTestTenant>>;
