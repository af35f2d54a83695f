set role tessera_owner;

-- The chain transaction and the gate behind a step of a ticket are facts of their own; they stood in its reason.
alter table tickets add status_signature text collate "C", add status_gate text;
comment on column tickets.status_signature is 'Of the chain transaction that brought the status. Like actor, reason and gate, every step writes it, with null where it has none.';
comment on column tickets.status_gate is 'Where the scanner stood that brought the status.';
alter table ticket_state_transitions add signature text collate "C", add gate text;

create or replace function record_ticket_births() returns trigger language plpgsql set search_path = public, pg_temp as $$
begin
  if exists (select from born where status <> 'sold') then
    raise exception 'a ticket begins as sold' using errcode = 'check_violation', constraint = 'ticket_state_rules';
  end if;
  insert into ticket_state_transitions (tenant_id, ticket_id, version, from_status, to_status, at, actor, reason, signature, gate)
  select tenant_id, id, version, 'reserved', status, updated_at, status_actor, status_reason, status_signature, status_gate from born;
  return null;
end $$;

create or replace function record_ticket_steps() returns trigger language plpgsql set search_path = public, pg_temp as $$
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
  insert into ticket_state_transitions (tenant_id, ticket_id, version, from_status, to_status, at, actor, reason, signature, gate)
  select a.tenant_id, a.id, a.version, b.status, a.status, a.updated_at, a.status_actor, a.status_reason, a.status_signature, a.status_gate
  from before b join after a using (tenant_id, id)
  where a.status <> b.status;
  return null;
end $$;

-- What was written until now moves to where it belongs, for all tenants; for that the owner looks past the policies.
alter table tickets no force row level security;
alter table ticket_state_transitions no force row level security;
update ticket_state_transitions set signature = reason, reason = null
where actor = 'chain:listener' and reason ~ '^[1-9A-HJ-NP-Za-km-z]{64,88}$';
update ticket_state_transitions set gate = reason, reason = null
where to_status = 'checked_in' and actor like 'scan:%' and reason is not null;
update tickets set status_signature = status_reason, status_reason = null
where status_actor = 'chain:listener' and status_reason ~ '^[1-9A-HJ-NP-Za-km-z]{64,88}$';
update tickets set status_gate = status_reason, status_reason = null
where status = 'checked_in' and status_actor like 'scan:%' and status_reason is not null;
alter table tickets force row level security;
alter table ticket_state_transitions force row level security;

comment on table event_ticket_transactions is 'The purchase record of a buyer, one for each order. Its status follows by message; who asks is told by the order.';

reset role;
