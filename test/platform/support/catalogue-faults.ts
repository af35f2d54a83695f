import type pg from 'pg';

/** Tables of the installation, not of a tenant. Whoever adds one here says that it holds no tenant's data. */
export const systemTables = [
  'chain_clusters',
  'payer_refills',
  'chain_quarantine',
  'schema_migrations',
  'stray_messages',
  'ticket_state_rules',
  'worker_heartbeats',
] as const;

/** The roles that serve requests and messages. */
export const servingRoles = ['tessera_app', 'tessera_relay', 'tessera_listener'] as const;

/** The only functions that run with the rights of their owner. */
const definers = ['find_nft'];

/** What the application writes once and never again: histories that nobody may rewrite. */
const appendOnly = [
  'audit_log',
  'order_state_transitions',
  'payment_events',
  'ticket_scans',
  'ticket_state_transitions',
];

/**
 * Reads the PostgreSQL catalogue and gives a sentence for each thing that could let one tenant see another's rows, or
 * one role do more than it must. Empty for a database as it should be.
 */
export async function findCatalogueFaults(
  client: Pick<pg.ClientBase, 'query'>,
  { roles = servingRoles as readonly string[] } = {},
): Promise<string[]> {
  const faults: string[] = [];
  for (const check of checks) {
    const { rows } = await client.query<{ fault: string }>(check, [
      systemTables,
      roles,
      [...roles, 'tessera_owner'],
      definers,
      appendOnly,
    ]);
    faults.push(...rows.map(({ fault }) => fault));
  }
  return faults.toSorted();
}

/** $1 system tables, $2 serving roles, $3 those and the owner, $4 definers, $5 append-only tables. */
const given = `with given as (
    select $1::text[] as system_tables, $2::text[] as serving_roles, $3::text[] as all_roles, $4::text[] as definers,
      $5::text[] as append_only),
  tables as (
    select c.*, not c.relname = any (g.system_tables) as of_tenant from pg_class c, given g
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')),
  tenant_tables as (
    select t.*, a.attnum as tenant, a.attnotnull, a.atttypid from tables t
    left join pg_attribute a on a.attrelid = t.oid and a.attname = 'tenant_id' and not a.attisdropped
    where t.of_tenant)`;

const checks = [
  // Tables.
  `${given} select format('%s: a table without tenant_id that is no system table', relname) as fault
   from tenant_tables where tenant is null`,
  `${given} select format('%s: tenant_id is no uuid not null', relname) as fault
   from tenant_tables where tenant is not null and not (attnotnull and atttypid = 'uuid'::regtype)`,
  `${given} select format('%s: row-level security is not forced', relname) as fault
   from tenant_tables where not (relrowsecurity and relforcerowsecurity)`,
  `${given} select format('%s: there is no policy tenant_isolation for everybody', t.relname) as fault
   from tenant_tables t where not exists (
     select from pg_policy p where p.polrelid = t.oid and p.polname = 'tenant_isolation' and p.polcmd = '*'
       and p.polpermissive and p.polroles = '{0}'
       and pg_get_expr(p.polqual, p.polrelid) = '(tenant_id = current_tenant())'
       and pg_get_expr(p.polwithcheck, p.polrelid) = '(tenant_id = current_tenant())')`,
  // A further policy opens more rows: to a system role, and only while it is in no tenant.
  `${given} select format('%s: policy %s opens rows within a tenant', t.relname, p.polname) as fault
   from tenant_tables t join pg_policy p on p.polrelid = t.oid
   where p.polname <> 'tenant_isolation' and p.polpermissive and not (
     coalesce((select array_agg(rolname::text) <@ array['tessera_relay', 'tessera_listener'] from pg_roles
       where oid = any (p.polroles)), false)
     and coalesce(pg_get_expr(p.polqual, p.polrelid), '(current_tenant() IS NULL)') = '(current_tenant() IS NULL)'
     and coalesce(pg_get_expr(p.polwithcheck, p.polrelid), '(current_tenant() IS NULL)') = '(current_tenant() IS NULL)')
   and not (t.relname = 'tickets' and p.polname = 'owner_finds_nft' and p.polcmd = 'r'
     and p.polroles = array['tessera_owner'::regrole::oid])`,
  // Keys.
  `${given} select format('%s: there is no primary key', relname) as fault from tables t
   where not exists (select from pg_index i where i.indrelid = t.oid and i.indisprimary)`,
  `${given} select format('%s: the unique index %s does not start with the tenant', t.relname, i.indexrelid::regclass) as fault
   from tenant_tables t join pg_index i on i.indrelid = t.oid
   where (i.indisunique or i.indisexclusion) and i.indkey[0] is distinct from t.tenant`,
  `${given} select format('%s: the foreign key %s does not start with the tenant', t.relname, k.conname) as fault
   from tables t join pg_constraint k on k.conrelid = t.oid and k.contype = 'f'
   left join tenant_tables here on here.oid = k.conrelid
   left join tenant_tables there on there.oid = k.confrelid
   where k.conkey[1] is distinct from here.tenant or k.confkey[1] is distinct from there.tenant`,
  // What is no table shows rows as its owner may see them.
  `${given} select format('%s: a view that runs as its owner', c.relname) as fault from pg_class c
   where c.relnamespace = 'public'::regnamespace and c.relkind = 'v'
     and not coalesce(c.reloptions @> array['security_invoker=true'], false)`,
  `${given} select format('%s: row-level security does not reach this kind of relation', c.relname) as fault from pg_class c
   where c.relnamespace = 'public'::regnamespace and c.relkind in ('m', 'f')`,
  // Roles.
  `${given} select format('%s: a role that does not exist', r) as fault from given, unnest(all_roles) r
   where not exists (select from pg_roles where rolname = r)`,
  `${given} select format('%s: superuser, bypassrls, createrole, createdb or replication', r.rolname) as fault
   from pg_roles r, given where r.rolname = any (all_roles)
     and (r.rolsuper or r.rolbypassrls or r.rolcreaterole or r.rolcreatedb or r.rolreplication)`,
  `${given} select format('%s: may log in', rolname) as fault from pg_roles where rolname = 'tessera_owner' and rolcanlogin`,
  // No policy reaches large objects.
  `${given} select format('%s: may execute %s', r, p.oid::regprocedure) as fault
   from given cross join unnest(serving_roles) r join pg_roles o on o.rolname = r, pg_proc p
   where p.pronamespace = 'pg_catalog'::regnamespace and (p.proname ~ '^lo_' or p.proname in ('loread', 'lowrite'))
     and has_function_privilege(o.oid, p.oid, 'execute')`,
  // Answers are somebody's: who forgets them need not read them.
  `${given} select format('%s: may read the answers that are kept', r) as fault
   from given cross join unnest(serving_roles) r join pg_roles o on o.rolname = r, unnest(array['response', 'request_hash', 'principal', 'key']) c
   where r <> 'tessera_app' and has_column_privilege(o.oid, 'idempotency_keys', c, 'select')`,
  `${given} select format('%s: is a member of %s', m.member::regrole, m.roleid::regrole) as fault
   from pg_auth_members m, given where m.member::regrole::text = any (all_roles)`,
  `${given} select format('%s: owns %s', r.rolname, pg_describe_object(d.classid, d.objid, d.objsubid)) as fault
   from pg_roles r, given, pg_shdepend d
   where r.rolname = any (serving_roles) and d.refobjid = r.oid and d.deptype = 'o'
     and d.dbid in (0, (select oid from pg_database where datname = current_database()))`,
  `${given} select format('%s: may create in schema %s', r, n.nspname) as fault
   from given cross join unnest(serving_roles) r join pg_roles o on o.rolname = r, pg_namespace n
   where has_schema_privilege(o.oid, n.oid, 'create') and n.nspname !~ '^pg_(toast_)?temp_'`,
  `${given} select format('%s: may create %s in the database', r, p) as fault
   from given cross join unnest(serving_roles) r join pg_roles o on o.rolname = r, unnest(array['create', 'temporary']) p
   where has_database_privilege(o.oid, current_database(), p)`,
  // Rights on tables.
  `${given} select format('%s: %s on %s', coalesce(nullif(g.grantee, 0)::regrole::text, 'everybody'), g.privilege_type, t.relname) as fault
   from given, pg_class t, aclexplode(t.relacl) g
   where t.relnamespace = 'public'::regnamespace and g.grantee <> t.relowner
     and (g.grantee = 0 or g.is_grantable or not g.grantee::regrole::text = any (serving_roles)
       or g.privilege_type not in ('SELECT', 'INSERT', 'UPDATE', 'DELETE'))`,
  `${given} select format('%s: may %s the history %s', r, p, t) as fault
   from given cross join unnest(serving_roles) r join pg_roles o on o.rolname = r, unnest(append_only) t, unnest(array['update', 'delete']) p
   where has_table_privilege(o.oid, t, p) or (p = 'update' and has_any_column_privilege(o.oid, t, p))`,
  // Functions.
  `${given} select format('%s: a function whose names are found by the caller''s search_path', p.oid::regprocedure) as fault
   from pg_proc p where p.pronamespace = 'public'::regnamespace and p.prosqlbody is null
     and not coalesce(p.proconfig @> array['search_path=public, pg_temp'], false)`,
  `${given} select format('%s: runs with the rights of its owner', p.oid::regprocedure) as fault
   from pg_proc p, given where p.pronamespace = 'public'::regnamespace and p.prosecdef
     and not (p.proname = any (definers) and coalesce(p.proconfig @> array['search_path=public, pg_temp'], false))`,
  `${given} select format('%s: everybody may execute it', p.oid::regprocedure) as fault
   from pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) g
   where p.pronamespace = 'public'::regnamespace and g.grantee = 0`,
  `${given} select format('%s: does not belong to tessera_owner', d.name) as fault from (
     select relname::text as name, relowner as owner from pg_class
     where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'S') and relname <> 'schema_migrations'
     union all select oid::regprocedure::text, proowner from pg_proc where pronamespace = 'public'::regnamespace) d
   where d.owner <> 'tessera_owner'::regrole`,
];
