import { access, constants, mkdir } from 'node:fs/promises';
import pg from 'pg';
import { runListener } from '../../../listener/run-listener.ts';
import { createApp, type KnownIds } from '../../api/app.ts';
import { type Config, loadConfig } from '../../config.ts';
import { createChainReader } from '../../domain/chain/read/chain-reader.ts';
import { createRpc } from '../../domain/chain/rpc/rpc.ts';
import { fundedKeys } from '../../domain/chain/send/chain-context.ts';
import { openFileSigner } from '../../domain/chain/send/file-signer.ts';
import { createPayers } from '../../domain/chain/send/payers.ts';
import { recoverFromReset } from '../../domain/chain/sync/recover-from-reset.ts';
import { createProvider } from '../../domain/payments/create-provider.ts';
import { topology } from '../../messages.ts';
import { createLocalBus } from '../../platform/bus-local.ts';
import { createRabbitBus } from '../../platform/bus-rabbit.ts';
import { createMemoryCache } from '../../platform/cache-memory.ts';
import { createRedisCache } from '../../platform/cache-redis.ts';
import { systemClock } from '../../platform/clock.ts';
import { createDb } from '../../platform/db.ts';
import { noFailpoints } from '../../platform/failpoints.ts';
import { createLogger } from '../../platform/logger.ts';
import { createMailer } from '../../platform/mail.ts';
import { createMetrics } from '../../platform/metrics.ts';
import { migrate } from '../../platform/migrate.ts';
import { periodic } from '../../platform/periodic.ts';
import { waitFor } from '../../platform/retry.ts';
import type { Environment } from '../../process/environment.ts';
import { migrationsFolder } from '../../process/open-database.ts';
import { serveMetrics } from '../../process/serve-metrics.ts';
import { runBackground } from '../../workers/run-background.ts';
import { runMintWorker } from '../../workers/run-mint-worker.ts';
import { initChain } from '../init-chain.ts';
import { listenError } from '../listen-error.ts';
import { serveHttp } from '../serve-http.ts';
import { findPort, tryPort } from './find-port.ts';
import { forwardNode } from './forward-port.ts';
import { type LocalIdentity, openLocalIdentity } from './local-identity.ts';
import { lockFolder } from './lock-folder.ts';
import { forgetRunning, noteRunning } from './running-stack.ts';
import { LOCAL_PROGRAM_ID, PROGRAM_FILE, startChain } from './start-chain.ts';
import { startPostgres } from './start-postgres.ts';

export type Stack = {
  url: string;
  /** Where all data is kept. */
  folder: string;
  rpcUrl: string;
  wsUrl: string;
  programId: string;
  /** The examples of the reference name these things from now on. */
  showExamplesOf(ids: KnownIds): void;
  identity: LocalIdentity;
  db: ReturnType<typeof createDb>;
  stop(): Promise<void>;
};

/** Told of each thing that was set up, with what there is to say about it. */
export type Report = (what: string, detail?: string) => void;

const SLOT_MS = 400;
const SAVE_EVERY_MS = 15_000;
/** However slow the machine is, the API is shown after so long; its health says what is missing. */
const READY_MS = 15_000;
const SOL = 1_000_000_000;

type Options = {
  env: Environment;
  folder: string;
  report: Report;
  /** Aborts the start: it rejects once all that was started has ended. Afterwards only `stop` ends the stack. */
  signal: AbortSignal;
  slotTimeMs?: number;
};

/** What closes what was opened, the last first. */
type Closers = (() => unknown)[];

/**
 * Sets everything up in this one process: PostgreSQL and the Solana runtime that npm brought, the in-process bus and
 * cache (or RabbitMQ and Redis where AMQP_URL and REDIS_URL name them), API, workers and listener.
 */
export async function startStack(options: Options): Promise<Stack> {
  const closers: Closers = [];
  const stopping = new AbortController();
  try {
    // Whatever it waits for, a stop does not.
    return await Promise.race([setUp(options, closers, stopping), rejectOnAbort(options.signal)]);
  } catch (error) {
    await stop(stopping, closers);
    throw error;
  }
}

async function setUp(options: Options, closers: Closers, stopping: AbortController): Promise<Stack> {
  const { env, folder, signal: starting, slotTimeMs = SLOT_MS } = options;
  const report: Report = (what, detail) => {
    starting.throwIfAborted();
    options.report(what, detail);
  };
  await openFolder(folder);
  const lock = await lockFolder(folder);
  closers.unshift(() => lock.release());
  await forgetRunning(folder);
  const identity = await openLocalIdentity(`${folder}/identity.json`);
  const given = embeddedConfig(env, identity, folder);
  const port = await choosePort(env, given);
  const config: Config = { ...given, HTTP_PORT: port, PUBLIC_URL: publicUrl(env, given, port) };
  const log = createLogger({
    level: config.LOG_LEVEL,
    process: 'up',
    destination: `${folder}/tessera.log`,
  });
  const metrics = createMetrics();
  metrics.collectProcess();
  const clock = systemClock;
  if (config.METRICS_PORT > 0) {
    const server = await serveMetrics(metrics, { host: config.HTTP_HOST, port: config.METRICS_PORT });
    closers.unshift(() => server.close());
  }

  const launching = startPostgres({ folder: `${folder}/postgres`, signal: starting });
  closers.unshift(async () => (await launching.catch(() => undefined))?.stop());
  const postgres = await launching;
  report('PostgreSQL', `port ${postgres.port}`);
  const urls = await openDatabase(postgres.url);
  report('database', urls.applied.length > 0 ? `${urls.applied.length} migrations applied` : 'up to date');
  const open = (user: string, poolSize = 10) => {
    const db = createDb({
      url: postgres.url(user, DATABASE),
      poolSize,
      log,
      applicationName: `up-${user}`,
    });
    closers.unshift(() => db.close());
    return db;
  };
  const db = open('tessera_app');
  const relay = open('tessera_relay');
  const [spare, pulse] = [open('tessera_app', 2), open('tessera_app', 1)];
  const listenerDb = open('tessera_listener');

  const programId = config.CHAIN_PROGRAM_ID ?? LOCAL_PROGRAM_ID;
  const chain = await startChain({
    programId,
    soPath: PROGRAM_FILE,
    slotTimeMs,
    snapshotFile: `${folder}/chain.json`,
  });
  closers.unshift(() => chain.stop());
  const node = await forwardNode(chain);
  closers.unshift(() => node.close());
  report('Solana runtime', `${node.rpcUrl}, ${node.wsUrl}`);
  const signer = await openFileSigner(`${folder}/signer.json`);
  for (const key of fundedKeys(config.CHAIN_PAYERS)) chain.fund(await signer.address(key), 1_000 * SOL);
  const initialised = await initChain({ rpcUrl: chain.rpcUrl, programId, signer });
  report('ticketing program', initialised ? `${programId}, configured` : programId);

  const cache = config.REDIS_URL
    ? createRedisCache({ url: config.REDIS_URL, prefix: config.REDIS_PREFIX, log, metrics })
    : createMemoryCache();
  closers.unshift(() => cache.close());
  const bus = config.AMQP_URL
    ? await createRabbitBus({ url: config.AMQP_URL, namespace: config.AMQP_NAMESPACE, topology, log })
    : createLocalBus({ topology, log });
  closers.unshift(() => bus.close());
  if (!bus.ready()) {
    throw new Error(
      'RabbitMQ does not answer at AMQP_URL; start it, or leave AMQP_URL out: npm start does without it.',
    );
  }
  report(
    'bus and cache',
    `${config.AMQP_URL ? 'RabbitMQ' : 'in process'}, ${config.REDIS_URL ? 'Redis' : 'in memory'}`,
  );

  const rpc = createRpc({ urls: [chain.rpcUrl], cache, log, metrics });
  const services = {
    config: { ...config, CHAIN_PROGRAM_ID: programId },
    log,
    metrics,
    clock,
    cache,
    failpoints: noFailpoints,
  };
  const recovery = await recoverFromReset({ ...services, db, relay, rpc, programId });
  if (chain.restored) report('chain restored', describeRecovery(chain.restored, recovery));

  const payments = createProvider({ ...services, db });
  const sendMail = createMailer({ from: config.MAIL_FROM, folder: config.MAIL_FOLDER as string });
  const signing = { ...services, db, relay, rpc, signer, programId };
  const sending = { ...signing, payers: await createPayers(signing) };
  starting.throwIfAborted();
  const { signal } = stopping;
  const running = Promise.all([
    runBackground({ ...services, db, relay, spare, pulse, bus, payments, sendMail }, signal),
    runMintWorker({ ...sending, bus }, signal),
    runListener(
      { ...services, db: listenerDb, rpc, programId },
      { wsUrl: chain.wsUrl, signal, newChain: true },
    ),
    saveRegularly(chain.save, log, signal),
  ]);
  running.catch((error: Error) => log.fatal({ err: error }, 'a worker ended'));
  closers.unshift(() => running);
  report('workers', 'outbox relay, background, mint worker, listener');

  let knownIds: KnownIds = {};
  const app = createApp(
    { ...services, db, bus, chain: createChainReader(rpc, programId), payments },
    { knownIds: () => knownIds },
  );
  const { url, closed } = await serveHttp(app, {
    host: config.HTTP_HOST,
    port: config.HTTP_PORT,
    maxConnections: config.HTTP_MAX_CONNECTIONS,
    signal,
  });
  closers.unshift(() => closed);
  const moved = env.HTTP_PORT || port === given.HTTP_PORT ? '' : `; port ${given.HTTP_PORT} is in use`;
  // Up means that all of it works: each worker has said so by then.
  await waitFor(async () => (await fetch(`${url}/health/ready`)).ok, { timeoutMs: READY_MS, signal });
  report('API', `${url}${moved}`);
  const environment = {
    ...databaseEnvironment((user) => postgres.url(user, DATABASE)),
    ...{ CHAIN_RPC_URL: node.rpcUrl, CHAIN_WS_URL: node.wsUrl, CHAIN_PROGRAM_ID: programId },
  };
  await noteRunning(folder, { pid: process.pid, url, environment });
  return {
    ...{ url, folder, programId, identity, db },
    showExamplesOf(ids) {
      knownIds = ids;
    },
    rpcUrl: node.rpcUrl,
    wsUrl: node.wsUrl,
    async stop() {
      await forgetRunning(folder);
      await stop(stopping, closers, chain.save);
    },
  };
}

function rejectOnAbort(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

/** HTTP_PORT, or where none is set 8080 or the next that is free: another Tessera may have it. */
async function choosePort(env: Environment, { HTTP_HOST: host, HTTP_PORT: wanted }: Config): Promise<number> {
  if (!env.HTTP_PORT) return findPort(wanted, host);
  return tryPort(wanted, host).catch((error: NodeJS.ErrnoException) => {
    throw listenError(error, { host, port: wanted, variable: 'HTTP_PORT' });
  });
}

function publicUrl(env: Environment, { HTTP_HOST: host, PUBLIC_URL }: Config, port: number): string {
  return env.PUBLIC_URL ? PUBLIC_URL : `http://${host}:${port}`;
}

const DATABASE = 'tessera';

async function openDatabase(url: (user: string, database: string) => string): Promise<{ applied: string[] }> {
  const admin = new pg.Client({ connectionString: url('postgres', 'postgres') });
  // A stop during the start breaks it; its query says so.
  admin.on('error', () => undefined);
  await admin.connect();
  const { rowCount } = await admin.query('select from pg_database where datname = $1', [DATABASE]);
  if (rowCount === 0) await admin.query(`create database ${DATABASE}`);
  await admin.end();
  const logins = ['tessera_app', 'tessera_relay', 'tessera_listener'].map((role) => url(role, DATABASE));
  return {
    applied: await migrate({ ownerUrl: url('postgres', DATABASE), folder: migrationsFolder, logins }),
  };
}

/** With what another process finds the database. */
function databaseEnvironment(url: (user: string) => string): Record<string, string> {
  return {
    DATABASE_OWNER_URL: url('postgres'),
    DATABASE_URL: url('tessera_app'),
    DATABASE_RELAY_URL: url('tessera_relay'),
    DATABASE_LISTENER_URL: url('tessera_listener'),
  };
}

/** The identity is always ours: the tokens that are printed are signed with it. */
function embeddedConfig(env: Environment, identity: LocalIdentity, folder: string): Config {
  return loadConfig(
    {
      NODE_ENV: 'development',
      RATE_LIMIT_PER_MINUTE: '6000',
      QR_MASTER_KEYS: identity.codeKeys,
      MAIL_FOLDER: `${folder}/mail`,
      ...Object.fromEntries(Object.entries(env).filter(([, value]) => value)),
      JWT_ISSUER: identity.issuer,
      JWT_AUDIENCE: identity.audience,
      JWT_ALGORITHMS: 'EdDSA',
      JWT_PUBLIC_KEYS: identity.publicKeys,
      JWT_JWKS_URL: undefined,
      JWT_SECRET: undefined,
    },
    'up',
  );
}

async function openFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
    await access(folder, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new Error(
      `The folder ${folder} cannot be used (${(error as Error).message}); it keeps all data of the stack.`,
    );
  }
}

function describeRecovery(
  restored: { accounts: number; savedAt: string },
  recovery: { reminted: number; open: number },
): string {
  const again =
    recovery.reminted > 0 ? `; ${recovery.reminted} tickets were not in it and are minted again` : '';
  const open = recovery.open > 0 ? `; ${recovery.open} transactions of the last run are sent anew` : '';
  return `${restored.accounts} accounts as of ${restored.savedAt}${again}${open}; signatures of earlier runs no longer resolve`;
}

async function saveRegularly(
  save: () => Promise<void>,
  log: ReturnType<typeof createLogger>,
  signal: AbortSignal,
): Promise<void> {
  await periodic('chain snapshot', { everyMs: SAVE_EVERY_MS, log, signal }, save);
}

async function stop(
  stopping: AbortController,
  closers: (() => unknown)[],
  save?: () => Promise<void>,
): Promise<void> {
  stopping.abort();
  // The workers stop first, so that the snapshot holds all they did.
  for (const [i, close] of closers.entries()) {
    await Promise.resolve(close()).catch((error: Error) => console.error(`stopping: ${error.message}`));
    if (i === 1 && save)
      await save().catch((error: Error) => console.error(`saving the chain: ${error.message}`));
  }
}
