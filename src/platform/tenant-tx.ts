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
    let lost: Error | undefined;
    try {
      await forgetOldPlans(client);
      return (await client.query<Row>(call)).rows;
    } catch (error) {
      lost = lostConnection(error);
      throw asUnavailable(error);
    } finally {
      client.release(lost);
    }
  });
}

const callsOf = new WeakMap<pg.PoolClient, { calls: number; replanAt: number }>();
const FIRST_REPLAN = 8;
const LAST_REPLAN = 8_192;

/**
 * A connection keeps the plans of a function until the tables are analyzed. Made on empty tables, where one index is as
 * good as another, they read the whole of a tenant for each row after a minute of a rush: 16 times slower, measured. So
 * they are made anew whenever the calls have doubled, each time for tables at least half as large as now.
 */
async function forgetOldPlans(client: pg.PoolClient): Promise<void> {
  const count = callsOf.get(client) ?? { calls: 0, replanAt: FIRST_REPLAN };
  callsOf.set(client, count);
  if (++count.calls < count.replanAt) return;
  count.replanAt = count.calls + Math.min(count.calls, LAST_REPLAN);
  await client.query('discard plans');
}

function transact<T>(db: Db, begin: string, work: (tx: Kysely<DB>) => Promise<T>): Promise<T> {
  return rerun(() => once(db, begin, work));
}

async function rerun<T>(run: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await run();
    } catch (error) {
      if (!isRerunnable(error)) throw error;
      // Still in each other's way: whoever asked may ask again.
      if (attempt >= ATTEMPTS) throw databaseUnavailable(error);
      await sleep(backoff(attempt, 10, 200));
    }
  }
}

async function once<T>(db: Db, begin: string, work: (tx: Kysely<DB>) => Promise<T>): Promise<T> {
  const client = await connect(db);
  let open = true;
  let lost: Error | undefined;
  try {
    await client.query(begin);
    const result = await work(bind(client, () => open));
    open = false;
    const { command } = await client.query('commit');
    // After a failed query PostgreSQL takes a commit for a rollback and says so here only.
    if (command !== 'COMMIT')
      throw new Error('a failed query was passed over, so its transaction was rolled back');
    return result;
  } catch (error) {
    open = false;
    lost = lostConnection(error) ?? (await rollback(client));
    throw asUnavailable(error);
  } finally {
    client.release(lost);
  }
}

/** A connection that cannot roll back may still hold the tenant: its error keeps it from going back to the pool. */
async function rollback(client: pg.PoolClient): Promise<Error | undefined> {
  try {
    await client.query('rollback');
    return undefined;
  } catch (error) {
    return error as Error;
  }
}

async function connect(db: Db): Promise<pg.PoolClient> {
  try {
    return await db.pool.connect();
  } catch (error) {
    throw databaseUnavailable(error);
  }
}

/** What ends or replaces the transaction that a query runs in, or outlives it on the pooled connection. */
const NOT_FOR_WORK = /^\s*(begin|start|commit|end|abort|rollback(?!\s+to\b)|set|reset|discard)\b/i;

/** A query builder on one connection; a query after the end of the transaction throws instead of joining the next. */
function bind(client: pg.PoolClient, isOpen: () => boolean): Kysely<DB> {
  const guarded = {
    query(text: string, values: unknown[]) {
      if (!isOpen()) throw new Error('query after the end of its transaction: an await is missing');
      if (NOT_FOR_WORK.test(text))
        throw new Error(`no "${text}" inside of a transaction: its caller decides`);
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
  const passing = error instanceof pg.DatabaseError && UNAVAILABLE.test(error.code ?? '');
  return passing || lostConnection(error) ? databaseUnavailable(error) : error;
}

const LOST = /Connection terminated|Query read timeout|not queryable|ECONNRESET|EPIPE|ETIMEDOUT/;

/** The error when it says that the connection is of no more use. */
function lostConnection(error: unknown): Error | undefined {
  if (error instanceof pg.DatabaseError) return error.severity === 'FATAL' ? error : undefined;
  return error instanceof Error && LOST.test(error.message) ? error : undefined;
}

function databaseUnavailable(cause: unknown): DomainError {
  return new DomainError('unavailable', 'database_unavailable', 'The database does not answer.', {
    retryAfter: 1,
  }).withCause(cause);
}
