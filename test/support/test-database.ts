import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { inject } from 'vitest';
import { createDb, type Db } from '../../src/platform/db.ts';
import { createLogger } from '../../src/platform/logger.ts';
import { databaseUrl, type ServingRole } from './test-logins.ts';

export type TestDatabase = {
  /** Pools as the roles of production; no test goes past row-level security by accident. */
  app: Db;
  relay: Db;
  listener: Db;
  /** A superuser, to look behind the scenes; never given to the code under test. */
  owner: pg.Pool;
  url(role: ServingRole): string;
  open(role: ServingRole, poolSize: number): Db;
  drop(): Promise<void>;
};

/** A database of its own for a test file, cloned from the migrated template. */
export async function openTestDatabase(): Promise<TestDatabase> {
  const server = inject('postgres');
  const name = `tessera_test_${randomBytes(6).toString('hex')}`;
  const admin = new pg.Pool({ connectionString: server, max: 1 });
  await admin.query(`create database ${name} template ${inject('template')}`);
  const log = createLogger({ level: 'silent', process: 'test' });
  const opened: Db[] = [];
  const logins = inject('logins');
  const url = (role: ServingRole): string => databaseUrl(server, name, logins[role]);
  const open = (role: ServingRole, poolSize: number): Db => {
    const db = createDb({ url: url(role), poolSize, log, applicationName: 'test' });
    opened.push(db);
    return db;
  };
  const owner = new pg.Pool({ connectionString: databaseUrl(server, name), max: 4 });
  // The pool calls itself ended before its connections are, and the drop below breaks those.
  owner.on('error', () => undefined);
  return {
    app: open('tessera_app', 8),
    relay: open('tessera_relay', 4),
    listener: open('tessera_listener', 4),
    owner,
    url,
    open,
    async drop() {
      await Promise.all(opened.map((db) => db.close()));
      await owner.end();
      await admin.query(`drop database ${name} with (force)`);
      await admin.end();
    },
  };
}
