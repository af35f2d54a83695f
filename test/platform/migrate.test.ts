import { randomBytes } from 'node:crypto';
import { cp, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterEach, beforeEach, expect, inject, it } from 'vitest';
import { migrate } from '../../src/platform/migrate.ts';
import { startOwnPostgres } from '../support/own-postgres.ts';
import { databaseUrl } from '../support/test-logins.ts';

const migrations = fileURLToPath(new URL('../../migrations', import.meta.url));
let admin: pg.Client;
let folder: string;
let databases: string[];

beforeEach(async () => {
  admin = new pg.Client({ connectionString: inject('postgres') });
  await admin.connect();
  folder = await mkdtemp(`${tmpdir()}/tessera-migrations-`);
  databases = [];
});
afterEach(async () => {
  for (const name of databases) await admin.query(`drop database ${name} with (force)`);
  await admin.end();
  await rm(folder, { recursive: true });
});

async function newDatabase(): Promise<string> {
  const name = `tessera_test_${randomBytes(6).toString('hex')}`;
  await admin.query(`create database ${name}`);
  databases.push(name);
  return databaseUrl(inject('postgres'), name);
}

async function query(url: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query(text);
  await client.end();
  return rows;
}

it('applies each file once, in order, however many start at the same time', async () => {
  const ownerUrl = await newDatabase();
  const files = (await readdir(migrations)).filter((name) => name.endsWith('.sql')).toSorted();
  const applied = await Promise.all(
    Array.from({ length: 4 }, () => migrate({ ownerUrl, folder: migrations })),
  );
  expect(applied.filter((names) => names.length > 0)).toEqual([files]);
  expect(await query(ownerUrl, 'select name from schema_migrations order by applied_at, name')).toEqual(
    files.map((name) => ({ name })),
  );
  expect(await migrate({ ownerUrl, folder: migrations })).toEqual([]);
});

it('migrates several databases of one cluster at the same time, roles and passwords included', async () => {
  // A server of its own, since passwords of roles belong to the whole of it.
  const server = await startOwnPostgres();
  try {
    const names = ['one', 'two', 'three'];
    for (const name of names) await server.query(`create database ${name}`);
    const migrateAll = () =>
      Promise.all(
        names.map((name) =>
          migrate({
            ownerUrl: server.url('postgres', name),
            folder: migrations,
            logins: ['tessera_app', 'tessera_relay', 'tessera_listener'].map((role) =>
              server.url(role, name),
            ),
          }),
        ),
      );
    const applied = await migrateAll();
    expect(new Set(applied.map((files) => files.length)).size).toBe(1);
    for (let i = 0; i < 10; i++) await migrateAll();
    expect(await query(server.url('tessera_app', 'two'), 'select current_user as who')).toEqual([
      { who: 'tessera_app' },
    ]);
  } finally {
    await server.stop();
  }
});

it('leaves nothing of a file that fails, keeps those before it, and goes on when it is mended', async () => {
  const ownerUrl = await newDatabase();
  await writeFile(`${folder}/0001_first.sql`, 'create table first (id integer)');
  await writeFile(`${folder}/0002_second.sql`, 'create table second (id integer); select 1 / 0');
  await writeFile(`${folder}/0003_third.sql`, 'create table third (id integer)');
  await writeFile(`${folder}/notes.txt`, 'no SQL');
  await expect(migrate({ ownerUrl, folder })).rejects.toThrow(
    'migration 0002_second.sql failed: division by zero',
  );
  const tables =
    "select string_agg(tablename, ' ' order by tablename) as names from pg_tables where schemaname = 'public'";
  expect(await query(ownerUrl, tables)).toEqual([{ names: 'first schema_migrations' }]);
  await writeFile(`${folder}/0002_second.sql`, 'create table second (id integer)');
  expect(await migrate({ ownerUrl, folder })).toEqual(['0002_second.sql', '0003_third.sql']);
  expect(await query(ownerUrl, tables)).toEqual([{ names: 'first schema_migrations second third' }]);
});

it('refuses a file that was changed after it was applied', async () => {
  const ownerUrl = await newDatabase();
  await cp(migrations, folder, { recursive: true });
  await migrate({ ownerUrl, folder });
  await writeFile(`${folder}/0001_roles_and_tenants.sql`, '-- changed');
  await expect(migrate({ ownerUrl, folder })).rejects.toThrow(
    'migration 0001_roles_and_tenants.sql was changed after it was applied; write a new one',
  );
});

it('says which database it cannot reach without the password that it tried', async () => {
  const failing = migrate({ ownerUrl: 'postgres://owner:c4n4ry@127.0.0.1:1/tessera', folder });
  const error = await failing.catch((failure) => failure);
  expect(error).toBeInstanceOf(Error);
  expect(JSON.stringify([error.message, error.stack])).not.toContain('c4n4ry');
});

it('moves signatures and gates of earlier steps out of their reasons, for every tenant, and nothing else', async () => {
  const ownerUrl = await newDatabase();
  const files = (await readdir(migrations)).filter((name) => name.endsWith('.sql'));
  for (const name of files.filter((file) => file < '0017'))
    await cp(`${migrations}/${name}`, `${folder}/${name}`);
  await migrate({ ownerUrl, folder });
  const signature =
    '5VERv8NMvzbJMEkV8xnrLkEaWRtSz9CosKDYjCJjBRnbJLgp8uirBgmQpjKhoR4tjF3ZpRzrFmBV6UjKdiSZkQUW';
  await query(
    ownerUrl,
    `insert into tickets (tenant_id, id, event_id, ticket_type_id, order_id, user_id, ticket_number, holder_name, status,
       status_actor, price_minor, currency, created_at, updated_at)
     select t, gen_random_uuid(), t, t, t, 'alice', n::text, 'Alice', 'sold', 'jwt:alice', 1, 'EUR', now(), now()
     from (values (gen_random_uuid()), (gen_random_uuid())) tenants (t), generate_series(1, 3) n;
     update tickets set status = 'minting', status_actor = 'worker:mint', version = 2;
     update tickets set status = 'active', status_actor = 'chain:listener', status_reason = '${signature}', version = 3;
     update tickets set status = 'checked_in', status_actor = 'scan:jwt:gate-1', status_reason = 'North', version = 4
       where ticket_number = '2';
     update tickets set status = 'refunded', status_actor = 'jwt:sam', status_reason = 'scan:North', version = 4
       where ticket_number = '3';`,
  );
  for (const name of files) await cp(`${migrations}/${name}`, `${folder}/${name}`);
  await migrate({ ownerUrl, folder });
  const steps = await query(
    ownerUrl,
    `select distinct to_status as "to", reason, signature, gate from ticket_state_transitions order by 1`,
  );
  const none = { reason: null, signature: null, gate: null };
  expect(steps).toEqual([
    { ...none, to: 'active', signature },
    { ...none, to: 'checked_in', gate: 'North' },
    { ...none, to: 'minting' },
    { ...none, to: 'refunded', reason: 'scan:North' },
    { ...none, to: 'sold' },
  ]);
  const tickets = await query(
    ownerUrl,
    `select ticket_number as n, status_reason as reason, status_signature as signature, status_gate as gate, count(*)::integer
     from tickets group by 1, 2, 3, 4 order by 1`,
  );
  expect(tickets).toEqual([
    { ...none, n: '1', signature, count: 2 },
    { ...none, n: '2', gate: 'North', count: 2 },
    { ...none, n: '3', reason: 'scan:North', count: 2 },
  ]);
  const forced = `select count(*)::integer from pg_class where relforcerowsecurity
    and relname in ('tickets', 'ticket_state_transitions')`;
  expect(await query(ownerUrl, forced)).toEqual([{ count: 2 }]);
});
