import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import pg from 'pg';
import { startPostgres } from '../../src/main/embedded/start-postgres.ts';

/** A PostgreSQL for one test alone, which wants a password of everybody. */
export type OwnPostgres = {
  port: number;
  url(user: string, database: string): string;
  query(text: string, database?: string): Promise<Record<string, unknown>[]>;
  stop(): Promise<void>;
};

export async function startOwnPostgres(): Promise<OwnPostgres> {
  const folder = await mkdtemp(`${tmpdir()}/tessera-own-`);
  // Below a folder that is closed to others root would put the data elsewhere, and nobody would remove it.
  await chmod(folder, 0o755);
  const { port, url, stop } = await startPostgres({ folder });
  return {
    port,
    url,
    async query(text, database = 'postgres') {
      const client = new pg.Client({ connectionString: url('postgres', database) });
      await client.connect();
      try {
        return (await client.query(text)).rows;
      } finally {
        await client.end();
      }
    },
    async stop() {
      await stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
