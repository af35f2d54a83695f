import { createApp } from '../../src/api/app.ts';
import { loadConfig } from '../../src/config.ts';
import { createChainReader } from '../../src/domain/chain/read/chain-reader.ts';
import { createRpc } from '../../src/domain/chain/rpc/rpc.ts';
import { createTestProvider } from '../../src/domain/payments/test-provider.ts';
import { serveHttp } from '../../src/main/serve-http.ts';
import { topology } from '../../src/messages.ts';
import { createLocalBus } from '../../src/platform/bus-local.ts';
import { createMemoryCache } from '../../src/platform/cache-memory.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { createDb } from '../../src/platform/db.ts';
import { noFailpoints } from '../../src/platform/failpoints.ts';
import { createLogger } from '../../src/platform/logger.ts';
import { createMetrics } from '../../src/platform/metrics.ts';
import { createCannedDb, createCannedProvider } from './canned-db.ts';

/**
 * The API as a process of its own, with its own cache and bus. With `--canned` everything is the same but the database
 * and the payment provider, which answer at once what they would answer: what the route costs without them.
 */
const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());
process.once('disconnect', () => stop.abort());

const config = loadConfig(process.env, 'up');
const log = createLogger({ level: config.LOG_LEVEL, process: 'bench' });
const metrics = createMetrics();
const clock = systemClock;
const cache = createMemoryCache({ clock });
const canned = process.argv.includes('--canned');
const db = canned
  ? createCannedDb()
  : createDb({
      url: config.DATABASE_URL as string,
      poolSize: config.DATABASE_POOL_SIZE,
      log,
      applicationName: 'bench',
    });
const base = { config, log, metrics, cache, clock, db, failpoints: noFailpoints };
const rpc = createRpc({ urls: ['http://127.0.0.1:1'], cache, log, metrics });
const app = createApp({
  ...base,
  bus: createLocalBus({ topology, log, confirmTimeoutMs: 2_000 }),
  chain: createChainReader(rpc, config.CHAIN_PROGRAM_ID as string),
  payments: canned ? createCannedProvider() : createTestProvider(base),
});
const { url, closed } = await serveHttp(app, { host: '127.0.0.1', port: 0, signal: stop.signal });
process.send?.({ url });
await closed;
await db.close();
process.exit(0);
