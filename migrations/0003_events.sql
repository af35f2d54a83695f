set role tessera_owner;

create table events (
  tenant_id uuid not null references tenants,
  id uuid not null,
  title text not null check (length(title) between 1 and 200),
  description text not null default '' check (length(description) <= 4000),
  venue text not null check (length(venue) between 1 and 200),
  venue_address text not null default '' check (length(venue_address) <= 500),
  starts_at timestamptz not null,
  ends_at timestamptz not null,
  doors_open_at timestamptz,
  currency text not null check (currency ~ '^[A-Z]{3}$'),
  transfer_policy text not null default 'open' check (transfer_policy in ('open', 'organiser_approved', 'resale_only', 'locked')),
  resale_cap_bps integer not null default 10000 check (resale_cap_bps between 0 and 65535),
  is_active boolean not null default true,
  version integer not null default 1,
  expired_at timestamptz,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id),
  check (ends_at > starts_at),
  check (doors_open_at is null or doors_open_at <= starts_at)
);
comment on column events.expired_at is 'When its unused tickets were expired, after the end.';
create index events_by_start on events (tenant_id, starts_at, id);
call protect_tenant_table('events');
create index events_ended on events (ends_at) where expired_at is null;
grant select, insert, update, delete on events to tessera_app;
create policy relay_finds_ended_events on events for select to tessera_relay using (current_tenant() is null);
grant select (tenant_id, id, ends_at, expired_at) on events to tessera_relay;

create table ticket_types (
  tenant_id uuid not null,
  id uuid not null,
  event_id uuid not null,
  ordinal smallint not null check (ordinal between 1 and 999),
  name text not null check (length(name) between 1 and 100),
  description text not null default '' check (length(description) <= 1000),
  price_minor bigint not null check (price_minor between 0 and 1000000000000),
  sales_start_at timestamptz,
  sales_end_at timestamptz,
  per_order_limit smallint not null default 10 check (per_order_limit between 1 and 10),
  per_customer_limit smallint check (per_customer_limit between 1 and 1000),
  is_seated boolean not null default false,
  max_entries smallint not null default 1 check (max_entries between 1 and 1000),
  is_active boolean not null default true,
  version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id),
  unique (tenant_id, event_id, ordinal),
  foreign key (tenant_id, event_id) references events on delete cascade,
  check (sales_end_at is null or sales_start_at is null or sales_end_at > sales_start_at)
);
comment on column ticket_types.ordinal is 'Position within the event; names the series of ticket numbers.';
comment on column ticket_types.per_customer_limit is 'How many one user, or one e-mail address, may hold or own of this type; null is any number.';
comment on column ticket_types.is_seated is 'Sold by the seat: its capacity is the number of its seats that are not blocked.';
comment on column ticket_types.max_entries is 'How often one ticket admits; 1 unless re-entry is sold.';
call protect_tenant_table('ticket_types');
grant select, insert, update, delete on ticket_types to tessera_app;

reset role;
