import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { createDb, type Db } from '../../src/platform/db.ts';
import { DomainError } from '../../src/platform/errors.ts';
import { type TenantId, toTenantId } from '../../src/platform/ids.ts';
import { callFunction, type TenantTx, withSystem, withTenant } from '../../src/platform/tenant-tx.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { openTestDatabase, type TestDatabase } from '../support/test-database.ts';
import { log } from './support/open-bus.ts';

let database: TestDatabase;
let one: TenantId;
let other: TenantId;

beforeAll(async () => {
  database = await openTestDatabase();
});
afterAll(() => database.drop());
beforeEach(async () => {
  [one, other] = [await addTenant('one'), await addTenant('other')];
});

async function addTenant(name: string): Promise<TenantId> {
  const id = toTenantId(randomUUID());
  await database.owner.query('insert into tenants (tenant_id, name) values ($1, $2)', [id, name]);
  return id;
}

const nameOf = async (tenantId: TenantId): Promise<string> =>
  (await database.owner.query('select name from tenants where tenant_id = $1', [tenantId])).rows[0].name;

const rename = (tx: TenantTx, name: string) => tx.updateTable('tenants').set({ name }).execute();
const namesIn = async (tx: TenantTx): Promise<string[]> =>
  (await tx.selectFrom('tenants').select('name').execute()).map((row) => row.name);

/** One connection, so that whoever comes next gets the one that was left. */
const openSingle = () => database.open('tessera_app', 1);

describe('a transaction of a tenant', () => {
  it('sees the rows of that tenant and nobody else’s', async () => {
    expect(await withTenant(database.app, one, namesIn)).toEqual(['one']);
    expect(await withTenant(database.app, other, namesIn)).toEqual(['other']);
  });

  it('commits all of its work or, when the work throws, nothing', async () => {
    await withTenant(database.app, one, (tx) => rename(tx, 'renamed'));
    expect(await nameOf(one)).toBe('renamed');
    const failing = withTenant(database.app, one, async (tx) => {
      await rename(tx, 'never');
      throw new TypeError('after the write');
    });
    await expect(failing).rejects.toThrow(new TypeError('after the write'));
    expect(await nameOf(one)).toBe('renamed');
  });

  it('hands on what the work threw as it was', async () => {
    const refusal = new DomainError('conflict', 'sold_out', 'Sold out.');
    await expect(withTenant(database.app, one, () => Promise.reject(refusal))).rejects.toBe(refusal);
  });

  it('leaves no tenant to the next user of its connection, after success and after failure', async () => {
    const db = openSingle();
    const tenantLeft = () =>
      withSystem(db, async (tx) => {
        const { rows } = await sql<{ tenant: string | null; n: bigint }>`
          select current_setting('app.tenant_id', true) as tenant, (select count(*) from tenants) as n`.execute(
          tx,
        );
        return rows[0];
      });
    await withTenant(db, one, namesIn);
    expect(await tenantLeft()).toEqual({ tenant: '', n: 0n });
    await withTenant(db, one, () => Promise.reject(new Error('no'))).catch(() => undefined);
    expect(await tenantLeft()).toEqual({ tenant: '', n: 0n });
    await withTenant(db, one, (tx) => sql`select 1 / 0`.execute(tx)).catch(() => undefined);
    expect(await tenantLeft()).toEqual({ tenant: '', n: 0n });
    expect(db.pool.totalCount).toBe(1);
  });

  it('takes nothing for a tenant id that is none', () => {
    for (const bad of ['', 'one', "' or true --", one.toUpperCase(), `${one}'`, ` ${one}`])
      expect(() => toTenantId(bad)).toThrow(TypeError);
  });

  it('is not what compiles without a context', () => {
    const queries = (tx: TenantTx) => tx;
    // @ts-expect-error a system transaction has no tenant
    const asTenant = () => withSystem(database.app, (tx) => Promise.resolve(queries(tx)));
    // @ts-expect-error a text that nobody has checked is no tenant
    const unchecked = () => withTenant(database.app, 'one', namesIn);
    expect([asTenant, unchecked]).toHaveLength(2);
  });
});

describe('misuse of a transaction', () => {
  it('refuses a query after its end instead of letting it join the next one', async () => {
    const db = openSingle();
    let escaped: TenantTx | undefined;
    await withTenant(db, one, async (tx) => {
      escaped = tx;
    });
    const late = withTenant(db, other, async () => {
      await rename(escaped as TenantTx, 'stolen');
    });
    await expect(late).rejects.toThrow('query after the end of its transaction');
    expect([await nameOf(one), await nameOf(other)]).toEqual(['one', 'other']);
  });

  it.each([
    'begin',
    'start transaction',
    'commit',
    'COMMIT',
    '  end',
    'rollback',
    'abort',
    'set local app.tenant_id = 1',
    'set role postgres',
    'reset all',
    'discard all',
  ])('refuses %s by the work', async (statement) => {
    const attempt = withTenant(database.app, one, async (tx) => {
      await rename(tx, 'never');
      await sql.raw(statement).execute(tx);
    });
    await expect(attempt).rejects.toThrow('inside of a transaction');
    expect(await nameOf(one)).toBe('one');
  });

  it('refuses a transaction inside of a transaction', async () => {
    const attempt = withTenant(database.app, one, async (tx) => {
      await rename(tx, 'outer');
      await tx.transaction().execute((inner) => rename(inner as unknown as TenantTx, 'inner'));
    });
    await expect(attempt).rejects.toThrow('no "begin" inside of a transaction');
    expect(await nameOf(one)).toBe('one');
  });

  it('takes a save point, and what is rolled back to it', async () => {
    await withTenant(database.app, one, async (tx) => {
      await rename(tx, 'kept');
      await sql`savepoint here`.execute(tx);
      await rename(tx, 'dropped');
      await sql`rollback to savepoint here`.execute(tx);
    });
    expect(await nameOf(one)).toBe('kept');
  });

  it('fails when the work passes over a query that failed, because nothing of it was kept', async () => {
    const attempt = withTenant(database.app, one, async (tx) => {
      await rename(tx, 'never');
      await sql`select 1 / 0`.execute(tx).catch(() => undefined);
      return 'done';
    });
    await expect(attempt).rejects.toThrow('passed over');
    expect(await nameOf(one)).toBe('one');
  });
});

describe('the whole transaction runs again', () => {
  it('when two of them wait for each other', async () => {
    const db = database.open('tessera_app', 2);
    await database.owner.query(
      `create table if not exists crossing (id integer primary key, n integer not null)`,
    );
    await database.owner.query('truncate crossing; insert into crossing values (1, 0), (2, 0)');
    await database.owner.query('grant select, update on crossing to tessera_app');
    let runs = 0;
    let both = 0;
    const cross = (first: number, second: number) =>
      withTenant(db, one, async (tx) => {
        runs++;
        await sql`update crossing set n = n + 1 where id = ${first}`.execute(tx);
        if (++both <= 2) await expect.poll(() => both, { interval: 1 }).toBeGreaterThanOrEqual(2);
        await sql`update crossing set n = n + 1 where id = ${second}`.execute(tx);
      });
    await Promise.all([cross(1, 2), cross(2, 1)]);
    expect(runs).toBe(3);
    const { rows } = await database.owner.query('select n from crossing order by id');
    expect(rows).toEqual([{ n: 2 }, { n: 2 }]);
  });

  it('when it cannot be put in an order with another', async () => {
    const url = `${database.url('tessera_app')}?options=${encodeURIComponent('-c default_transaction_isolation=serializable')}`;
    const db = createDb({ url, poolSize: 2, log, applicationName: 'test' });
    let runs = 0;
    let started = 0;
    // Each reads what the other writes.
    const count = (tenantId: TenantId) =>
      withTenant(db, tenantId, async (tx) => {
        runs++;
        const keys = await tx.selectFrom('idempotency_keys').select('key').execute();
        if (++started <= 2) await expect.poll(() => started, { interval: 1 }).toBeGreaterThanOrEqual(2);
        await insertKey(tx, tenantId, `${randomUUID()} after ${keys.length}`);
      });
    await Promise.all([count(one), count(one)]);
    await db.close();
    // On a busy server the one that ran again may meet the other once more.
    expect(runs).toBeGreaterThanOrEqual(3);
    const { rows } = await database.owner.query(
      'select right(key, 7) as key from idempotency_keys where tenant_id = $1 order by 1',
      [one],
    );
    expect(rows.map(({ key }) => key)).toEqual(['after 0', 'after 1']);
  });

  it('when its twin with the same idempotency key was faster, and then finds the answer', async () => {
    const db = database.open('tessera_app', 2);
    let looked = 0;
    const twin = () =>
      withTenant(db, one, async (tx) => {
        const known = await tx.selectFrom('idempotency_keys').select('key').executeTakeFirst();
        if (known) return 'found';
        if (++looked <= 2) await expect.poll(() => looked, { interval: 1 }).toBeGreaterThanOrEqual(2);
        await insertKey(tx, one, 'the same');
        return 'first';
      });
    expect((await Promise.all([twin(), twin()])).toSorted()).toEqual(['first', 'found']);
  });

  it('four times at most, and then says that the database is busy', async () => {
    let runs = 0;
    const hopeless = withTenant(database.app, one, async (tx) => {
      runs++;
      await rename(tx, `run ${runs}`);
      await sql`do $$ begin raise exception 'again' using errcode = 'serialization_failure'; end $$`.execute(
        tx,
      );
    });
    await expect(hopeless).rejects.toMatchObject({ kind: 'unavailable', details: { retryAfter: 1 } });
    expect(runs).toBe(4);
    expect(await nameOf(one)).toBe('one');
  });

  it('never for another error', async () => {
    let runs = 0;
    const failing = withTenant(database.app, one, async (tx) => {
      runs++;
      await sql`insert into tenants (tenant_id, name) values (${one}, 'again')`.execute(tx);
    });
    await expect(failing).rejects.toMatchObject({ code: '23505', constraint: 'tenants_pkey' });
    expect(runs).toBe(1);
  });

  it('also when it is one call of a function', async () => {
    await database.owner.query(`
      create or replace function fail_twice() returns table (n bigint) language plpgsql as $$
      begin
        n := nextval('failures');
        if n < 3 then raise exception 'again' using errcode = 'deadlock_detected'; end if;
        return next;
      end $$;
      create sequence if not exists failures;
      grant execute on function fail_twice to tessera_app;
      grant usage on sequence failures to tessera_app`);
    const rows = await callFunction(database.app, {
      name: 'fail_twice',
      text: 'select n from fail_twice()',
      values: [],
    });
    expect(rows).toEqual([{ n: 3n }]);
  });

  async function insertKey(tx: TenantTx, tenantId: TenantId, key: string): Promise<void> {
    await tx
      .insertInto('idempotency_keys')
      .values({
        tenant_id: tenantId,
        principal: 'p',
        route: 'r',
        key,
        request_hash: Buffer.alloc(32),
        status: 200,
      })
      .execute();
  }
});

describe('a connection that breaks', () => {
  let proxy: TcpProxy;
  let db: Db;

  beforeEach(async () => {
    proxy = await startTcpProxy(inject('postgres'));
    db = createDb({
      url: proxy.url(database.url('tessera_app')),
      poolSize: 1,
      log,
      applicationName: 'test',
      silenceMs: 300,
    });
  });
  afterEach(async () => {
    proxy.swallow(false);
    await db.close();
    await proxy.close();
  });

  const unavailable = { kind: 'unavailable', code: 'database_unavailable', details: { retryAfter: 1 } };
  /** The pool has thrown the broken connection away and works with another. */
  async function expectRecovered(): Promise<void> {
    expect(await withTenant(db, other, namesIn)).toEqual(['other']);
    expect([db.pool.totalCount, db.pool.idleCount, db.pool.waitingCount]).toEqual([1, 1, 0]);
  }

  it('in the middle of the work keeps nothing of it', async () => {
    const cut = withTenant(db, one, async (tx) => {
      await rename(tx, 'never');
      proxy.cut();
      await rename(tx, 'never ever');
    });
    await expect(cut).rejects.toMatchObject(unavailable);
    await expectRecovered();
    expect(await nameOf(one)).toBe('one');
  });

  it('while the work does nothing with it', async () => {
    const cut = withTenant(db, one, async (tx) => {
      await rename(tx, 'never');
      proxy.cut();
      await delay(50);
    });
    await expect(cut).rejects.toMatchObject(unavailable);
    await expectRecovered();
    expect(await nameOf(one)).toBe('one');
  });

  it('while a query runs', async () => {
    const cut = withTenant(db, one, async (tx) => {
      setTimeout(() => proxy.cut(), 50);
      await sql`select pg_sleep(5)`.execute(tx);
    });
    await expect(cut).rejects.toMatchObject(unavailable);
    await expectRecovered();
  });

  it('before the commit arrives: nothing is kept', async () => {
    proxy.watch((bytes) => bytes.includes('commit'));
    await expect(withTenant(db, one, (tx) => rename(tx, 'never'))).rejects.toMatchObject(unavailable);
    proxy.watch(undefined);
    await expectRecovered();
    expect(await nameOf(one)).toBe('one');
  });

  it('before the answer to the commit: the caller must look, and all or nothing is there', async () => {
    let runs = 0;
    proxy.watch((bytes) => {
      if (bytes.includes('commit')) proxy.swallowAnswers(true);
      return false;
    });
    const cut = withTenant(db, one, async (tx) => {
      runs++;
      await rename(tx, 'kept');
    });
    await expect(cut).rejects.toMatchObject(unavailable);
    proxy.watch(undefined);
    proxy.swallowAnswers(false);
    // It is not run again by itself: that could do the work twice.
    expect(runs).toBe(1);
    await expectRecovered();
    expect(await nameOf(one)).toBe('kept');
  });

  it('under one call of a function', async () => {
    const text = 'select pg_sleep(5)::text as slept';
    setTimeout(() => proxy.cut(), 50);
    const call = callFunction(db, { name: 'sleep', text, values: [] });
    await expect(call).rejects.toMatchObject(unavailable);
    await expectRecovered();
  });

  it('while it waits in the pool harms nobody', async () => {
    await withTenant(db, one, namesIn);
    proxy.cut();
    await expect.poll(() => db.pool.totalCount).toBe(0);
    await expectRecovered();
  });

  it('is given up when the network swallows everything', async () => {
    await withTenant(db, one, namesIn);
    const started = performance.now();
    proxy.swallow(true);
    await expect(withTenant(db, one, namesIn)).rejects.toMatchObject(unavailable);
    expect(performance.now() - started).toBeLessThan(1_000);
    proxy.swallow(false);
    await expectRecovered();
  });

  it('says so when there is no database at all', async () => {
    proxy.refuse(true);
    await expect(withTenant(db, one, namesIn)).rejects.toMatchObject(unavailable);
    await expect(callFunction(db, { name: 'any', text: 'select 1', values: [] })).rejects.toMatchObject(
      unavailable,
    );
    proxy.refuse(false);
    await expectRecovered();
  });

  it('because the server ended it', async () => {
    const ended = withTenant(db, one, async (tx) => {
      const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(tx);
      await database.owner.query('select pg_terminate_backend($1)', [rows[0]?.pid]);
      await delay(30);
      await namesIn(tx);
    });
    await expect(ended).rejects.toMatchObject(unavailable);
    await expectRecovered();
  });
});

describe('time-outs', () => {
  const impatient = (options: string) => {
    const url = `${database.url('tessera_app')}?options=${encodeURIComponent(options)}`;
    return createDb({ url, poolSize: 1, log, applicationName: 'test' });
  };

  it.each([
    ['a statement that runs too long', '-c statement_timeout=50', sql`select pg_sleep(2)`],
    ['a transaction that was forgotten', '-c idle_in_transaction_session_timeout=50', undefined],
  ])('end %s with 503', async (_what, options, statement) => {
    const db = impatient(options);
    const slow = withTenant(db, one, async (tx) => {
      await rename(tx, 'never');
      if (statement) await statement.execute(tx);
      else await delay(200);
    });
    await expect(slow).rejects.toMatchObject({ kind: 'unavailable' });
    expect(await nameOf(one)).toBe('one');
    expect(await withTenant(db, other, namesIn)).toEqual(['other']);
    await db.close();
  });

  it('end the wait for a lock with 503, on a connection that is used again', async () => {
    const db = impatient('-c lock_timeout=50');
    const blocker = await database.owner.connect();
    await blocker.query('begin');
    await blocker.query('select from tenants where tenant_id = $1 for update', [one]);
    await expect(withTenant(db, one, (tx) => rename(tx, 'never'))).rejects.toMatchObject({
      kind: 'unavailable',
    });
    const update = { name: 'u', text: 'select 1 from tenants for update', values: [] };
    expect(await callFunction(db, update)).toEqual([]);
    await blocker.query('rollback');
    blocker.release();
    const [first, second] = [await backend(db), await backend(db)];
    expect(first).toBe(second);
    expect(await withTenant(db, one, namesIn)).toEqual(['one']);
    await db.close();
  });

  it('are set on every connection', async () => {
    const { rows } = await database.app.pool.query(
      `select name, setting from pg_settings where name in
         ('statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout') order by 1`,
    );
    expect(rows.map(({ name, setting }) => `${name} ${setting}`)).toEqual([
      'idle_in_transaction_session_timeout 15000',
      'lock_timeout 5000',
      'statement_timeout 10000',
    ]);
  });

  const backend = async (db: Db) => (await db.pool.query('select pg_backend_pid() as pid')).rows[0].pid;
});
