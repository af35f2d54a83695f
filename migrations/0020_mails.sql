set role tessera_owner;

create table mails (
  tenant_id uuid not null,
  id uuid not null,
  fact text collate "C" not null,
  recipient text collate "C" not null,
  subject text,
  content text,
  status text not null default 'waiting' check (status in ('waiting', 'sending', 'sent', 'refused', 'uncertain')),
  attempts integer not null default 0,
  next_attempt_at timestamptz,
  error text,
  created_at timestamptz not null,
  settled_at timestamptz,
  primary key (tenant_id, id),
  unique (tenant_id, fact, recipient),
  check ((next_attempt_at is not null) = (status in ('waiting', 'sending'))),
  check ((settled_at is not null) = (next_attempt_at is null)),
  check (status = 'sent' or (subject is not null and content is not null))
) with (fillfactor = 70);
comment on table mails is 'What people are told by mail: one row per fact and person, committed before anything is sent. What was sent is forgotten but for the row.';
comment on column mails.status is 'waiting → sending (committed before the server hears of it) → sent. refused: the server will not have it. uncertain: the process or the connection ended in between, so it may have gone out; it is not sent again unless somebody says so.';
create index mails_due on mails (next_attempt_at) where next_attempt_at is not null;
create index mails_waiting on mails (tenant_id, next_attempt_at, id) where status = 'waiting';
create index mails_settled on mails (settled_at) where settled_at is not null;
call protect_tenant_table('mails');
grant select, insert, update on mails to tessera_app;
create policy relay_looks_after_mails on mails to tessera_relay using (current_tenant() is null);
grant select (tenant_id, id, status, next_attempt_at, settled_at), delete on mails to tessera_relay;

reset role;
