set role tessera_owner;

-- The hot rows: one per ticket type, no index but the key, room on the page for HOT updates.
-- The CHECK makes overselling impossible even for a statement that forgets to look.
create table inventory (
  tenant_id uuid not null,
  ticket_type_id uuid not null,
  event_id uuid not null,
  capacity integer not null check (capacity between 0 and 10000000),
  held integer not null default 0 check (held >= 0),
  sold integer not null default 0 check (sold >= 0),
  issued integer not null default 0 check (issued >= sold),
  waiting integer not null default 0 check (waiting >= 0),
  version bigint not null default 1,
  updated_at timestamptz not null,
  primary key (tenant_id, ticket_type_id),
  foreign key (tenant_id, ticket_type_id) references ticket_types (tenant_id, id) on delete cascade,
  constraint inventory_never_oversold check (held + sold <= capacity)
) with (fillfactor = 50);
comment on column inventory.issued is 'Ticket numbers ever given out, never decreasing.';
comment on column inventory.waiting is 'People on the waiting list; while there are any, places that come free go to them first.';
create index inventory_awaited on inventory (ticket_type_id) where waiting > 0;
call protect_tenant_table('inventory');
grant select, insert, update, delete on inventory to tessera_app;
create policy relay_finds_awaited_places on inventory for select to tessera_relay using (current_tenant() is null);
grant select (tenant_id, ticket_type_id, event_id, capacity, held, sold, waiting) on inventory to tessera_relay;

create table seats (
  tenant_id uuid not null,
  id uuid not null,
  event_id uuid not null,
  ticket_type_id uuid not null,
  section text not null check (length(section) between 1 and 50),
  row_label text not null check (length(row_label) between 1 and 20),
  number text not null check (length(number) between 1 and 20),
  row_ordinal integer not null,
  ordinal integer not null,
  is_blocked boolean not null default false,
  held_by uuid,
  held_until timestamptz,
  fence bigint not null default 0,
  ticket_id uuid,
  primary key (tenant_id, id),
  unique (tenant_id, event_id, section, row_label, number),
  unique (tenant_id, ticket_id),
  foreign key (tenant_id, event_id) references events (tenant_id, id) on delete cascade,
  foreign key (tenant_id, ticket_type_id) references ticket_types (tenant_id, id)
) with (fillfactor = 70);
comment on column seats.row_ordinal is 'Position of its row in the map, as it was uploaded: the frontmost first.';
comment on column seats.ordinal is 'Position within its row; neighbours differ by one.';
comment on column seats.held_by is 'The group of the hold that has the seat until held_until: one column, so never two.';
comment on column seats.fence is 'Grows with each lock; who holds an older one has lost the seat.';
call protect_tenant_table('seats');
grant select, insert, update, delete on seats to tessera_app;

create table waiting_list (
  tenant_id uuid not null,
  id uuid not null,
  event_id uuid not null,
  ticket_type_id uuid not null,
  user_id text not null,
  customer_name text not null,
  customer_email text not null,
  quantity smallint not null check (quantity between 1 and 10),
  state text not null check (state in ('waiting', 'offered', 'accepted', 'expired', 'left')),
  hold_group uuid,
  offer_expires_at timestamptz,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id),
  foreign key (tenant_id, ticket_type_id) references ticket_types (tenant_id, id) on delete cascade
);
comment on table waiting_list is 'First come, first served: ids are ordered by time.';
create unique index waiting_list_once on waiting_list (tenant_id, ticket_type_id, user_id) where state in ('waiting', 'offered');
create index waiting_list_next on waiting_list (tenant_id, ticket_type_id, id) where state = 'waiting';
create index waiting_list_offers on waiting_list (offer_expires_at) where state = 'offered';
call protect_tenant_table('waiting_list');
grant select, insert, update on waiting_list to tessera_app;
create policy relay_finds_waiting on waiting_list for select to tessera_relay using (current_tenant() is null);
grant select (tenant_id, ticket_type_id, state, offer_expires_at) on waiting_list to tessera_relay;

create table holds (
  tenant_id uuid not null,
  id uuid not null,
  group_id uuid,
  code text collate "C",
  kind text not null check (kind in ('reservation', 'order', 'seat_lock', 'offer')),
  event_id uuid not null,
  ticket_type_id uuid not null,
  order_id uuid,
  user_id text collate "C" not null,
  customer_name text,
  customer_email text,
  customer_phone text,
  notes text,
  quantity smallint not null check (quantity between 1 and 10),
  unit_price_minor bigint not null check (unit_price_minor >= 0),
  first_number integer,
  seat_ids uuid[],
  fence bigint,
  state text not null default 'active' check (state in ('active', 'converted', 'released', 'expired')),
  expires_at timestamptz not null,
  created_at timestamptz not null,
  ended_at timestamptz,
  primary key (tenant_id, id),
  check ((group_id is null) = (kind = 'order')),
  check (seat_ids is null or cardinality(seat_ids) = quantity)
);
comment on table holds is 'Places taken for a while: one row per ticket type; the rows of one reservation or lock share group_id and code. The row of an order that was placed without one has no group and goes when its tickets come.';
comment on column holds.unit_price_minor is 'Frozen when the hold is made; a later price change does not touch it.';
comment on column holds.first_number is 'The first of the ticket numbers promised with a reservation; they are consecutive.';
comment on column holds.order_id is 'The order that is paying for it; one at a time.';
create index holds_expiring on holds (tenant_id, ticket_type_id, expires_at) where state = 'active';
create index holds_of_group on holds (tenant_id, group_id) where group_id is not null;
create index holds_by_code on holds (tenant_id, code) where code is not null;
create index holds_of_order on holds (tenant_id, order_id) where order_id is not null;
create index holds_of_user on holds (tenant_id, user_id) where state = 'active' and kind <> 'order';
create index holds_of_email on holds (tenant_id, lower(customer_email)) where state = 'active' and kind <> 'order';
create index holds_overdue on holds (expires_at) where state = 'active';
call protect_tenant_table('holds');
grant select, insert, update, delete on holds to tessera_app;
create policy relay_finds_overdue_holds on holds for select to tessera_relay using (current_tenant() is null);
grant select (tenant_id, ticket_type_id, state, expires_at) on holds to tessera_relay;

create table inventory_checks (
  tenant_id uuid not null,
  ticket_type_id uuid not null,
  verified_version bigint not null,
  verified_at timestamptz not null,
  primary key (tenant_id, ticket_type_id),
  foreign key (tenant_id, ticket_type_id) references ticket_types (tenant_id, id) on delete cascade
);
comment on table inventory_checks is 'Up to which version the background service has proven a counter. Kept apart from the hot row.';
call protect_tenant_table('inventory_checks');
grant select, insert, update on inventory_checks to tessera_app;

create table capacity_drift (
  tenant_id uuid not null,
  id uuid not null,
  ticket_type_id uuid not null,
  found_at timestamptz not null,
  counter_sold integer not null,
  counter_held integer not null,
  rows_sold integer not null,
  rows_held integer not null,
  primary key (tenant_id, id),
  foreign key (tenant_id, ticket_type_id) references ticket_types (tenant_id, id) on delete cascade
);
comment on table capacity_drift is 'What the background service found when it compared the counter with the rows it counts.';
call protect_tenant_table('capacity_drift');
grant select, insert on capacity_drift to tessera_app;

reset role;
