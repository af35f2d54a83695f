set role tessera_owner;

create table ticket_scans (
  tenant_id uuid not null,
  id uuid not null,
  ticket_id uuid,
  event_id uuid not null,
  scanned_at timestamptz not null,
  scanned_by text not null,
  gate text,
  direction text not null check (direction in ('entry', 'exit')),
  result text not null check (result in ('ok', 'error')),
  reason text,
  nonce uuid not null,
  device_time timestamptz,
  chain_mode text,
  chain_owner text,
  chain_slot bigint,
  chain_checked_at timestamptz,
  primary key (tenant_id, id),
  foreign key (tenant_id, event_id) references events (tenant_id, id),
  foreign key (tenant_id, ticket_id) references tickets (tenant_id, id)
);
comment on table ticket_scans is 'Every attempt at a gate, admitted or not.';
create unique index ticket_scans_admitting_nonce on ticket_scans (tenant_id, event_id, scanned_by, nonce) where result = 'ok';
create index ticket_scans_of_ticket on ticket_scans (tenant_id, ticket_id, scanned_at);
create index ticket_scans_of_event on ticket_scans (tenant_id, event_id, id);
call protect_tenant_table('ticket_scans');
grant select, insert on ticket_scans to tessera_app;

create table admissions (
  tenant_id uuid not null,
  ticket_id uuid not null,
  entry_number smallint not null check (entry_number >= 1),
  scan_id uuid not null,
  admitted_at timestamptz not null,
  left_at timestamptz,
  primary key (tenant_id, ticket_id, entry_number),
  foreign key (tenant_id, ticket_id) references tickets (tenant_id, id),
  foreign key (tenant_id, scan_id) references ticket_scans (tenant_id, id)
);
comment on table admissions is 'One row per entry: two gates in the same millisecond insert the same key, and one of them loses.';
call protect_tenant_table('admissions');
grant select, insert, update on admissions to tessera_app;

reset role;
