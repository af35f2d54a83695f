set role tessera_owner;

-- Two tickets share a transaction where they fit, so a signature may stand in two rows.
alter table pending_transactions drop constraint pending_transactions_tenant_id_tx_signature_key;
alter table pending_transactions add constraint pending_transactions_once_per_subject unique (tenant_id, tx_signature, subject_id);

-- What the program refuses for good is kept here with the reason, looked at again from time to time, and goes on by itself
-- when the reason is gone.
create table parked_jobs (
  tenant_id uuid not null references tenants,
  purpose text not null check (purpose in ('mint', 'transfer', 'revoke', 'check_in')),
  subject_id uuid not null,
  ticket_id uuid not null,
  event_id uuid not null,
  reason text not null,
  parked_at timestamptz not null,
  checked_at timestamptz not null,
  primary key (tenant_id, purpose, subject_id),
  foreign key (tenant_id, ticket_id) references tickets (tenant_id, id)
);
comment on table parked_jobs is 'Work on the chain that the program refused for good: shown, and tried again when its cause may be gone. Work that could not run for now is never here.';
create index parked_jobs_by_age on parked_jobs (checked_at);
call protect_tenant_table('parked_jobs');
grant select, insert, update, delete on parked_jobs to tessera_app;
create policy relay_finds_parked_jobs on parked_jobs for select to tessera_relay using (current_tenant() is null);
grant select (tenant_id, purpose, subject_id, checked_at) on parked_jobs to tessera_relay;

-- The relay finds tickets that nobody mints any more: neither parked nor under way.
grant select (event_id, updated_at, blockchain_sync_status) on tickets to tessera_relay;
grant select (ticket_id, purpose) on pending_transactions to tessera_relay;

alter table transfers add column chain_version integer;
comment on column transfers.chain_version is 'The version of the ticket on chain that was to be given away. A transfer that is signed again does not apply to a later one.';

reset role;
