import pg from 'pg';
import type { Logger } from './logger.ts';

/** A pool of connections that all log in as one database role. */
export type Db = { readonly pool: pg.Pool; close(): Promise<void> };

export type DbOptions = {
  url: string;
  poolSize: number;
  log: Logger;
  applicationName: string;
  silenceMs?: number;
};

// int8 arrives as bigint: counts and money must not pass through a float. JSON columns stay parsed.
const types = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
    oid === pg.types.builtins.INT8
      ? (text: string) => BigInt(text)
      : pg.types.getTypeParser(oid, format)) as typeof pg.types.getTypeParser,
};

/**
 * Opens no connection yet. Statements end after 10 s, lock waits after 5 s, forgotten transactions after 15 s; a server
 * that says nothing for `silenceMs` is given up, since a network that swallows packets tells nobody.
 */
export function createDb({ url, poolSize, log, applicationName, silenceMs = 12_000 }: DbOptions): Db {
  const pool = new pg.Pool({
    connectionString: url,
    max: poolSize,
    application_name: applicationName,
    connectionTimeoutMillis: 5_000,
    query_timeout: silenceMs,
    idleTimeoutMillis: 30_000,
    keepAlive: true,
    types,
    options:
      '-c statement_timeout=10000 -c lock_timeout=5000 -c idle_in_transaction_session_timeout=15000 -c timezone=UTC',
  });
  // A connection in use reports its end to its query, and here: an error that nobody listens to would end the process.
  pool.on('connect', (client) => {
    client.on('error', (error) => log.debug({ err: error.message }, 'a database connection broke'));
  });
  pool.on('error', (error) => log.warn({ err: error.message }, 'an idle database connection broke'));
  return { pool, close: () => pool.end() };
}
