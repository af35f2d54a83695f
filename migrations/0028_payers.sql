set role tessera_owner;

alter table pending_transactions
  add column payer text,
  add column lamports bigint not null default 0 check (lamports >= 0);
comment on column pending_transactions.payer is 'Who pays for it: one of the fee payers.';
comment on column pending_transactions.lamports is 'What it costs at most, in rent and fees, as counted in chain_spending.';

create table chain_spending (
  tenant_id uuid not null references tenants,
  hour timestamptz not null check (hour = date_trunc('hour', hour, 'UTC')),
  lamports bigint not null check (lamports >= 0),
  primary key (tenant_id, hour)
);
comment on table chain_spending is 'What a tenant''s transactions cost at most, by the hour in which their bytes were kept, by the clock of the database.';
call protect_tenant_table('chain_spending');
grant select, insert, update on chain_spending to tessera_app;

create table payer_refills (
  id uuid primary key,
  genesis_hash text not null,
  treasury text not null,
  payer text not null,
  lamports bigint not null check (lamports > 0),
  status text not null check (status in ('prepared', 'landed', 'failed', 'expired')),
  tx_signature text not null unique,
  raw bytea not null,
  last_valid_block_height bigint not null,
  missed smallint not null default 0,
  prepared_at timestamptz not null default clock_timestamp(),
  ended_at timestamptz,
  slot bigint,
  error_code text,
  check ((status = 'prepared') = (ended_at is null))
);
comment on table payer_refills is 'System table: money that the treasury sends to a fee payer. The bytes are committed before they are sent, and a payer has one under way at most, so no shortage is filled twice.';
comment on column payer_refills.genesis_hash is 'The chain it was sent on; what another chain knows says nothing of it.';
comment on column payer_refills.slot is 'Where it landed; a balance as of an earlier slot does not show it.';
create unique index payer_refills_one_open on payer_refills (genesis_hash, payer) where status = 'prepared';
create index payer_refills_by_time on payer_refills (genesis_hash, treasury, prepared_at);
grant select, insert, update on payer_refills to tessera_relay;

reset role;
