set role tessera_owner;

-- Foreign keys cost a look-up for each row, and were half of the work of a sale. Rows that are written only together with
-- their parent, whose parent nobody may delete, do without: row-level security binds their tenant.
create table outbox (
  tenant_id uuid not null,
  id uuid not null,
  messages json not null,
  created_at timestamptz not null default now(),
  next_attempt_at timestamptz not null default now(),
  attempts integer not null default 0,
  last_error text,
  primary key (tenant_id, id)
);
comment on table outbox is 'One row per committed effect; messages is an array of {kind, body}. The relay deletes a row once the bus confirmed all of it.';
create index outbox_due on outbox (next_attempt_at, id);
call protect_tenant_table('outbox');
create policy relay_moves_outbox on outbox to tessera_relay using (current_tenant() is null) with check (current_tenant() is null);
grant insert on outbox to tessera_app, tessera_listener;
grant select on outbox to tessera_app;
grant select, update (next_attempt_at, attempts, last_error), delete on outbox to tessera_relay;

create table inbox (
  tenant_id uuid not null,
  consumer text not null,
  message_id text not null,
  processed_at timestamptz not null default now(),
  primary key (tenant_id, consumer, message_id)
);
comment on table inbox is 'A message takes effect once per consumer: this row commits with its effect.';
create index inbox_age on inbox (processed_at);
call protect_tenant_table('inbox');
grant select, insert on inbox to tessera_app;
create policy relay_prunes_inbox on inbox to tessera_relay using (current_tenant() is null);
grant select, delete on inbox to tessera_relay;

create table parked_messages (
  tenant_id uuid not null references tenants,
  consumer text not null,
  message_id text not null,
  kind text not null,
  body jsonb not null,
  error text not null,
  attempts integer not null,
  parked_at timestamptz not null default now(),
  primary key (tenant_id, consumer, message_id)
);
comment on table parked_messages is 'What a consumer gave up on, kept visible: a copy of the dead letter with the reason.';
call protect_tenant_table('parked_messages');
grant select, insert, update, delete on parked_messages to tessera_app;

create table idempotency_keys (
  tenant_id uuid not null,
  principal text collate "C" not null,
  route text collate "C" not null,
  key text collate "C" not null check (length(key) between 1 and 255),
  request_hash bytea not null,
  status integer,
  response json,
  subject_id uuid,
  created_at timestamptz not null default now(),
  locked_until timestamptz,
  primary key (tenant_id, principal, route, key)
) with (fillfactor = 22);
-- There is room beside each row for its answer, so that storing it writes none of the index entries again.
comment on table idempotency_keys is 'Commits in the transaction of the effect. status null: in flight until locked_until, afterwards resumable through subject_id.';
create index idempotency_keys_age on idempotency_keys (created_at);
call protect_tenant_table('idempotency_keys');
grant select, insert, update on idempotency_keys to tessera_app;
create policy relay_prunes_idempotency_keys on idempotency_keys to tessera_relay using (current_tenant() is null);
grant select, delete on idempotency_keys to tessera_relay;

create table worker_heartbeats (
  worker text not null,
  instance text not null,
  beat_at timestamptz not null,
  details jsonb not null default '{}',
  primary key (worker, instance)
);
comment on table worker_heartbeats is 'System table, no tenant data: readiness is red unless each worker beats.';
grant select, insert, update, delete on worker_heartbeats to tessera_app, tessera_relay, tessera_listener;

reset role;
