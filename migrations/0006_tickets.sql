set role tessera_owner;

create table tickets (
  tenant_id uuid not null,
  id uuid not null,
  event_id uuid not null,
  ticket_type_id uuid not null,
  order_id uuid not null,
  user_id text collate "C" not null,
  ticket_number text collate "C" not null,
  holder_name text not null,
  seat text,
  seat_id uuid,
  status text not null,
  status_reason text,
  status_actor text not null,
  price_minor bigint not null,
  currency text not null,
  version integer not null default 1,
  owner_epoch integer not null default 1,
  nft_mint text,
  chain_account text,
  chain_index integer,
  chain_version integer,
  owner_wallet text,
  owner_slot bigint,
  blockchain_sync_status text not null default 'none'
    check (blockchain_sync_status in ('none', 'pending', 'provisional', 'finalized', 'mismatch', 'parked')),
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id),
  unique (tenant_id, event_id, ticket_number)
) with (fillfactor = 85);
comment on column tickets.owner_epoch is 'Grows when the ticket changes hands; a code made for an earlier epoch is dead.';
comment on column tickets.chain_version is 'The version of the ticket account that the copy of the owner was taken from; no gap may be skipped.';
comment on column tickets.chain_account is 'The account of the ticketing program for this ticket, given once when its mint is prepared.';
create unique index tickets_one_per_seat on tickets (tenant_id, seat_id)
  where seat_id is not null and status in ('sold', 'minting', 'active', 'transferred', 'checked_in');
create index tickets_of_user on tickets (tenant_id, user_id, id);
create index tickets_of_type on tickets (tenant_id, ticket_type_id);
create index tickets_of_order on tickets (tenant_id, order_id);
create unique index tickets_by_mint on tickets (tenant_id, nft_mint) where nft_mint is not null;
create index tickets_nft on tickets (nft_mint) where nft_mint is not null;
create unique index tickets_by_chain_account on tickets (tenant_id, chain_account) where chain_account is not null;
create unique index tickets_by_chain_index on tickets (tenant_id, event_id, chain_index) where chain_index is not null;
create index tickets_unminted on tickets (created_at) where status in ('sold', 'minting');
call protect_tenant_table('tickets');
grant select, insert, update on tickets to tessera_app;
grant select, update on tickets to tessera_listener;
create policy relay_finds_unminted_tickets on tickets for select to tessera_relay using (current_tenant() is null);
grant select (tenant_id, id, status, created_at) on tickets to tessera_relay;

-- The metadata of an NFT is public and asked for by mint alone. This function tells which tenant's ticket a mint is and
-- nothing else; it is the only one that looks across tenants for the application.
create policy owner_finds_nft on tickets for select to tessera_owner using (true);
create function find_nft(p_mint text) returns table (tenant_id uuid, ticket_id uuid)
  language sql stable security definer set search_path = public, pg_temp
  begin atomic
    select t.tenant_id, t.id from tickets t where t.nft_mint = p_mint;
  end;
grant execute on function find_nft to tessera_app;

create table ticket_state_rules (
  from_status text not null,
  to_status text not null,
  primary key (from_status, to_status)
);
comment on table ticket_state_rules is 'System table: the legal steps of a ticket, the same as src/domain/tickets/ticket-state.ts. reserved lives in a hold, before the row exists.';
insert into ticket_state_rules values
  ('reserved', 'sold'),
  ('sold', 'minting'), ('sold', 'cancelled'), ('sold', 'refunded'), ('sold', 'revoked'), ('sold', 'expired'),
  ('minting', 'active'), ('minting', 'cancelled'), ('minting', 'refunded'), ('minting', 'revoked'), ('minting', 'expired'),
  ('active', 'transferred'), ('active', 'checked_in'), ('active', 'cancelled'), ('active', 'refunded'), ('active', 'revoked'), ('active', 'expired'),
  ('active', 'minting'), -- only when a fork dropped the mint
  ('transferred', 'active'), ('transferred', 'checked_in'), ('transferred', 'cancelled'), ('transferred', 'refunded'), ('transferred', 'revoked'), ('transferred', 'expired'),
  ('checked_in', 'revoked');
grant select on ticket_state_rules to tessera_app, tessera_listener, tessera_relay;

create table ticket_state_transitions (
  tenant_id uuid not null,
  ticket_id uuid not null,
  version integer not null,
  from_status text not null,
  to_status text not null,
  at timestamptz not null,
  actor text not null,
  reason text,
  primary key (tenant_id, ticket_id, version)
);
call protect_tenant_table('ticket_state_transitions');
grant select, insert on ticket_state_transitions to tessera_app, tessera_listener;

-- The history cannot be forgotten and an illegal step cannot be taken: the database writes the one and refuses the other,
-- once per statement, so that a batch of hundreds pays once.
create function record_ticket_births() returns trigger language plpgsql set search_path = public, pg_temp as $$
begin
  if exists (select from born where status <> 'sold') then
    raise exception 'a ticket begins as sold' using errcode = 'check_violation', constraint = 'ticket_state_rules';
  end if;
  insert into ticket_state_transitions (tenant_id, ticket_id, version, from_status, to_status, at, actor, reason)
  select tenant_id, id, version, 'reserved', status, updated_at, status_actor, status_reason from born;
  return null;
end $$;
create trigger record_ticket_births after insert on tickets
  referencing new table as born for each statement execute function record_ticket_births();

create function record_ticket_steps() returns trigger language plpgsql set search_path = public, pg_temp as $$
declare
  illegal text;
begin
  select format('%s → %s', b.status, a.status) into illegal
  from before b join after a using (tenant_id, id)
  where a.status <> b.status
    and not exists (select from ticket_state_rules r where r.from_status = b.status and r.to_status = a.status)
  limit 1;
  if illegal is not null then
    raise exception 'illegal ticket step %', illegal using errcode = 'check_violation', constraint = 'ticket_state_rules';
  end if;
  insert into ticket_state_transitions (tenant_id, ticket_id, version, from_status, to_status, at, actor, reason)
  select a.tenant_id, a.id, a.version, b.status, a.status, a.updated_at, a.status_actor, a.status_reason
  from before b join after a using (tenant_id, id)
  where a.status <> b.status;
  return null;
end $$;
create trigger record_ticket_steps after update on tickets
  referencing old table as before new table as after for each statement execute function record_ticket_steps();

-- What foreign keys would ask of each sale is asked once of a deletion: nothing goes that was ordered. A sale under way
-- has the counter, so it is waited for, and one that comes later finds none.
create function keep_ordered_events() returns trigger language plpgsql set search_path = public, pg_temp as $$
begin
  perform from inventory i where i.tenant_id = old.tenant_id and i.event_id = old.id order by i.ticket_type_id for update;
  if exists (select from orders o where o.tenant_id = old.tenant_id and o.event_id = old.id) then
    raise exception 'the event was ordered' using errcode = 'foreign_key_violation', constraint = 'keep_ordered_events';
  end if;
  return old;
end $$;
create trigger keep_ordered_events before delete on events for each row execute function keep_ordered_events();

create function keep_ordered_types() returns trigger language plpgsql set search_path = public, pg_temp as $$
begin
  perform from inventory i where i.tenant_id = old.tenant_id and i.ticket_type_id = old.id for update;
  if exists (select from orders o where o.tenant_id = old.tenant_id and o.event_id = old.event_id and o.ticket_type_id = old.id)
    or exists (select from holds h where h.tenant_id = old.tenant_id and h.ticket_type_id = old.id and h.order_id is not null) then
    raise exception 'the ticket type was ordered' using errcode = 'foreign_key_violation', constraint = 'keep_ordered_types';
  end if;
  delete from holds h where h.tenant_id = old.tenant_id and h.ticket_type_id = old.id;
  return old;
end $$;
create trigger keep_ordered_types before delete on ticket_types for each row execute function keep_ordered_types();

reset role;
