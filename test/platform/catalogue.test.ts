import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { migrate } from '../../src/platform/migrate.ts';
import { databaseUrl } from '../support/test-logins.ts';
import { findCatalogueFaults, servingRoles } from './support/catalogue-faults.ts';

const name = `tessera_test_${randomBytes(6).toString('hex')}`;
const folder = fileURLToPath(new URL('../../migrations', import.meta.url));
let admin: pg.Client;
let client: pg.Client;

// Migrated here and not cloned: a clone does not take the rights on the database itself along.
beforeAll(async () => {
  admin = new pg.Client({ connectionString: inject('postgres') });
  await admin.connect();
  await admin.query(`create database ${name}`);
  const ownerUrl = databaseUrl(inject('postgres'), name);
  await migrate({ ownerUrl, folder });
  client = new pg.Client({ connectionString: ownerUrl });
  await client.connect();
});
afterAll(async () => {
  await client.end();
  await admin.query(`drop database ${name} with (force)`);
  await admin.end();
});

it('finds nothing wrong in a freshly migrated database', async () => {
  expect(await findCatalogueFaults(client)).toEqual([]);
});

it('looks at the tables that there are', async () => {
  const { rows } = await client.query(
    "select count(*)::integer as n from pg_policies where policyname = 'tenant_isolation'",
  );
  expect(rows[0].n).toBeGreaterThan(30);
});

const good = `create table good (tenant_id uuid not null references tenants, id uuid not null, primary key (tenant_id, id));
  call protect_tenant_table('good');`;

it('accepts a tenant table that was made as all are', async () => {
  expect(await faultsAfter(`set local role tessera_owner; ${good}`)).toEqual([]);
});

describe('complains about', () => {
  it.each<[string, string, string]>([
    [
      'a table without a tenant',
      'create table bad (id uuid primary key)',
      'bad: a table without tenant_id that is no system table',
    ],
    [
      'a tenant that may be null',
      `${good} alter table good drop constraint good_pkey; alter table good alter tenant_id drop not null`,
      'good: tenant_id is no uuid not null',
    ],
    [
      'row-level security that is off',
      'alter table tickets disable row level security',
      'tickets: row-level security is not forced',
    ],
    [
      'row-level security that spares the owner',
      'alter table tickets no force row level security',
      'tickets: row-level security is not forced',
    ],
    [
      'a missing policy',
      'drop policy tenant_isolation on orders',
      'orders: there is no policy tenant_isolation for everybody',
    ],
    [
      'a policy that lets pass while no tenant is set',
      `drop policy tenant_isolation on orders;
       create policy tenant_isolation on orders using (current_tenant() is null or tenant_id = current_tenant())
         with check (tenant_id = current_tenant())`,
      'orders: there is no policy tenant_isolation for everybody',
    ],
    [
      'a policy that does not look at what is written',
      'drop policy tenant_isolation on orders; create policy tenant_isolation on orders using (tenant_id = current_tenant()) with check (true)',
      'orders: there is no policy tenant_isolation for everybody',
    ],
    [
      'a further policy for the application',
      'create policy more on orders for select to tessera_app using (current_tenant() is null)',
      'orders: policy more opens rows within a tenant',
    ],
    [
      'a further policy for everybody',
      'create policy more on orders for select using (current_tenant() is null)',
      'orders: policy more opens rows within a tenant',
    ],
    [
      'a system policy that also holds within a tenant',
      'create policy more on orders for select to tessera_relay using (true)',
      'orders: policy more opens rows within a tenant',
    ],
    [
      'a table without a primary key',
      `create table bad (tenant_id uuid not null); call protect_tenant_table('bad')`,
      'bad: there is no primary key',
    ],
    [
      'a primary key that does not start with the tenant',
      `create table bad (tenant_id uuid not null, id uuid primary key); call protect_tenant_table('bad')`,
      'bad: the unique index bad_pkey does not start with the tenant',
    ],
    [
      'a unique constraint over all tenants',
      `${good} alter table good add column code text unique`,
      'good: the unique index good_code_key does not start with the tenant',
    ],
    [
      'a unique index over all tenants',
      `${good} create unique index good_once on good (id) where id is not null`,
      'good: the unique index good_once does not start with the tenant',
    ],
    [
      'a unique index over an expression',
      `${good} create unique index good_once on good ((id::text))`,
      'good: the unique index good_once does not start with the tenant',
    ],
    [
      'a foreign key into all tenants',
      `create table reference (tenant_id uuid not null, id uuid not null, primary key (tenant_id, id));
       call protect_tenant_table('reference');
       create unique index reference_id on reference (id);
       ${good} alter table good add foreign key (id) references reference (id)`,
      'good: the foreign key good_id_fkey does not start with the tenant',
    ],
    [
      'a system table that points into a tenant',
      'alter table worker_heartbeats add column tenant uuid references tenants',
      'worker_heartbeats: the foreign key worker_heartbeats_tenant_fkey does not start with the tenant',
    ],
    [
      'a view that runs as its owner',
      'create view all_orders as select * from orders',
      'all_orders: a view that runs as its owner',
    ],
    [
      'a materialized view',
      'create materialized view all_orders as select * from orders',
      'all_orders: row-level security does not reach this kind of relation',
    ],
    [
      'a role within a role',
      'grant pg_read_all_data to tessera_app',
      'tessera_app: is a member of pg_read_all_data',
    ],
    [
      'a table that belongs to the application',
      `${good} grant create on schema public to tessera_app; alter table good owner to tessera_app`,
      'tessera_app: owns table good',
    ],
    [
      'a role that may create tables',
      'grant create on schema public to tessera_app',
      'tessera_app: may create in schema public',
    ],
    [
      'a role that may create temporary tables',
      `grant temporary on database ${name} to public`,
      'tessera_relay: may create temporary in the database',
    ],
    ['an owner who may log in', 'alter role tessera_owner login', 'tessera_owner: may log in'],
    [
      'large objects for everybody',
      'grant execute on function lo_creat(integer) to public',
      'tessera_listener: may execute lo_creat(integer)',
    ],
    [
      'a relay that reads answers',
      'grant select on idempotency_keys to tessera_relay',
      'tessera_relay: may read the answers that are kept',
    ],
    ['a right to truncate', 'grant truncate on tickets to tessera_app', 'tessera_app: TRUNCATE on tickets'],
    ['a right of everybody', 'grant select on tickets to public', 'everybody: SELECT on tickets'],
    [
      'a right that can be passed on',
      'grant select on tickets to tessera_app with grant option',
      'tessera_app: SELECT on tickets',
    ],
    [
      'a history that can be rewritten',
      'grant update (reason) on order_state_transitions to tessera_app',
      'tessera_app: may update the history order_state_transitions',
    ],
    [
      'a history that can be forgotten',
      'grant delete on audit_log to tessera_app',
      'tessera_app: may delete the history audit_log',
    ],
    [
      'a function that finds names by the path of its caller',
      `create function bad() returns integer language plpgsql as 'begin return 1; end'`,
      "bad(): a function whose names are found by the caller's search_path",
    ],
    [
      'a function with the rights of its owner',
      `create function bad() returns integer language plpgsql security definer set search_path = public, pg_temp
         as 'begin return 1; end'`,
      'bad(): runs with the rights of its owner',
    ],
    [
      'a function that everybody may execute',
      'grant execute on function current_tenant() to public',
      'current_tenant(): everybody may execute it',
    ],
    [
      'a procedure that everybody may execute',
      'grant execute on procedure protect_tenant_table(regclass) to public',
      'protect_tenant_table(regclass): everybody may execute it',
    ],
  ])('%s', async (_what, sabotage, fault) => {
    expect(await faultsAfter(sabotage)).toContain(fault);
  });

  it('a role that goes past row-level security', async () => {
    const role = `${name}_role`;
    for (const attribute of ['superuser', 'bypassrls', 'createrole', 'createdb', 'replication']) {
      expect(await faultsAfter(`create role ${role} ${attribute}`, [role])).toContain(
        `${role}: superuser, bypassrls, createrole, createdb or replication`,
      );
    }
    expect(await faultsAfter('', [role])).toContain(`${role}: a role that does not exist`);
  });

  it('something that was created without its owner', async () => {
    const sabotage = 'create table bad (tenant_id uuid primary key); call protect_tenant_table($$bad$$)';
    expect(await faultsAfter(sabotage)).toContain('bad: does not belong to tessera_owner');
  });
});

it('gives nobody the execution of what a migration adds', async () => {
  const added = `set local role tessera_owner;
    create function added() returns integer language sql return 1;
    create procedure added_too() language plpgsql set search_path = public, pg_temp as 'begin end';`;
  expect(await faultsAfter(added)).toEqual([]);
});

describe('the rights of the system roles are', () => {
  it('for the relay: when something is due, and the queues', async () => {
    expect(await rightsOf('tessera_relay')).toEqual({
      chain_clusters: 'select',
      chain_quarantine: 'select',
      events: 'select (ends_at, expired_at, id, tenant_id)',
      failed_messages: 'select, update (next_attempt_at)',
      holds: 'select (expires_at, state, tenant_id, ticket_type_id)',
      idempotency_keys: 'delete, select (created_at, ctid, status, tenant_id)',
      inbox: 'delete, select',
      inventory: 'select (capacity, event_id, held, sold, tenant_id, ticket_type_id, waiting)',
      mails: 'delete, select (id, next_attempt_at, settled_at, status, tenant_id)',
      outbox: 'delete, select, update (attempts, last_error, next_attempt_at)',
      parked_jobs: 'select (checked_at, purpose, subject_id, tenant_id)',
      payer_refills: 'insert, select, update',
      payments: 'select (id, next_poll_at, tenant_id)',
      pending_transactions: 'select (id, next_check_at, purpose, status, tenant_id, ticket_id)',
      refunds: 'select (id, next_attempt_at, tenant_id)',
      schema_migrations: 'select (name)',
      stray_messages: 'delete, insert, select',
      tenants: 'select (is_active, tenant_id)',
      ticket_state_rules: 'select',
      tickets: 'select (blockchain_sync_status, created_at, event_id, id, status, tenant_id, updated_at)',
      waiting_list: 'select (offer_expires_at, state, tenant_id, ticket_type_id)',
      worker_heartbeats: 'delete, insert, select, update',
    });
  });

  it('for the listener: what the chain says', async () => {
    expect(await rightsOf('tessera_listener')).toEqual({
      blockchain_sync: 'insert, select, update',
      chain_clusters: 'insert, select, update',
      chain_events: 'select',
      chain_quarantine: 'delete, insert, select, update',
      outbox: 'insert',
      parked_jobs: 'select',
      pending_transactions: 'select, update',
      schema_migrations: 'select (name)',
      tenants: 'select (is_active, tenant_id)',
      ticket_state_rules: 'select',
      ticket_state_transitions: 'insert, select',
      tickets: 'select, update',
      transfers: 'select, update',
      users: 'select',
      wallets: 'select',
      worker_heartbeats: 'delete, insert, select, update',
    });
  });

  it('for functions: none but the tenant of the transaction', async () => {
    const { rows } = await client.query(
      `select r, p.proname from unnest($1::text[]) r, pg_proc p
       where p.pronamespace = 'public'::regnamespace and has_function_privilege(r, p.oid, 'execute') order by 1, 2`,
      [servingRoles.filter((role) => role !== 'tessera_app')],
    );
    expect(rows.map(({ r, proname }) => `${r} ${proname}`)).toEqual([
      'tessera_listener current_tenant',
      'tessera_relay current_tenant',
    ]);
  });
});

/** What is wrong after `sabotage`, which is taken back. */
async function faultsAfter(sabotage: string, roles?: string[]): Promise<string[]> {
  await client.query('begin');
  try {
    await client.query(sabotage);
    await client.query('reset role');
    return await findCatalogueFaults(client, roles ? { roles } : {});
  } finally {
    await client.query('rollback');
  }
}

async function rightsOf(role: string): Promise<Record<string, string>> {
  const { rows } = await client.query<{ relname: string; rights: string }>(
    `select relname, string_agg(right_, ', ' order by right_) as rights from (
       select c.relname, lower(g.privilege_type) as right_ from pg_class c, aclexplode(c.relacl) g
       where c.relnamespace = 'public'::regnamespace and g.grantee = $1::regrole
       union all
       select c.relname, format('%s (%s)', lower(g.privilege_type), string_agg(a.attname, ', ' order by a.attname))
       from pg_class c join pg_attribute a on a.attrelid = c.oid, aclexplode(a.attacl) g
       where c.relnamespace = 'public'::regnamespace and g.grantee = $1::regrole
       group by c.relname, g.privilege_type) granted
     group by relname`,
    [role],
  );
  return Object.fromEntries(rows.map(({ relname, rights }) => [relname, rights]));
}
