import { randomBytes, randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { type Cache, type CacheKey, circuitKey, tenantKey, unversioned } from '../../src/platform/cache.ts';
import { createMemoryCache } from '../../src/platform/cache-memory.ts';
import { createRedisCache } from '../../src/platform/cache-redis.ts';
import { toTenantId } from '../../src/platform/ids.ts';
import { createMetrics, type Metrics } from '../../src/platform/metrics.ts';
import { waitFor } from '../../src/platform/retry.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { createTestClock, MINUTE } from '../support/test-clock.ts';
import { log } from './support/open-bus.ts';

const redisUrl = inject('redis') ?? '';
const leftOut = redisUrl ? '' : ' (left out: needs Redis)';
const newKey = (): CacheKey => tenantKey(toTenantId(randomUUID()), 'ticket', randomUUID());

describe('the cache in memory', () => contract(async () => createMemoryCache()));
describe.skipIf(!redisUrl)(`the cache in Redis${leftOut}`, () => contract(openRedis));

/** What everybody may rely on, whichever cache runs. */
function contract(open: () => Promise<Cache>): void {
  let cache: Cache;
  beforeAll(async () => {
    cache = await open();
    return () => cache.close();
  });

  it('gives back what was put in, and nothing else', async () => {
    const [key, missing] = [newKey(), newKey()];
    for (const value of ['text', '', '0', 'Zürich 🎫 \n"', 'x'.repeat(100_000)]) {
      await cache.set(key, value, 60);
      expect(await cache.get(key)).toBe(value);
    }
    expect(await cache.get(missing)).toBeUndefined();
  });

  it('forgets what it is told to, the missing included', async () => {
    const keys = [newKey(), newKey(), newKey()];
    const [first, second, third] = keys as [CacheKey, CacheKey, CacheKey];
    await cache.set(first, '1', 60);
    await cache.set(second, '2', 60);
    await cache.delete(first, third);
    await cache.delete();
    expect(await Promise.all(keys.map((key) => cache.get(key)))).toEqual([undefined, '2', undefined]);
  });

  it('forgets by itself when the time is over', async () => {
    const [plain, versioned, counter, kept] = [newKey(), newKey(), newKey(), newKey()];
    await cache.set(plain, 'x', 1);
    await cache.setNewer(versioned, 'x', 5n, 1);
    await cache.increment(counter, 1);
    await cache.set(kept, 'x', 1);
    await cache.set(kept, 'y', 60);
    await delay(600);
    // A counter ends after its first step, however often it steps.
    expect(await cache.increment(counter, 60)).toBe(2);
    expect(await cache.get(plain)).toBe('x');
    await delay(600);
    expect(await cache.get(plain)).toBeUndefined();
    expect(await cache.get(versioned)).toBeUndefined();
    expect(await cache.increment(counter, 60)).toBe(1);
    expect(await cache.get(kept)).toBe('y');
    await cache.setNewer(versioned, 'older, but alone', 1n, 60);
    expect(unversioned((await cache.get(versioned)) ?? '')).toBe('older, but alone');
  });

  it('keeps the newest version, in whichever order they come', async () => {
    const key = newKey();
    const versions = [3n, 1n, 10n, 9n, 2n, 10n, 99n, 100n, 5n];
    let newest = 0n;
    for (const version of versions) {
      if (version > newest) newest = version;
      await cache.setNewer(key, `v${version}`, version, 60);
      expect(await cache.get(key)).toBe(`${newest}|v${newest}`);
    }
    await cache.setNewer(key, 'another of the same version', 100n, 60);
    expect(await cache.get(key)).toBe('100|v100');
  });

  it('keeps the newest version of many writers at once', async () => {
    const key = newKey();
    const versions = Array.from({ length: 60 }, (_, i) => BigInt((i * 37) % 61));
    await Promise.all(versions.map((version) => cache.setNewer(key, 'x', version, 60)));
    expect(await cache.get(key)).toBe('60|x');
  });

  it('compares versions that no float can hold', async () => {
    const key = newKey();
    const large = 2n ** 60n;
    await cache.setNewer(key, 'large', large, 60);
    await cache.setNewer(key, 'smaller by one', large - 1n, 60);
    expect(await cache.get(key)).toBe(`${large}|large`);
    await cache.setNewer(key, 'larger by one', large + 1n, 60);
    expect(unversioned((await cache.get(key)) ?? '')).toBe('larger by one');
  });

  it('keeps a value with the sign that stands between version and value', async () => {
    const key = newKey();
    await cache.setNewer(key, 'a|b|c', 7n, 60);
    expect(unversioned((await cache.get(key)) ?? '')).toBe('a|b|c');
  });

  it('writes a version over what has none', async () => {
    const key = newKey();
    for (const plain of ['', 'text', '|', '-5|x', '7']) {
      await cache.set(key, plain, 60);
      await cache.setNewer(key, 'x', 1n, 60);
      expect(await cache.get(key)).toBe('1|x');
    }
  });

  it('counts without losing a step', async () => {
    const key = newKey();
    const counts = await Promise.all(Array.from({ length: 100 }, () => cache.increment(key, 60)));
    expect(counts.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
  });

  it('answers a ping', async () => {
    expect(await cache.ping()).toBe(true);
  });
}

describe('a key', () => {
  it('of a tenant begins with it, and no other tenant can name it', () => {
    const [one, other] = [toTenantId(randomUUID()), toTenantId(randomUUID())];
    expect(tenantKey(one, 'ticket', 'x')).toBe(`t:${one}:ticket:x`);
    expect(tenantKey(one, 'ticket', 'x')).not.toBe(tenantKey(other, 'ticket', 'x'));
    expect(tenantKey(other, 'ticket', `../t:${one}:ticket:x`)).toMatch(`t:${other}:`);
    expect(circuitKey('chain')).not.toMatch(/^t:/);
  });
});

describe('the cache in memory', () => {
  it('has at most as many entries as it was given, the oldest written leaving first', async () => {
    const cache = createMemoryCache({ maxEntries: 3 });
    const keys = Array.from({ length: 4 }, newKey) as [CacheKey, CacheKey, CacheKey, CacheKey];
    for (const key of keys.slice(0, 3)) await cache.set(key, 'x', 60);
    await cache.set(keys[0], 'again', 60);
    await cache.set(keys[3], 'x', 60);
    expect(await Promise.all(keys.map((key) => cache.get(key)))).toEqual(['again', undefined, 'x', 'x']);
  });

  it('ends an entry at its second and not before', async () => {
    const clock = createTestClock();
    const cache = createMemoryCache({ clock });
    const key = newKey();
    await cache.set(key, 'x', 60);
    clock.advance(MINUTE - 1);
    expect(await cache.get(key)).toBe('x');
    clock.advance(1);
    expect(await cache.get(key)).toBeUndefined();
  });
});

describe.skipIf(!redisUrl)(`when Redis misbehaves${leftOut}`, () => {
  let proxy: TcpProxy;
  let metrics: Metrics;
  let cache: Cache;

  beforeEach(async () => {
    proxy = await startTcpProxy(redisUrl);
    metrics = createMetrics();
    cache = createRedisCache({ url: proxy.url(redisUrl), prefix, log, metrics });
    await expect.poll(() => cache.ping(), { timeout: 5_000 }).toBe(true);
    return async () => {
      await cache.close();
      await proxy.close();
    };
  });
  const failures = async () =>
    (await metrics.cacheFailures.get()).values.reduce((sum, { value }) => sum + value, 0);

  it('a hung one costs one time-out and not one for each request', async () => {
    const key = newKey();
    await cache.set(key, 'x', 60);
    const before = await failures();
    proxy.swallow(true);
    const started = performance.now();
    expect(await cache.get(key)).toBeUndefined();
    const first = performance.now() - started;
    for (let i = 0; i < 100; i++) expect(await cache.get(key)).toBeUndefined();
    await cache.set(key, 'y', 60);
    await cache.setNewer(key, 'y', 1n, 60);
    await cache.delete(key);
    expect(await cache.ping()).toBe(false);
    expect(first).toBeLessThan(1_000);
    expect(performance.now() - started).toBeLessThan(1_500);
    expect(await failures()).toBe(before + 1);
    proxy.swallow(false);
    proxy.cut();
    await expect.poll(() => cache.get(key), { timeout: 8_000 }).toBe('x');
  });

  it('one that is gone throws nothing, and counters count on', async () => {
    const key = newKey();
    expect(await cache.increment(key, 60)).toBe(1);
    proxy.refuse(true);
    proxy.cut();
    await delay(20);
    const counts = [];
    for (let i = 0; i < 5; i++) counts.push(await cache.increment(key, 60));
    expect(counts).toEqual([1, 2, 3, 4, 5]);
    expect(await cache.get(key)).toBeUndefined();
    expect(await failures()).toBeGreaterThan(0);
    proxy.refuse(false);
    await expect.poll(() => cache.ping(), { timeout: 8_000 }).toBe(true);
    expect(await cache.increment(key, 60)).toBe(2);
  });

  it('one that was emptied is only a cache that is cold', async () => {
    const key = newKey();
    const before = await failures();
    await cache.setNewer(key, 'x', 9n, 60);
    await cache.increment(newKey(), 60);
    await clear();
    expect(await cache.get(key)).toBeUndefined();
    await cache.setNewer(key, 'y', 1n, 60);
    expect(await cache.get(key)).toBe('1|y');
    expect(await failures()).toBe(before);
  });

  it('one that was not there at the start is used when it comes', async () => {
    const other = await startTcpProxy(redisUrl);
    other.refuse(true);
    const late = createRedisCache({ url: other.url(redisUrl), prefix, log, metrics });
    const key = newKey();
    await late.set(key, 'x', 60);
    expect(await late.get(key)).toBeUndefined();
    expect(await late.increment(key, 60)).toBe(1);
    other.refuse(false);
    await expect.poll(() => late.ping(), { timeout: 8_000 }).toBe(true);
    await late.set(key, 'x', 60);
    expect(await late.get(key)).toBe('x');
    await late.close();
    await other.close();
  });
});

const prefix = `test-${randomBytes(6).toString('hex')}:`;

async function openRedis(): Promise<Cache> {
  const cache = createRedisCache({ url: redisUrl, prefix, log, metrics: createMetrics() });
  if (!(await waitFor(() => cache.ping(), { timeoutMs: 5_000 }))) throw new Error('Redis does not answer');
  return cache;
}

/** Removes all that this file put into Redis. */
async function clear(): Promise<void> {
  const redis = new Redis(redisUrl);
  const keys = await redis.keys(`${prefix}*`);
  if (keys.length > 0) await redis.del(keys);
  redis.disconnect();
}

afterAll(async () => {
  if (redisUrl) await clear();
});
