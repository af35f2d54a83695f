set role tessera_owner;

create table chain_clusters (
  id uuid primary key,
  genesis_hash text not null,
  program_id text not null,
  started_at timestamptz not null,
  ended_at timestamptz,
  cursor_signature text,
  cursor_slot bigint,
  sentinel_signature text,
  updated_at timestamptz not null
);
comment on table chain_clusters is 'System table: the chain we follow and how far. sentinel_signature is a finalized transaction that must still exist when we start: without it this is another chain.';
create unique index chain_clusters_current on chain_clusters (genesis_hash, program_id) where ended_at is null;
grant select, insert, update on chain_clusters to tessera_listener;
grant select on chain_clusters to tessera_app, tessera_relay;

create table chain_organizers (
  tenant_id uuid not null references tenants,
  address text not null,
  authority text not null,
  registered_at timestamptz,
  primary key (tenant_id)
);
comment on table chain_organizers is 'The tenant''s account of the ticketing program; registered_at once it was seen on chain.';
call protect_tenant_table('chain_organizers');
grant select, insert, update on chain_organizers to tessera_app;

create table chain_events (
  tenant_id uuid not null,
  event_id uuid not null,
  address text not null,
  max_supply integer not null check (max_supply >= 0),
  next_index integer not null default 0 check (next_index >= 0),
  registered_at timestamptz,
  primary key (tenant_id, event_id),
  unique (tenant_id, address),
  foreign key (tenant_id, event_id) references events (tenant_id, id) on delete cascade
);
comment on column chain_events.next_index is 'The next free place of the event on chain; given to a ticket once, when its mint is prepared.';
create index chain_events_by_address on chain_events (address);
call protect_tenant_table('chain_events');
grant select, insert, update on chain_events to tessera_app;
create policy listener_finds_events on chain_events for select to tessera_listener using (current_tenant() is null);
grant select on chain_events to tessera_listener;

create table transfers (
  tenant_id uuid not null,
  id uuid not null,
  ticket_id uuid not null,
  from_user_id text not null,
  from_wallet text not null,
  to_user_id text,
  to_wallet text,
  status text not null check (status in ('offered', 'requested', 'completed', 'failed', 'cancelled')),
  failure_code text,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id),
  foreign key (tenant_id, ticket_id) references tickets (tenant_id, id),
  check (to_user_id is not null or to_wallet is not null)
);
create unique index transfers_one_open on transfers (tenant_id, ticket_id) where status in ('offered', 'requested');
call protect_tenant_table('transfers');
grant select, insert, update on transfers to tessera_app;
grant select, update on transfers to tessera_listener;

create table pending_transactions (
  tenant_id uuid not null references tenants,
  id uuid not null,
  purpose text not null check (purpose in ('register_organizer', 'create_event', 'grow_event', 'mint', 'transfer', 'revoke', 'check_in')),
  subject_id uuid not null,
  ticket_id uuid,
  attempt integer not null default 1,
  status text not null check (status in ('prepared', 'submitted', 'confirmed', 'finalized', 'failed', 'expired')),
  tx_signature text not null,
  raw bytea not null,
  last_valid_block_height bigint not null,
  prepared_at timestamptz not null,
  submitted_at timestamptz,
  confirmed_at timestamptz,
  finalized_at timestamptz,
  confirmation_count integer not null default 0,
  slot bigint,
  error_code text,
  missed smallint not null default 0,
  next_check_at timestamptz,
  primary key (tenant_id, id),
  unique (tenant_id, tx_signature),
  foreign key (tenant_id, ticket_id) references tickets (tenant_id, id)
);
comment on table pending_transactions is 'Every transaction we sign: the bytes are committed here before they are sent, so a crash can only repeat the same transaction.';
comment on column pending_transactions.missed is 'How often its time was over and no node knew it; it takes two such answers to call it expired.';
comment on column pending_transactions.subject_id is 'What the transaction is about: a ticket, an event, a transfer or the tenant itself.';
create unique index pending_transactions_one_live on pending_transactions (tenant_id, purpose, subject_id)
  where status in ('prepared', 'submitted', 'confirmed');
create index pending_transactions_due on pending_transactions (next_check_at) where next_check_at is not null;
create index pending_transactions_of_ticket on pending_transactions (tenant_id, ticket_id);
create index pending_transactions_by_signature on pending_transactions (tx_signature);
call protect_tenant_table('pending_transactions');
grant select, insert, update on pending_transactions to tessera_app;
grant select, update on pending_transactions to tessera_listener;
create policy relay_finds_due_transactions on pending_transactions for select to tessera_relay using (current_tenant() is null);
grant select (tenant_id, id, status, next_check_at) on pending_transactions to tessera_relay;
create policy listener_reads_transactions on pending_transactions for select to tessera_listener using (current_tenant() is null);

create table blockchain_sync (
  tenant_id uuid not null references tenants,
  cluster_id uuid not null,
  signature text not null,
  instruction_path text not null,
  ordinal smallint not null,
  kind text not null,
  slot bigint not null,
  block_time timestamptz,
  ticket_id uuid,
  mint text,
  from_wallet text,
  to_wallet text,
  chain_version integer,
  details jsonb not null default '{}',
  commitment text not null check (commitment in ('provisional', 'finalized', 'orphaned')),
  outcome text not null check (outcome in ('applied', 'already_known', 'corrected', 'unknown_ticket', 'compensated')),
  recorded_at timestamptz not null,
  primary key (tenant_id, cluster_id, signature, instruction_path, ordinal),
  foreign key (tenant_id, ticket_id) references tickets (tenant_id, id)
);
comment on table blockchain_sync is 'Every entry of the chain that concerns a tenant, once, with what we did about it.';
create index blockchain_sync_of_ticket on blockchain_sync (tenant_id, ticket_id, slot);
create index blockchain_sync_provisional on blockchain_sync (cluster_id, slot) where commitment = 'provisional';
call protect_tenant_table('blockchain_sync');
grant select on blockchain_sync to tessera_app;
grant select, insert, update on blockchain_sync to tessera_listener;
create policy listener_reads_sync on blockchain_sync for select to tessera_listener using (current_tenant() is null);

reset role;
