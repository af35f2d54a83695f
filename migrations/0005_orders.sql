set role tessera_owner;

create table promo_codes (
  tenant_id uuid not null references tenants,
  id uuid not null,
  code text not null check (code ~ '^[A-Z0-9_-]{3,40}$'),
  event_id uuid,
  percent smallint check (percent between 1 and 100),
  amount_minor bigint check (amount_minor > 0),
  currency text,
  max_redemptions integer check (max_redemptions > 0),
  per_user_limit smallint check (per_user_limit > 0),
  redeemed integer not null default 0 check (redeemed >= 0),
  valid_from timestamptz,
  valid_until timestamptz,
  is_active boolean not null default true,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id),
  unique (tenant_id, code),
  foreign key (tenant_id, event_id) references events (tenant_id, id) on delete cascade,
  check ((percent is null) <> (amount_minor is null)),
  check ((amount_minor is null) = (currency is null)),
  constraint promo_codes_never_overdrawn check (max_redemptions is null or redeemed <= max_redemptions)
);
comment on column promo_codes.redeemed is 'Orders that use the code now: pending and paid ones. The limit is a constraint, so no race can pass it.';
call protect_tenant_table('promo_codes');
grant select, insert, update on promo_codes to tessera_app;

create table orders (
  tenant_id uuid not null,
  id uuid not null,
  transaction_id text collate "C" not null,
  user_id text collate "C" not null,
  event_id uuid not null,
  ticket_type_id uuid,
  hold_group uuid,
  quantity smallint not null check (quantity between 1 and 10),
  subtotal_minor bigint not null check (subtotal_minor >= 0),
  discount_minor bigint not null default 0 check (discount_minor between 0 and subtotal_minor),
  amount_minor bigint not null check (amount_minor = subtotal_minor - discount_minor),
  currency text not null,
  promo_code_id uuid,
  status text not null check (status in ('pending', 'paid', 'failed', 'cancelled', 'refunded')),
  customer_name text not null,
  customer_email text not null,
  customer_phone text,
  notes text,
  failure_code text,
  version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id),
  constraint orders_let_go_of_holds check (hold_group is null or status in ('pending', 'paid'))
) with (fillfactor = 50);
comment on column orders.transaction_id is 'Unique by the key of event_ticket_transactions, which has a row for each order.';
comment on column orders.ticket_type_id is 'Null when the order has tickets of several types.';
comment on column orders.hold_group is 'The reservation, lock or offer that the order lives on; null when it has none of its own or ended.';
-- No index knows the status, so that paying writes the row and none of its index entries again.
create unique index orders_one_per_hold on orders (tenant_id, hold_group) where hold_group is not null;
create index orders_by_email on orders (tenant_id, lower(customer_email));
create index orders_of_promo_code on orders (tenant_id, promo_code_id, user_id) where promo_code_id is not null;
create index orders_of_user on orders (tenant_id, user_id, created_at);
create index orders_of_event on orders (tenant_id, event_id);
call protect_tenant_table('orders');
grant select, insert, update on orders to tessera_app;

create table order_state_transitions (
  tenant_id uuid not null,
  order_id uuid not null,
  version integer not null,
  from_status text,
  to_status text not null,
  at timestamptz not null,
  actor text not null,
  reason text,
  primary key (tenant_id, order_id, version)
);
call protect_tenant_table('order_state_transitions');
grant select, insert on order_state_transitions to tessera_app;

create table payments (
  tenant_id uuid not null,
  id uuid not null,
  order_id uuid not null,
  provider text not null,
  provider_reference text,
  status text not null check (status in ('created', 'unknown', 'requires_action', 'succeeded', 'failed')),
  amount_minor bigint not null check (amount_minor >= 0),
  refunded_minor bigint not null default 0,
  currency text not null,
  failure_code text,
  attempts integer not null default 0,
  next_poll_at timestamptz,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id),
  constraint payments_never_overrefunded check (refunded_minor between 0 and amount_minor)
);
comment on column payments.refunded_minor is 'Refunded or about to be: what is promised here cannot be promised twice.';
comment on column payments.id is 'Also the reference under which the provider knows the attempt: asking twice never charges twice.';
create index payments_of_order on payments (tenant_id, order_id);
create index payments_unsettled on payments (next_poll_at) where next_poll_at is not null;
call protect_tenant_table('payments');
grant select, insert, update on payments to tessera_app;
create policy relay_finds_unsettled_payments on payments for select to tessera_relay using (current_tenant() is null);
grant select (tenant_id, id, next_poll_at) on payments to tessera_relay;

create table refunds (
  tenant_id uuid not null,
  id uuid not null,
  order_id uuid not null,
  payment_id uuid not null,
  amount_minor bigint not null check (amount_minor > 0),
  currency text not null,
  reason text not null,
  requested_by text not null,
  status text not null check (status in ('requested', 'succeeded', 'failed')),
  provider_reference text,
  failure_code text,
  attempts integer not null default 0,
  next_attempt_at timestamptz,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id),
  foreign key (tenant_id, order_id) references orders (tenant_id, id),
  foreign key (tenant_id, payment_id) references payments (tenant_id, id)
);
comment on column refunds.id is 'Also the reference under which the provider knows the refund: asking twice never refunds twice.';
create index refunds_of_order on refunds (tenant_id, order_id);
create index refunds_due on refunds (next_attempt_at) where next_attempt_at is not null;
call protect_tenant_table('refunds');
grant select, insert, update on refunds to tessera_app;
create policy relay_finds_due_refunds on refunds for select to tessera_relay using (current_tenant() is null);
grant select (tenant_id, id, next_attempt_at) on refunds to tessera_relay;

create table payment_events (
  tenant_id uuid not null references tenants,
  provider text not null,
  event_id text not null,
  kind text not null,
  payment_id uuid,
  received_at timestamptz not null,
  primary key (tenant_id, provider, event_id)
);
comment on table payment_events is 'Webhooks of payment providers, each handled once.';
call protect_tenant_table('payment_events');
grant select, insert on payment_events to tessera_app;

create table test_provider_refunds (
  tenant_id uuid not null references tenants,
  reference uuid not null,
  charge uuid not null,
  amount_minor bigint not null,
  created_at timestamptz not null,
  primary key (tenant_id, reference)
);
comment on table test_provider_refunds is 'As test_provider_charges.';
call protect_tenant_table('test_provider_refunds');
grant select, insert on test_provider_refunds to tessera_app;

create table event_ticket_transactions (
  tenant_id uuid not null,
  transaction_id text collate "C" not null,
  order_id uuid not null,
  user_id text not null,
  event_id uuid not null,
  quantity smallint not null,
  amount_minor bigint not null,
  currency text not null,
  status text not null check (status in ('pending', 'completed', 'failed')),
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, transaction_id)
);
comment on table event_ticket_transactions is 'The purchase record of a buyer: pending at the order, moved by the background service when its message arrives.';
call protect_tenant_table('event_ticket_transactions');
grant select, insert, update on event_ticket_transactions to tessera_app;

create table test_provider_charges (
  tenant_id uuid not null,
  reference uuid not null,
  token text not null,
  amount_minor bigint not null,
  currency text not null,
  status text not null check (status in ('succeeded', 'declined', 'awaiting_confirmation', 'abandoned')),
  created_at timestamptz not null,
  primary key (tenant_id, reference)
);
comment on table test_provider_charges is 'The books of the test payment provider, which stands outside of Tessera and only shares its database.';
call protect_tenant_table('test_provider_charges');
grant select, insert, update on test_provider_charges to tessera_app;

-- Books charges, each once, and returns what each stands at.
create function book_test_charges(p_tenant uuid, p_now timestamptz, p_charges json) returns table (reference uuid, status text)
language plpgsql set search_path = public, pg_temp set plan_cache_mode = force_generic_plan as $$
begin
  perform set_config('app.tenant_id', p_tenant::text, true);
  return query
  insert into test_provider_charges as b (tenant_id, reference, token, amount_minor, currency, status, created_at)
  select p_tenant, c.reference, c.token, c.amount_minor, c.currency, c.status, p_now
  from json_to_recordset(p_charges) as c(reference uuid, token text, amount_minor bigint, currency text, status text)
  on conflict on constraint test_provider_charges_pkey do update set status = b.status
  returning b.reference, b.status;
end $$;
grant execute on function book_test_charges to tessera_app;

create table event_statistics (
  tenant_id uuid not null,
  event_id uuid not null,
  minute timestamptz not null,
  kind text not null,
  count bigint not null default 0,
  amount_minor bigint not null default 0,
  primary key (tenant_id, event_id, minute, kind),
  foreign key (tenant_id, event_id) references events (tenant_id, id) on delete cascade
);
comment on table event_statistics is 'What happened per minute, counted from messages by the analytics consumer.';
call protect_tenant_table('event_statistics');
grant select, insert, update on event_statistics to tessera_app;

reset role;
