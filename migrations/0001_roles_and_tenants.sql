-- Four roles, none of them superuser, none with BYPASSRLS:
--   tessera_owner     owns every object, runs migrations, serves no request
--   tessera_app       the API and the workers, always inside one tenant
--   tessera_relay     moves the outbox and finds overdue work across tenants
--   tessera_listener  writes what the chain says
-- Roles belong to the cluster, so they may exist already, and another database may be creating them right now.
do $$
declare
  role_name text;
begin
  foreach role_name in array array['tessera_owner', 'tessera_app', 'tessera_relay', 'tessera_listener'] loop
    begin
      if not exists (select from pg_roles where rolname = role_name) then
        execute format('create role %I nosuperuser nocreatedb nocreaterole nobypassrls login', role_name);
      end if;
    exception when duplicate_object or unique_violation then
      null; -- another migration created it between the look and the create
    end;
  end loop;
end $$;

do $$
begin
  if not pg_has_role(current_user, 'tessera_owner', 'member') then
    execute format('grant tessera_owner to %I', current_user);
  end if;
  execute format('grant create on database %I to tessera_owner', current_database());
  -- A temporary table goes before the real one of its name.
  execute format('revoke temporary on database %I from public', current_database());
end $$;

grant create, usage on schema public to tessera_owner;
revoke create on schema public from public;
grant usage on schema public to tessera_app, tessera_relay, tessera_listener;

set role tessera_owner;

-- What a migration creates is nobody's until it is granted.
alter default privileges revoke execute on routines from public;

-- The tenant of the running transaction. A transaction-local setting reads '' after its transaction ended on a pooled
-- connection, and ''::uuid is an error, hence nullif. STABLE SQL is inlined into the policy, so indexes are used.
create function current_tenant() returns uuid
  language sql stable parallel safe
  return nullif(current_setting('app.tenant_id', true), '')::uuid;
grant execute on function current_tenant() to tessera_app, tessera_relay, tessera_listener;

-- Every tenant table goes through here, so that none is forgotten and all policies read the same.
create procedure protect_tenant_table(table_name regclass)
  language plpgsql set search_path = public, pg_temp as $$
begin
  execute format('alter table %s enable row level security', table_name);
  execute format('alter table %s force row level security', table_name);
  execute format('create policy tenant_isolation on %s using (tenant_id = current_tenant()) with check (tenant_id = current_tenant())', table_name);
end $$;

create table tenants (
  tenant_id uuid primary key,
  name text not null check (length(name) between 1 and 200),
  is_active boolean not null default true,
  created_at timestamptz not null default now()
);
comment on table tenants is 'An organiser who sells tickets here.';
call protect_tenant_table('tenants');
create policy relay_lists_tenants on tenants for select to tessera_relay using (current_tenant() is null);
create policy listener_lists_tenants on tenants for select to tessera_listener using (current_tenant() is null);
grant select, insert, update on tenants to tessera_app;
grant select (tenant_id, is_active) on tenants to tessera_relay;
grant select (tenant_id, is_active) on tenants to tessera_listener;

create table api_keys (
  tenant_id uuid not null references tenants,
  id uuid not null,
  name text not null check (length(name) between 1 and 200),
  role text not null check (role in ('admin', 'organiser', 'support', 'buyer', 'scanner')),
  scopes text[] not null default '{}',
  secret_hash bytea not null check (length(secret_hash) = 32),
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  revoked_at timestamptz,
  primary key (tenant_id, id)
);
comment on column api_keys.secret_hash is 'SHA-256 of a 192-bit random secret; the secret itself is shown once and never stored.';
call protect_tenant_table('api_keys');
grant select, insert, update on api_keys to tessera_app;

create table users (
  tenant_id uuid not null references tenants,
  user_id text not null check (length(user_id) between 1 and 128),
  email text check (length(email) <= 320),
  name text check (length(name) <= 200),
  phone text check (length(phone) <= 40),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (tenant_id, user_id)
);
comment on column users.user_id is 'The subject claim of the tenant''s identity provider.';
call protect_tenant_table('users');
grant select, insert, update on users to tessera_app;
grant select on users to tessera_listener;

create table wallets (
  tenant_id uuid not null references tenants,
  address text not null check (length(address) between 32 and 44),
  user_id text not null check (length(user_id) between 1 and 128),
  custody text not null check (custody in ('custodial', 'linked')),
  is_primary boolean not null default false,
  verified_at timestamptz not null,
  created_at timestamptz not null default now(),
  primary key (tenant_id, address)
);
comment on table wallets is 'custodial: the key is derived by the signer from the tenant seed; linked: its owner signed our challenge.';
create unique index wallets_primary on wallets (tenant_id, user_id) where is_primary;
create unique index wallets_custodial on wallets (tenant_id, user_id) where custody = 'custodial';
call protect_tenant_table('wallets');
grant select, insert, update on wallets to tessera_app;
grant select on wallets to tessera_listener;

create table wallet_challenges (
  tenant_id uuid not null references tenants,
  id uuid not null,
  user_id text not null,
  address text not null,
  message text not null,
  expires_at timestamptz not null,
  used_at timestamptz,
  primary key (tenant_id, id)
);
call protect_tenant_table('wallet_challenges');
grant select, insert, update on wallet_challenges to tessera_app;

create table audit_log (
  tenant_id uuid not null references tenants,
  id uuid not null,
  at timestamptz not null default now(),
  actor text not null,
  action text not null,
  subject text not null,
  details jsonb not null default '{}',
  primary key (tenant_id, id)
);
call protect_tenant_table('audit_log');
grant select, insert on audit_log to tessera_app;

reset role;
