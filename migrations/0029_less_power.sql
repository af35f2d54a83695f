-- The owner of the tables is worn by migrations with `set role`, and by nobody who knocks. Roles belong to the cluster:
-- another database of it may be migrated in this moment.
do $$
begin
  if (select rolcanlogin from pg_roles where rolname = 'tessera_owner') then
    alter role tessera_owner nologin;
  end if;
exception when internal_error then
  if sqlerrm <> 'tuple concurrently updated' then
    raise;
  end if;
end $$;

-- Large objects belong to a role and to no tenant: row-level security does not reach them. Only a superuser can take them
-- from everybody; for others PostgreSQL warns here, and whoever runs the server has to do it.
do $$
declare
  routine regprocedure;
begin
  for routine in
    select oid from pg_proc
    where pronamespace = 'pg_catalog'::regnamespace and (proname ~ '^lo_' or proname in ('loread', 'lowrite'))
  loop
    execute format('revoke execute on function %s from public', routine);
  end loop;
end $$;

set role tessera_owner;

-- The relay forgets answers when their time is over. It needs to know when that is, and nothing of what they say.
revoke select on idempotency_keys from tessera_relay;
grant select (ctid, tenant_id, created_at, status) on idempotency_keys to tessera_relay;

reset role;
