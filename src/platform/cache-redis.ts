import { Redis, type Result } from 'ioredis';
import { type Cache, versioned } from './cache.ts';
import { createMemoryCache } from './cache-memory.ts';
import type { Logger } from './logger.ts';
import type { Metrics } from './metrics.ts';

const SET_NEWER = `
local stored = redis.call('get', KEYS[1])
if stored then
  local version = string.match(stored, '^(%d+)|')
  if version and (#version > #ARGV[1] or (#version == #ARGV[1] and version >= ARGV[1])) then return 0 end
end
redis.call('set', KEYS[1], ARGV[2], 'EX', ARGV[3])
return 1`;

/** Counts in one step, so that a counter can never be left without an end. */
const INCREMENT = `
local count = redis.call('incr', KEYS[1])
if count == 1 then redis.call('expire', KEYS[1], ARGV[1]) end
return count`;

declare module 'ioredis' {
  interface RedisCommander<Context> {
    setNewer(key: string, version: string, value: string, ttl: number): Result<number, Context>;
    incrementWithEnd(key: string, ttl: number): Result<number, Context>;
  }
}

/** How long Redis is left alone after a failure: a hung server must not cost every request its time-out. */
const REST_MS = 1_000;

/**
 * The cache in Redis. A command takes 250 ms at most; after a failure Redis rests for a second, in which reads miss,
 * writes are dropped and counters go to this process's memory, so rate limits hold without Redis.
 */
export function createRedisCache(options: {
  url: string;
  prefix: string;
  log: Logger;
  metrics: Metrics;
}): Cache {
  const { url, prefix, log, metrics } = options;
  const local = createMemoryCache();
  const redis = new Redis(url, {
    keyPrefix: prefix,
    commandTimeout: 250,
    connectTimeout: 2_000,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    retryStrategy: (attempt) => Math.min(2_000, 50 * 2 ** Math.min(attempt, 6)),
    scripts: {
      setNewer: { lua: SET_NEWER, numberOfKeys: 1 },
      incrementWithEnd: { lua: INCREMENT, numberOfKeys: 1 },
    },
  });
  redis.on('error', (error) => log.debug({ err: error.message }, 'redis connection'));
  let restsUntil = 0;

  async function attempt<T>(
    command: string,
    run: () => Promise<T>,
    otherwise: T | (() => Promise<T>),
  ): Promise<T> {
    if (performance.now() >= restsUntil) {
      try {
        return await run();
      } catch (error) {
        restsUntil = performance.now() + REST_MS;
        metrics.cacheFailures.inc({ command });
        log.warn({ command, err: (error as Error).message }, 'the cache failed and rests for a second');
      }
    }
    return typeof otherwise === 'function' ? (otherwise as () => Promise<T>)() : otherwise;
  }

  return {
    get: (key) => attempt('get', async () => (await redis.get(key)) ?? undefined, undefined),
    set: (key, value, ttl) =>
      attempt('set', async () => void (await redis.set(key, value, 'EX', ttl)), undefined),
    setNewer: (key, value, version, ttl) =>
      attempt(
        'setNewer',
        async () => void (await redis.setNewer(key, String(version), versioned(value, version), ttl)),
        undefined,
      ),
    delete: async (...keys) => {
      if (keys.length > 0) await attempt('delete', async () => void (await redis.del(keys)), undefined);
    },
    increment: (key, ttl) =>
      attempt(
        'increment',
        () => redis.incrementWithEnd(key, ttl),
        () => local.increment(key, ttl),
      ),
    ping: () => attempt('ping', async () => (await redis.ping()) === 'PONG', false),
    close: async () => {
      redis.disconnect();
      await local.close();
    },
  };
}
