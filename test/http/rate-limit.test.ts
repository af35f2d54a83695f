import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { createApp } from '../../src/api/app.ts';
import type { Cache } from '../../src/platform/cache.ts';
import { createMemoryCache } from '../../src/platform/cache-memory.ts';
import { createRedisCache } from '../../src/platform/cache-redis.ts';
import {
  clientOf,
  createTestContext,
  createTestTenant,
  type TestContext,
  type TestTenant,
  testConfig,
} from '../support/test-context.ts';
import { expectProblem } from './support/problems.ts';

const LIMIT = 5;
const redis = inject('redis');
let ctx: TestContext;
let time: Date;

beforeAll(async () => {
  const config = testConfig({ RATE_LIMIT_PER_MINUTE: String(LIMIT) });
  ctx = await createTestContext({ config, clock: { now: () => time } });
});
afterAll(() => ctx.close());
// Half a minute from a minute's start, near enough to now for tokens to be good.
beforeEach(() => {
  time = new Date(Math.floor(Date.now() / 60_000) * 60_000 + 30_000);
});

const caches: [string, () => Cache][] = [['in memory', () => createMemoryCache()]];
if (redis) {
  const open = (url: string) =>
    createRedisCache({ url, prefix: `test-${randomUUID()}:`, log: ctx.log, metrics: ctx.metrics });
  caches.push(['in Redis', () => open(redis)]);
  caches.push(['without the Redis that it was given', () => open('redis://127.0.0.1:1')]);
}

describe.each(caches)('the limit, counted %s', (_name, openCache) => {
  let cache: Cache;
  let tenant: TestTenant;
  let other: TestTenant;
  beforeAll(async () => {
    cache = openCache();
    time = new Date();
    for (let i = 0; i < 50 && !(await cache.ping()); i++) await new Promise((done) => setTimeout(done, 5));
    const app = createApp({ ...ctx, cache });
    tenant = await createTestTenant(ctx, app);
    other = await createTestTenant(ctx, app, 'Other');
  });
  afterAll(() => cache.close());

  it('lets so many through in a minute, and says how many are left and until when', async () => {
    const alice = await tenant.as(`alice-${randomUUID()}`, 'buyer');
    for (let left = LIMIT - 1; left >= 0; left--) {
      const { status, headers } = await alice.get('/wallets');
      expect([
        status,
        headers.get('ratelimit-limit'),
        headers.get('ratelimit-remaining'),
        headers.get('ratelimit-reset'),
      ]).toEqual([200, String(LIMIT), String(left), '30']);
    }
    for (let i = 0; i < 3; i++) {
      const answer = await alice.get('/wallets');
      expectProblem(answer, 429, 'rate_limited');
      expect(answer.headers.get('retry-after')).toBe('30');
      expect(answer.headers.get('ratelimit-remaining')).toBe('0');
      expect(answer.headers.get('ratelimit-limit')).toBe(String(LIMIT));
    }
  });

  it('begins anew with the next minute, and not a second earlier', async () => {
    const alice = await tenant.as(`alice-${randomUUID()}`, 'buyer');
    for (let i = 0; i < LIMIT; i++) await alice.get('/wallets');
    time = new Date(time.getTime() + 29_999);
    const late = await alice.get('/wallets');
    expect([late.status, late.headers.get('retry-after')]).toEqual([429, '1']);
    time = new Date(time.getTime() + 1);
    const next = await alice.get('/wallets');
    expect([next.status, next.headers.get('ratelimit-remaining')]).toEqual([200, String(LIMIT - 1)]);
  });

  it('counts each for themselves', async () => {
    const name = `alice-${randomUUID()}`;
    const alice = await tenant.as(name, 'buyer');
    const bob = await tenant.as(`bob-${randomUUID()}`, 'buyer');
    const namesake = await other.as(name, 'buyer');
    for (let i = 0; i <= LIMIT; i++) await alice.get('/wallets');
    expect((await alice.get('/wallets')).status).toBe(429);
    expect((await bob.get('/wallets')).status).toBe(200);
    expect((await namesake.get('/wallets')).status).toBe(200);
  });

  it('is not met with another token of the same person', async () => {
    const name = `alice-${randomUUID()}`;
    for (let i = 0; i < LIMIT; i++) await (await tenant.as(name, 'buyer')).get('/wallets');
    expect((await (await tenant.as(name, 'buyer')).get('/wallets')).status).toBe(429);
  });

  it('holds against fifty requests at once', async () => {
    const alice = await tenant.as(`alice-${randomUUID()}`, 'buyer');
    const answers = await Promise.all(Array.from({ length: 50 }, () => alice.get('/wallets')));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(LIMIT);
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(50 - LIMIT);
  });

  it('counts what is refused as well, before its body is read', async () => {
    const olga = await tenant.as(`olga-${randomUUID()}`, 'organiser');
    for (let i = 0; i < LIMIT; i++) {
      expect((await olga.post('/events', '{')).status).toBe(400);
    }
    expectProblem(await olga.post('/events', 'x'.repeat(100_000)), 429, 'rate_limited');
  });

  it('leaves health and the public side alone', async () => {
    const nobody = clientOf(createApp({ ...ctx, cache }));
    for (let i = 0; i < LIMIT * 2; i++) {
      const { status, headers } = await nobody.get('/../health/live');
      expect([status, headers.get('ratelimit-limit')]).toEqual([200, null]);
    }
  });
});
