import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { startPostgres } from '../../src/main/embedded/start-postgres.ts';
import { migrate } from '../../src/platform/migrate.ts';

export type BenchDatabase = {
  /** A superuser, to arrange things and to read the books. */
  owner: pg.Pool;
  url(user?: string): string;
  drop(): Promise<void>;
};

export type BenchServer = { openDatabase(): Promise<BenchDatabase>; stop(): Promise<void> };

const DEFAULT_URL = 'postgres://postgres@127.0.0.1:5432/postgres';

/** The server at `DATABASE_OWNER_URL`, or on the default port, or else the embedded one. */
export async function findServer(): Promise<BenchServer> {
  const url = process.env.DATABASE_OWNER_URL ?? DEFAULT_URL;
  if (await answers(url)) return { openDatabase: () => openDatabase(url), stop: async () => undefined };
  const folder = await mkdtemp(`${tmpdir()}/tessera-bench-`);
  const embedded = await startPostgres({ folder });
  return {
    openDatabase: () => openDatabase(embedded.url('postgres', 'postgres')),
    async stop() {
      await embedded.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A migrated database of its own, which `drop` takes away again. */
async function openDatabase(server: string): Promise<BenchDatabase> {
  const name = `tessera_bench_${randomBytes(5).toString('hex')}`;
  const admin = new pg.Pool({ connectionString: server, max: 1 });
  await admin.query(`create database ${name}`);
  const url = (user?: string): string =>
    Object.assign(new URL(server), { pathname: name, ...(user ? { username: user } : {}) }).href;
  const logins = ['tessera_app', 'tessera_relay', 'tessera_listener'].map(url);
  await migrate({
    ownerUrl: url(),
    folder: fileURLToPath(new URL('../../migrations', import.meta.url)),
    logins,
  });
  const owner = new pg.Pool({ connectionString: url(), max: 2 });
  owner.on('error', () => undefined);
  return {
    owner,
    url,
    async drop() {
      await owner.end();
      await admin.query(`drop database ${name} with (force)`);
      await admin.end();
    },
  };
}

async function answers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
  try {
    await client.connect();
    await client.end();
    return true;
  } catch {
    return false;
  }
}
