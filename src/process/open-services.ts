import type { Config } from '../config.ts';
import { topology } from '../messages.ts';
import type { Bus } from '../platform/bus.ts';
import { createRabbitBus } from '../platform/bus-rabbit.ts';
import type { Cache } from '../platform/cache.ts';
import { createMemoryCache } from '../platform/cache-memory.ts';
import { createRedisCache } from '../platform/cache-redis.ts';
import type { Clock } from '../platform/clock.ts';
import { createDatabaseClock } from '../platform/database-clock.ts';
import type { Db } from '../platform/db.ts';
import { createFailpoints, type Failpoints, noFailpoints } from '../platform/failpoints.ts';
import { createLogger, type Logger } from '../platform/logger.ts';
import { createMetrics, type Metrics } from '../platform/metrics.ts';
import { type DatabaseVariable, openDatabase } from './open-database.ts';

/** What every process has, opened from its configuration and closed in the opposite order. */
export type Services = {
  config: Config;
  log: Logger;
  metrics: Metrics;
  clock: Clock;
  failpoints: Failpoints;
  cache: Cache;
  openDb(variable: DatabaseVariable, poolSize?: number): Promise<Db>;
  openBus(): Promise<Bus>;
  /** From here on the clock is that of `db`, which every process of the system shares. */
  keepTime(db: Db): Promise<void>;
  close(): Promise<void>;
};

export function openServices(config: Config, name: string): Services {
  const log = createLogger({ level: config.LOG_LEVEL, process: name });
  const metrics = createMetrics();
  metrics.collectProcess();
  const closers: (() => Promise<void>)[] = [];
  const clock = createDatabaseClock();
  const ended = new AbortController();
  const cache = config.REDIS_URL
    ? createRedisCache({ url: config.REDIS_URL, prefix: config.REDIS_PREFIX, log, metrics })
    : createMemoryCache();
  closers.push(() => cache.close());
  return {
    config,
    log,
    metrics,
    clock,
    failpoints:
      config.FAILPOINTS && config.NODE_ENV !== 'production'
        ? createFailpoints(config.FAILPOINTS)
        : noFailpoints,
    cache,
    async openDb(variable, poolSize = config.DATABASE_POOL_SIZE) {
      const db = await openDatabase(config, variable, { poolSize, log, applicationName: `tessera-${name}` });
      closers.push(() => db.close());
      return db;
    },
    async openBus() {
      const bus = await createRabbitBus({
        url: config.AMQP_URL as string,
        namespace: config.AMQP_NAMESPACE,
        topology,
        log,
      });
      closers.push(() => bus.close());
      return bus;
    },
    keepTime: (db) => clock.follow(db, { log, metrics, signal: ended.signal }),
    async close() {
      ended.abort();
      for (const close of closers.reverse()) {
        await close().catch((error: Error) => log.warn({ err: error.message }, 'closing a service'));
      }
    },
  };
}
