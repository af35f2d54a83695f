set role tessera_owner;

create table failed_messages (
  tenant_id uuid not null,
  consumer text not null,
  message_id text not null,
  kind text not null,
  body json not null,
  occurred_at timestamptz not null,
  request_id text,
  attempts integer not null default 0,
  outages integer not null default 0,
  crashes integer not null default 0,
  revivals integer not null default 0,
  cause text not null check (cause in ('failure', 'outage', 'crash')),
  error text not null,
  next_attempt_at timestamptz,
  parked_at timestamptz,
  primary key (tenant_id, consumer, message_id),
  check ((next_attempt_at is null) = (parked_at is not null))
);
comment on table failed_messages is 'A message that one queue has not handled yet: it waits for its next try, which goes to that queue alone, or is parked for somebody to look at. The row goes when the message is handled.';
comment on column failed_messages.attempts is 'Failures of the handler. Deliveries are not counted: a process that dies is no fault of what it had in hand.';
comment on column failed_messages.outages is 'Times that something which the handler needs was away. They make the pause longer and park nothing.';
comment on column failed_messages.crashes is 'Times that a process took the message alone, after many deliveries, and was not heard of again.';
comment on column failed_messages.revivals is 'Times that it was parked because of crashes and taken back without being asked.';
create index failed_messages_due on failed_messages (next_attempt_at) where next_attempt_at is not null;
create index failed_messages_parked on failed_messages (parked_at) where parked_at is not null;
call protect_tenant_table('failed_messages');
grant select, insert, update, delete on failed_messages to tessera_app;
create policy relay_sends_again on failed_messages to tessera_relay using (current_tenant() is null) with check (current_tenant() is null);
grant select, update (next_attempt_at) on failed_messages to tessera_relay;

-- The owner is bound by the policies too, and would find no row to take along.
alter table parked_messages no force row level security;
alter table failed_messages no force row level security;
insert into failed_messages (tenant_id, consumer, message_id, kind, body, occurred_at, attempts, cause, error, parked_at)
select tenant_id, consumer, message_id, kind, body, parked_at, attempts, 'failure', error, parked_at from parked_messages;
alter table failed_messages force row level security;
drop table parked_messages;

create table stray_messages (
  id uuid primary key,
  consumer text not null,
  message_id text not null,
  reason text not null,
  content text not null,
  found_at timestamptz not null
);
comment on table stray_messages is 'System table: dead letters that name no tenant of ours, cut to 10,000 characters; no tenant wrote them.';
grant select, insert, delete on stray_messages to tessera_relay;

reset role;
