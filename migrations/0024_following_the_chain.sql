set role tessera_owner;

create table chain_quarantine (
  cluster_id uuid not null,
  signature text not null,
  slot bigint not null,
  block_time timestamptz,
  reason text not null,
  tries integer not null default 1,
  first_seen_at timestamptz not null default now(),
  last_seen_at timestamptz not null default now(),
  next_try_at timestamptz default now(),
  primary key (cluster_id, signature)
);
comment on table chain_quarantine is 'System table: transactions that name our program and could not be fetched, read or recorded. The listener goes on without them; order does no harm, since the version of a ticket decides.';
comment on column chain_quarantine.next_try_at is 'By the clock of the database; null once it was given up, until somebody asks for it again.';
create index chain_quarantine_due on chain_quarantine (next_try_at) where next_try_at is not null;
grant select, insert, update, delete on chain_quarantine to tessera_listener;
grant select on chain_quarantine to tessera_app, tessera_relay;

alter table chain_clusters
  add column audited_at timestamptz,
  add column audit jsonb;
comment on column chain_clusters.audit is 'What the last comparison of all tickets with their accounts found, in numbers.';

-- An audit may find what it cannot correct: a ticket of the chain that nobody here knows, or one that is gone.
alter table blockchain_sync drop constraint blockchain_sync_outcome_check;
alter table blockchain_sync add constraint blockchain_sync_outcome_check
  check (outcome in ('applied', 'already_known', 'corrected', 'unknown_ticket', 'compensated', 'reported'));

-- Looking up the tenant and the ticket of each entry was a third of the time of writing it. The listener writes an entry
-- under the lock of its ticket, nobody may delete either, and row-level security binds the tenant.
alter table blockchain_sync drop constraint blockchain_sync_tenant_id_fkey;
alter table blockchain_sync drop constraint blockchain_sync_tenant_id_ticket_id_fkey;

create index blockchain_sync_orphaned on blockchain_sync (cluster_id, recorded_at) where commitment = 'orphaned';

-- How many mints are before a ticket is told to its holder, of the own tenant only.
create index tickets_unminted_of_tenant on tickets (tenant_id, created_at) where status in ('sold', 'minting');

-- The listener tells how many tickets wait for the chain, over all tenants.
create policy listener_counts_tickets on tickets for select to tessera_listener using (current_tenant() is null);

reset role;
