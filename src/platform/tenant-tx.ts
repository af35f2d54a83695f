import { Kysely, PostgresDialect, type PostgresPoolClient } from 'kysely';
import pg from 'pg';
import type { Db } from './db.ts';
import { DomainError } from './errors.ts';
import type { Brand, TenantId } from './ids.ts';
import { backoff, sleep } from './retry.ts';
import type { DB } from './schema.ts';

/** A transaction in which only one tenant's rows exist. */
export type TenantTx = Brand<Kysely<DB>, 'TenantTx'>;
/** A transaction of a system role (relay, listener), which sees what that role's policies show. */
export type SystemTx = Brand<Kysely<DB>, 'SystemTx'>;

const ATTEMPTS = 4;

/**
 * Runs `work` in one transaction that sees only `tenantId`'s rows. Rerun as a whole on a serialization failure or a
 * deadlock, so `work` does nothing but SQL.
 *
 * The tenant is set in the round trip that begins the transaction and ends with it: an extra round trip for it costs
 * half of the throughput, and a setting of the session would reach the next user of the pooled connection.
 */
export function withTenant<T>(db: Db, tenantId: TenantId, work: (tx: TenantTx) => Promise<T>): Promise<T> {
  return transact(
    db,
    `begin; set local app.tenant_id = '${tenantId}'`,
    work as (tx: Kysely<DB>) => Promise<T>,
  );
}

/** Runs `work` in one transaction of the role that `db` logs in as, with no tenant set. */
export function withSystem<T>(db: Db, work: (tx: SystemTx) => Promise<T>): Promise<T> {
  return transact(db, 'begin', work as (tx: Kysely<DB>) => Promise<T>);
}

/**
 * Calls one function of the database that sets its tenant itself, in its own transaction and in one round trip:
 * the way of the hot paths.
 */
export async function callFunction<Row extends pg.QueryResultRow>(
  db: Db,
  call: { name: string; text: string; values: unknown[] },
): Promise<Row[]> {
  return rerun(async () => {
    const client = await connect(db);
    let broken: unknown;
    try {
      return (await client.query<Row>(call)).rows;
    } catch (error) {
      broken = asUnavailable(error) === error ? undefined : error;
      throw asUnavailable(error);
    } finally {
      client.release(broken as Error | undefined);
    }
  });
}

function transact<T>(db: Db, begin: string, work: (tx: Kysely<DB>) => Promise<T>): Promise<T> {
  return rerun(() => once(db, begin, work));
}

async function rerun<T>(run: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await run();
    } catch (error) {
      if (attempt >= ATTEMPTS || !isRerunnable(error)) throw error;
      await sleep(backoff(attempt, 10, 200));
    }
  }
}

async function once<T>(db: Db, begin: string, work: (tx: Kysely<DB>) => Promise<T>): Promise<T> {
  const client = await connect(db);
  let broken: Error | undefined;
  let open = true;
  const onError = (error: Error): void => {
    broken = error;
  };
  client.on('error', onError);
  try {
    await client.query(begin);
    const result = await work(bind(client, () => open));
    open = false;
    await client.query('commit');
    return result;
  } catch (error) {
    open = false;
    // A connection that cannot roll back may still hold the tenant: it must not go back to the pool.
    await client.query('rollback').catch((failure: Error) => {
      broken = failure;
    });
    throw asUnavailable(error);
  } finally {
    client.off('error', onError);
    client.release(broken);
  }
}

async function connect(db: Db): Promise<pg.PoolClient> {
  try {
    return await db.pool.connect();
  } catch (error) {
    throw databaseUnavailable(error);
  }
}

/** A query builder on one connection; a query after the end of the transaction throws instead of joining the next. */
function bind(client: pg.PoolClient, isOpen: () => boolean): Kysely<DB> {
  const guarded = {
    query(text: string, values: unknown[]) {
      if (!isOpen()) throw new Error('query after the end of its transaction: an await is missing');
      return client.query(text, values);
    },
    release() {},
  } as unknown as PostgresPoolClient;
  return new Kysely<DB>({
    dialect: new PostgresDialect({
      pool: { connect: async () => guarded, end: async () => {}, options: {} },
    }),
  });
}

/** Serialization failures, deadlocks, and a request whose twin was faster: another look finds its answer. */
function isRerunnable(error: unknown): boolean {
  if (!(error instanceof pg.DatabaseError)) return false;
  const { code, constraint } = error;
  return (
    code === '40001' ||
    code === '40P01' ||
    (code === UNIQUE_VIOLATION && constraint === 'idempotency_keys_pkey')
  );
}

const UNIQUE_VIOLATION = '23505';

/** 08: connection, 53: resources, 57P0x: shutdown, 57014: statement time-out, 55P03: lock time-out. */
const UNAVAILABLE = /^(08|53|57P0|57014|55P03)/;

function asUnavailable(error: unknown): unknown {
  const lost =
    error instanceof pg.DatabaseError
      ? UNAVAILABLE.test(error.code ?? '')
      : error instanceof Error && /Connection terminated|ECONNRESET|EPIPE|not queryable/.test(error.message);
  return lost ? databaseUnavailable(error) : error;
}

function databaseUnavailable(cause: unknown): DomainError {
  return new DomainError('unavailable', 'database_unavailable', 'The database does not answer.', {
    retryAfter: 1,
  }).withCause(cause);
}
