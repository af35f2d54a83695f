set role tessera_owner;

-- Orders: from a reservation, a seat lock or an offer, or directly; and what the payment makes of them.

create type order_request as (
  n integer, -- position in the batch, from 1
  principal text, route text, key text, request_hash bytea,
  order_id uuid, transaction_id text, hold_id uuid, payment_id uuid, provider text, user_id text,
  hold_code text, -- of a reservation, lock or offer; otherwise event, type and quantity say what is wanted
  event_id uuid, ticket_type_id uuid, quantity smallint,
  currency text, -- what the client thinks it pays in, if it says so
  customer_name text, customer_email text, customer_phone text, notes text,
  promo_code text,
  has_payment boolean, -- whether it came with a means of payment
  ticket_ids uuid[], -- used when nothing is to pay; as many as the largest order has
  request_id text
);

-- A part of an order that is of one ticket type; fresh when its hold has yet to be made.
create type order_line as (
  n integer, hold_id uuid, group_id uuid, event_id uuid, ticket_type_id uuid, quantity smallint, unit_price_minor bigint,
  first_number integer, seat_ids uuid[], fresh boolean
);

-- What an order comes to.
create type order_head as (
  n integer, event_id uuid, ticket_type_id uuid, hold_group uuid, quantity integer, currency text,
  customer_name text, customer_email text, customer_phone text, notes text,
  subtotal_minor bigint, discount_minor bigint, promo_code_id uuid
);

-- What keeps a promo code from being used for an event at p_now, but for the limit of a person; null when nothing does.
create function promo_refusal(p_code promo_codes, p_event uuid, p_now timestamptz) returns text
language sql immutable return case
  when (p_code).id is null or not (p_code).is_active or (p_code).valid_from > p_now or (p_code).valid_until <= p_now
    or (p_code).event_id <> p_event then 'promo_invalid'
  when (p_code).redeemed >= (p_code).max_redemptions then 'promo_exhausted'
end;

-- Takes orders in: each request gets an outcome, and those that can be served hold their places or, where nothing is
-- to pay, have their tickets at once.
--   sold, placed                              served; details is the answer, or what is to pay
--   replay, resume, in_flight, key_reused     what became of an earlier request with the same key
--   not_found, not_on_sale, sales_not_open, sales_closed, seats_required, limit_exceeded, customer_limit_exceeded, sold_out,
--   wrong_currency, hold_not_found, hold_expired, hold_used, customer_missing, payment_missing, promo_invalid, promo_exhausted, promo_user_limit    refused
create function place_orders(p_tenant uuid, p_now timestamptz, p_hold_until timestamptz, p_poll_at timestamptz, p_requests json)
returns table (n integer, outcome text, details json)
language plpgsql set search_path = public, pg_temp set plan_cache_mode = force_generic_plan as $$
declare
  v_requests order_request[];
  v_outcomes text[];
  v_details json[];
  v_codes text[];
  v_row record;
  v_lines order_line[];
  v_heads order_head[];
  v_free order_sale[];
begin
  perform set_config('app.tenant_id', p_tenant::text, true);
  select array_agg(r order by r.n) into v_requests from json_populate_recordset(null::order_request, p_requests) r;

  select array_agg(c.outcome order by c.n), array_agg(c.details order by c.n) into v_outcomes, v_details
  from (
    select r.n,
      coalesce(
        earlier_outcome(row_number() over (partition by r.principal, r.route, r.key order by r.n), r.request_hash, k, p_now),
        case when r.hold_code is not null then 'from_hold' end,
        sale_refusal(t, e, p_now),
        case when t.is_seated then 'seats_required' when r.quantity > t.per_order_limit then 'limit_exceeded'
          when r.currency <> e.currency then 'wrong_currency'
          -- Asked again under the lock of the code; but who cannot be served must not take a place from who can.
          when r.promo_code is not null and promo_refusal(c, r.event_id, p_now) is not null then promo_refusal(c, r.event_id, p_now)
          when r.promo_code is null and t.price_minor > 0 and r.has_payment is not true then 'payment_missing'
          else 'wanted' end
      ) as outcome,
      case when k.status is not null then json_build_object('status', k.status, 'body', k.response)
        when k.key is not null then json_build_object('orderId', k.subject_id)
        else json_build_object('limit', t.per_order_limit, 'customerLimit', t.per_customer_limit) end as details
    from unnest(v_requests) r
    left join lateral (
      select * from idempotency_keys
      where tenant_id = p_tenant and principal = r.principal and route = r.route and key = r.key offset 0) k on true
    left join lateral (
      select * from ticket_types where tenant_id = p_tenant and id = r.ticket_type_id and event_id = r.event_id offset 0) t on true
    left join lateral (select * from events where tenant_id = p_tenant and id = r.event_id offset 0) e on true
    left join lateral (select * from promo_codes where tenant_id = p_tenant and code = r.promo_code offset 0) c on true
  ) c;

  if 'from_hold' = any (v_outcomes) then
    v_codes := array(select r.hold_code from unnest(v_requests) r where v_outcomes[r.n] = 'from_hold');
    -- Counters before holds, each in one order, as everywhere.
    perform from inventory i
    where i.tenant_id = p_tenant and i.ticket_type_id = any (array(
      select h.ticket_type_id from holds h where h.tenant_id = p_tenant and h.code = any (v_codes)
      union select r.ticket_type_id from unnest(v_requests) r where v_outcomes[r.n] = 'wanted'))
    order by i.ticket_type_id for update;
    perform from holds h where h.tenant_id = p_tenant and h.code = any (v_codes) order by h.id for update;
    for v_row in
      -- Two that may both have one hold: the earlier has it.
      select x.n, case when x.outcome = 'held' and row_number() over (partition by x.hold_code, x.outcome order by x.n) > 1
        then 'hold_used' else x.outcome end as outcome
      from (select r.n, r.hold_code,
        case
          when count(h.id) = 0 or bool_or(h.user_id <> r.user_id) then 'hold_not_found'
          when bool_or(h.state = 'converted') or bool_or(o.id is not null) then 'hold_used'
          when bool_or(h.state <> 'active') or bool_or(h.expires_at <= p_now) then 'hold_expired'
          when bool_or(not e.is_active) then 'not_on_sale'
          when bool_or(e.currency <> r.currency) then 'wrong_currency'
          when coalesce(min(h.customer_name), r.customer_name) is null
            or coalesce(min(h.customer_email), r.customer_email) is null then 'customer_missing'
          else 'held'
        end as outcome
      from unnest(v_requests) r
      left join lateral (select * from holds where tenant_id = p_tenant and code = r.hold_code offset 0) h on true
      left join lateral (select * from events where tenant_id = p_tenant and id = h.event_id offset 0) e on true
      left join lateral (
        select id from orders where tenant_id = p_tenant and id = h.order_id and status in ('pending', 'paid') offset 0) o on true
      where v_outcomes[r.n] = 'from_hold'
      group by r.n, r.user_id, r.hold_code, r.customer_name, r.customer_email) x
    loop
      v_outcomes[v_row.n] := v_row.outcome;
    end loop;
  end if;

  for v_row in
    select * from grant_places(p_tenant, p_now, (
      select array_agg((r.n, r.ticket_type_id, r.quantity, r.user_id, r.customer_email)::place_want)
      from unnest(v_requests) r where v_outcomes[r.n] = 'wanted')) g
    where g.outcome <> 'granted'
  loop
    v_outcomes[v_row.n] := v_row.outcome;
    v_details[v_row.n] := v_details[v_row.n]::jsonb || jsonb_build_object('available', v_row.available);
  end loop;

  select array_agg(l.line order by (l.line).n) into v_lines
  from (
    select (r.n, r.hold_id, null, r.event_id, r.ticket_type_id, r.quantity, t.price_minor, null, null, true)::order_line as line
    from unnest(v_requests) r
    cross join lateral (select price_minor from ticket_types where tenant_id = p_tenant and id = r.ticket_type_id offset 0) t
    where v_outcomes[r.n] = 'wanted'
    union all
    select (r.n, h.id, h.group_id, h.event_id, h.ticket_type_id, h.quantity, h.unit_price_minor, h.first_number, h.seat_ids, false)::order_line
    from unnest(v_requests) r
    cross join lateral (select * from holds where tenant_id = p_tenant and code = r.hold_code offset 0) h
    where v_outcomes[r.n] = 'held'
  ) l;

  if v_lines is not null then
    select array_agg((r.n, l.event_id, l.ticket_type_id, l.hold_group, l.quantity, e.currency,
        coalesce(r.customer_name, h.customer_name), coalesce(r.customer_email, h.customer_email),
        coalesce(r.customer_phone, h.customer_phone), coalesce(r.notes, h.notes), l.subtotal, 0, null)::order_head)
    into v_heads
    from (select x.n, min(x.event_id::text)::uuid as event_id, min(x.group_id::text)::uuid as hold_group, min(x.hold_id::text)::uuid as hold_id,
            case when count(*) = 1 then min(x.ticket_type_id::text)::uuid end as ticket_type_id,
            sum(x.quantity)::integer as quantity, sum(x.unit_price_minor * x.quantity)::bigint as subtotal
          from unnest(v_lines) x group by x.n) l
    join unnest(v_requests) r on r.n = l.n
    cross join lateral (select currency from events where tenant_id = p_tenant and id = l.event_id offset 0) e
    left join lateral (select * from holds where tenant_id = p_tenant and id = l.hold_id offset 0) h on true;
    v_heads := redeem_promo_codes(p_tenant, p_now, v_requests, v_heads);
    for v_row in
      select x.n, case when x.subtotal_minor is null then x.customer_name else 'payment_missing' end as refusal
      from unnest(v_heads) x join unnest(v_requests) r on r.n = x.n
      where x.subtotal_minor is null or x.subtotal_minor > x.discount_minor and r.has_payment is not true
    loop
      v_outcomes[v_row.n] := v_row.refusal;
    end loop;
    select array_agg(x) into v_heads from unnest(v_heads) x where v_outcomes[x.n] in ('wanted', 'held');
    select array_agg(l) into v_lines from unnest(v_lines) l where l.n in (select x.n from unnest(v_heads) x);
  end if;

  if v_heads is not null then
    with ordered as (
      insert into orders (tenant_id, id, transaction_id, user_id, event_id, ticket_type_id, hold_group, quantity, subtotal_minor,
                          discount_minor, amount_minor, currency, promo_code_id, status, customer_name, customer_email,
                          customer_phone, notes, created_at, updated_at)
      select p_tenant, r.order_id, r.transaction_id, r.user_id, x.event_id, x.ticket_type_id, x.hold_group, x.quantity, x.subtotal_minor,
             x.discount_minor, x.subtotal_minor - x.discount_minor, x.currency, x.promo_code_id,
             case when x.subtotal_minor > x.discount_minor then 'pending' else 'paid' end,
             x.customer_name, x.customer_email, x.customer_phone, x.notes, p_now, p_now
      from unnest(v_heads) x join unnest(v_requests) r on r.n = x.n
    ), stepped as (
      insert into order_state_transitions (tenant_id, order_id, version, from_status, to_status, at, actor)
      select p_tenant, r.order_id, 1, null, case when x.subtotal_minor > x.discount_minor then 'pending' else 'paid' end, p_now, r.principal
      from unnest(v_heads) x join unnest(v_requests) r on r.n = x.n
    )
    insert into event_ticket_transactions (tenant_id, transaction_id, order_id, user_id, event_id, quantity, amount_minor,
                                           currency, status, created_at, updated_at)
    select p_tenant, r.transaction_id, r.order_id, r.user_id, x.event_id, x.quantity, x.subtotal_minor - x.discount_minor,
           x.currency, 'pending', p_now, p_now
    from unnest(v_heads) x join unnest(v_requests) r on r.n = x.n;
  end if;

  -- What is to pay waits in a hold.
  if exists (select from unnest(v_heads) x where x.subtotal_minor > x.discount_minor) then
    with due as (
      select r.*, x.subtotal_minor - x.discount_minor as amount, x.currency as priced_in
      from unnest(v_heads) x join unnest(v_requests) r on r.n = x.n where x.subtotal_minor > x.discount_minor
    ), fresh as (
      select l.* from unnest(v_lines) l join due d on d.n = l.n where l.fresh
    ), held as (
      update inventory i set held = i.held + d.quantity, version = i.version + 1, updated_at = p_now
      from (select f.ticket_type_id, sum(f.quantity)::integer as quantity from fresh f group by 1) d
      where i.tenant_id = p_tenant and i.ticket_type_id = d.ticket_type_id
        and i.ticket_type_id = any (array(select f.ticket_type_id from fresh f))
    ), taken as (
      insert into holds (tenant_id, id, kind, event_id, ticket_type_id, order_id, user_id, quantity, unit_price_minor, expires_at, created_at)
      select p_tenant, f.hold_id, 'order', f.event_id, f.ticket_type_id, d.order_id, d.user_id, f.quantity, f.unit_price_minor, p_hold_until, p_now
      from fresh f join due d on d.n = f.n
    ), charged as (
      insert into payments (tenant_id, id, order_id, provider, status, amount_minor, currency, next_poll_at, created_at, updated_at)
      select p_tenant, d.payment_id, d.order_id, d.provider, 'created', d.amount, d.priced_in, p_poll_at, p_now, p_now from due d
    )
    insert into idempotency_keys (tenant_id, principal, route, key, request_hash, subject_id, created_at, locked_until)
    select p_tenant, d.principal, d.route, d.key, d.request_hash, d.order_id, p_now, p_now + interval '30 seconds' from due d;
  end if;

  -- A hold that is being paid for does not run out while the bank thinks.
  if 'held' = any (v_outcomes) then
    with due as (
      select l.hold_id, l.group_id, l.seat_ids, r.order_id
      from unnest(v_lines) l join unnest(v_heads) x on x.n = l.n join unnest(v_requests) r on r.n = l.n
      where not l.fresh and x.subtotal_minor > x.discount_minor
    ), kept as (
      update holds h set order_id = d.order_id, expires_at = greatest(h.expires_at, p_hold_until)
      from due d
      where h.tenant_id = p_tenant and h.id = d.hold_id and h.id = any (array(select y.hold_id from due y))
    )
    update seats s set held_until = greatest(s.held_until, p_hold_until)
    from due d
    where d.seat_ids is not null and s.tenant_id = p_tenant and s.id = any (d.seat_ids) and s.held_by = d.group_id
      and s.id = any (array(select unnest(y.seat_ids) from due y));
  end if;

  -- What is free is sold here and now.
  select array_agg((x.n, r.order_id, r.transaction_id, r.user_id, x.event_id, l.ticket_type_id, l.quantity,
      case when l.fresh then 0 else l.quantity end, h.kind, h.ctid, l.unit_price_minor, l.first_number, l.seat_ids, x.subtotal_minor, 0, x.currency,
      x.customer_name, r.ticket_ids[l.place + 1 : l.place + l.quantity], r.principal, r.request_id)::order_sale)
  into v_free
  from unnest(v_heads) x
  join unnest(v_requests) r on r.n = x.n
  join (select y.*, sum(y.quantity) over (partition by y.n order by y.ticket_type_id) - y.quantity as place from unnest(v_lines) y) l on l.n = x.n
  left join lateral (select kind, ctid from holds where tenant_id = p_tenant and id = l.hold_id and not l.fresh offset 0) h on true
  where x.subtotal_minor = x.discount_minor;
  if v_free is not null then
    for v_row in select i.n, i.answer from issue_tickets(p_tenant, p_now, v_free) i loop
      v_outcomes[v_row.n] := 'sold';
      v_details[v_row.n] := v_row.answer;
    end loop;
    insert into idempotency_keys (tenant_id, principal, route, key, request_hash, status, response, subject_id, created_at)
    select p_tenant, r.principal, r.route, r.key, r.request_hash, 201, v_details[r.n], r.order_id, p_now
    from unnest(v_requests) r where v_outcomes[r.n] = 'sold';
  end if;

  for v_row in
    select * from twin_outcomes(p_tenant, p_now, array(
      select (r.n, r.principal, r.route, r.key, r.request_hash)::refused_request from unnest(v_requests) r
      where not v_outcomes[r.n] = any ('{wanted,held,sold,replay,resume,in_flight,key_reused}')))
  loop
    v_outcomes[v_row.n] := v_row.outcome;
    v_details[v_row.n] := v_row.details;
  end loop;

  return query
  select r.n, case when v_outcomes[r.n] in ('wanted', 'held') then 'placed' else v_outcomes[r.n] end,
    case when v_outcomes[r.n] in ('wanted', 'held') then json_build_object('eventId', x.event_id, 'quantity', x.quantity,
      'amountMinor', x.subtotal_minor - x.discount_minor, 'currency', x.currency) else v_details[r.n] end
  from unnest(v_requests) r left join unnest(v_heads) x on x.n = r.n order by r.n;
end $$;

-- Applies promo codes to orders, each counted against its limits under its lock. A head that is refused comes back with
-- no subtotal and the refusal in customer_name.
create function redeem_promo_codes(p_tenant uuid, p_now timestamptz, p_requests order_request[], p_heads order_head[])
returns order_head[]
language plpgsql set search_path = public, pg_temp as $$
declare
  v_head order_head;
  v_code promo_codes;
  v_text text;
  v_user text;
  v_pays boolean;
  v_refusal text;
  v_heads order_head[] := '{}';
begin
  if not exists (select from unnest(p_requests) r where r.promo_code is not null) then
    return p_heads;
  end if;
  perform from promo_codes c
  where c.tenant_id = p_tenant and c.code in (select r.promo_code from unnest(p_requests) r) order by c.id for update;
  foreach v_head in array p_heads loop
    select r.promo_code, r.user_id, r.has_payment into v_text, v_user, v_pays from unnest(p_requests) r where r.n = v_head.n;
    if v_text is not null then
      select * into v_code from promo_codes c where c.tenant_id = p_tenant and c.code = v_text;
      v_refusal := case
        when promo_refusal(v_code, v_head.event_id, p_now) is not null then promo_refusal(v_code, v_head.event_id, p_now)
        when (select count(*) from orders o where o.tenant_id = p_tenant and o.promo_code_id = v_code.id and o.user_id = v_user
                and o.status in ('pending', 'paid'))
          + (select count(*) from unnest(v_heads) h join unnest(p_requests) r on r.n = h.n
             where h.promo_code_id = v_code.id and r.user_id = v_user) >= v_code.per_user_limit then 'promo_user_limit'
      end;
      if v_refusal is not null then
        v_head.subtotal_minor := null;
        v_head.customer_name := v_refusal;
      else
        v_head.promo_code_id := v_code.id;
        v_head.discount_minor := least(v_head.subtotal_minor, coalesce(v_code.amount_minor, v_head.subtotal_minor * v_code.percent / 100));
        -- What is left to pay without a means to do so is refused by the caller: it uses no code up.
        if v_pays or v_head.subtotal_minor = v_head.discount_minor then
          update promo_codes c set redeemed = redeemed + 1, updated_at = p_now where c.tenant_id = p_tenant and c.id = v_code.id;
        end if;
      end if;
    end if;
    v_heads := v_heads || v_head;
  end loop;
  return v_heads;
end $$;

create type order_settlement as (
  n integer,
  order_id uuid, payment_id uuid,
  payment_status text, -- succeeded, failed, requires_action or unknown
  provider_reference text, failure_code text,
  ticket_ids uuid[], actor text, request_id text
);

-- A settlement with what it meets: what comes of it, and where its rows lie. Rows of an order that waits for its payment
-- change under the lock of its counter only, so they stay where they are for as long as that is held.
create type settling as (
  n integer,
  order_id uuid, payment_id uuid,
  payment_status text, provider_reference text, failure_code text,
  ticket_ids uuid[], actor text, request_id text,
  outcome text, pending boolean, order_at tid, payment_at tid, key_at tid
);

-- Brings what the provider said into the orders. Success confirms the order, ends its hold and issues the tickets;
-- failure frees the places; anything else only records that the outcome is open. Money that arrives when the places are
-- gone, or for an order that ended meanwhile, goes back. An order that is no longer pending takes no second effect.
-- Outcomes: paid, failed, open, refund_due, unchanged.
create function settle_orders(p_tenant uuid, p_now timestamptz, p_poll_at timestamptz, p_settlements json)
returns table (n integer, outcome text, details json)
language plpgsql set search_path = public, pg_temp set plan_cache_mode = force_generic_plan as $$
declare
  v_settlements order_settlement[];
  v_settling settling[];
  v_row record;
  v_sales order_sale[];
  v_stepped integer;
begin
  perform set_config('app.tenant_id', p_tenant::text, true);
  select array_agg(s order by s.n) into v_settlements from json_populate_recordset(null::order_settlement, p_settlements) s;

  -- Counters first, each in one order, as everywhere.
  perform from inventory i
  where i.tenant_id = p_tenant and i.ticket_type_id = any (array(
    select distinct h.ticket_type_id from unnest(v_settlements) s
    cross join lateral (select ticket_type_id from holds where tenant_id = p_tenant and order_id = s.order_id offset 0) h))
  order by i.ticket_type_id for update;

  select array_agg((s.n, s.order_id, s.payment_id, s.payment_status, s.provider_reference, s.failure_code, s.ticket_ids, s.actor,
      s.request_id,
      case
        when o.id is null or p.id is null then 'unchanged'
        when s.nth > 1 then 'unchanged'
        when o.status <> 'pending' and s.payment_status = 'succeeded' and p.status <> 'succeeded' and o.status <> 'paid' then 'refund_due'
        when o.status <> 'pending' then 'unchanged'
        when s.payment_status = 'failed' then 'failed'
        when s.payment_status <> 'succeeded' then 'open'
        when h.active then 'paid'
        else 'late'
      end, o.status = 'pending', o.ctid, p.ctid, k.ctid)::settling order by s.n)
  into v_settling
  from (select x.*, row_number() over (partition by x.order_id order by x.n) as nth from unnest(v_settlements) x) s
  left join lateral (select ctid, id, status from orders where tenant_id = p_tenant and id = s.order_id offset 0) o on true
  left join lateral (
    select ctid, id, status from payments where tenant_id = p_tenant and id = s.payment_id and order_id = s.order_id offset 0) p on true
  left join lateral (
    select bool_and(state = 'active') as active from holds where tenant_id = p_tenant and order_id = s.order_id) h on true
  left join lateral (
    select ctid from idempotency_keys where tenant_id = p_tenant and subject_id = s.order_id and status is null limit 1) k on true;

  -- The hold ran out and somebody may have its places: honour the payment if they are still there.
  for v_row in select s.n, s.order_id from unnest(v_settling) s where s.outcome = 'late' order by s.n loop
    v_settling[v_row.n].outcome := case when retake_places(p_tenant, p_now, v_row.order_id) then 'paid' else 'refund_due' end;
  end loop;

  with stepped as (
    update orders o
    set status = case s.outcome when 'paid' then 'paid' else 'failed' end, version = o.version + 1, updated_at = p_now,
        hold_group = case s.outcome when 'paid' then o.hold_group end,
        failure_code = case s.outcome when 'paid' then null when 'refund_due' then 'paid_too_late' else s.failure_code end
    from unnest(v_settling) s
    where s.outcome in ('paid', 'failed', 'refund_due') and o.tenant_id = p_tenant and o.ctid = s.order_at and o.status = 'pending'
    returning o.id, o.version, o.status, o.failure_code, s.actor
  ), noted as (
    insert into order_state_transitions (tenant_id, order_id, version, from_status, to_status, at, actor, reason)
    select p_tenant, o.id, o.version, 'pending', o.status, p_now, o.actor, o.failure_code from stepped o
  )
  select count(*) into v_stepped from stepped;
  if v_stepped <> (select count(*) from unnest(v_settling) s where s.pending and s.outcome in ('paid', 'failed', 'refund_due')) then
    raise exception 'an order moved without its counter' using errcode = 'serialization_failure';
  end if;

  update payments p
  set status = s.payment_status, provider_reference = coalesce(s.provider_reference, p.provider_reference),
      failure_code = s.failure_code, attempts = p.attempts + 1, updated_at = p_now,
      refunded_minor = case s.outcome when 'refund_due' then p.amount_minor else p.refunded_minor end,
      next_poll_at = case s.outcome when 'open' then p_poll_at end
  from unnest(v_settling) s
  where s.outcome <> 'unchanged' and p.tenant_id = p_tenant and p.ctid = s.payment_at
    and p.status in ('created', 'unknown', 'requires_action', 'failed');

  if exists (select from unnest(v_settling) s where s.outcome in ('failed', 'refund_due')) then
    perform end_unpaid_orders(p_tenant, p_now, v_settling);
  end if;

  select array_agg((s.n, o.id, o.transaction_id, o.user_id, o.event_id, l.ticket_type_id, l.quantity, l.quantity, l.kind, l.ctid, l.unit_price_minor,
      l.first_number, l.seat_ids, o.subtotal_minor, o.amount_minor, o.currency, o.customer_name,
      s.ticket_ids[l.place + 1 : l.place + l.quantity], s.actor, s.request_id)::order_sale)
  into v_sales
  from unnest(v_settling) s
  cross join lateral (select * from orders where tenant_id = p_tenant and id = s.order_id offset 0) o
  cross join lateral (
    select h.ctid, h.kind, h.ticket_type_id, h.quantity, h.unit_price_minor, h.first_number, h.seat_ids,
      sum(h.quantity) over (order by h.ticket_type_id) - h.quantity as place
    from holds h where h.tenant_id = p_tenant and h.order_id = s.order_id) l
  where s.outcome = 'paid';

  return query
  with issued as (
    select i.n, i.answer from issue_tickets(p_tenant, p_now, v_sales) i where v_sales is not null
  ), answer as (
    select s.n, s.key_at, s.outcome,
      case when i.n is not null then 201 when s.outcome = 'failed' then 402 else 409 end as status,
      coalesce(i.answer, json_build_object('orderId', s.order_id,
        'failureCode', case s.outcome when 'refund_due' then 'paid_too_late' else s.failure_code end)) as body
    from unnest(v_settling) s left join issued i on i.n = s.n
  ), stored as (
    update idempotency_keys k
    set status = case when a.outcome <> 'open' then a.status end, response = case when a.outcome <> 'open' then a.body end, locked_until = null
    from answer a
    where a.outcome <> 'unchanged' and k.tenant_id = p_tenant and k.ctid = a.key_at and k.status is null
  )
  select a.n, a.outcome, a.body from answer a order by a.n;
end $$;

-- Orders that bring no sale give back their places, seats and promo codes, and what was paid for them; the buyer and the
-- list behind them hear of it. The caller holds the locks on the inventory rows and has stepped the orders.
create function end_unpaid_orders(p_tenant uuid, p_now timestamptz, p_settling settling[]) returns void
language plpgsql set search_path = public, pg_temp as $$
begin
  with ended as (
    update holds h set state = 'released', ended_at = p_now
    from unnest(p_settling) s
    where s.outcome = 'failed' and h.tenant_id = p_tenant and h.order_id = s.order_id and h.state = 'active'
      and h.order_id = any (array(select z.order_id from unnest(p_settling) z))
    returning h.group_id, h.ticket_type_id, h.quantity, h.seat_ids
  ), freed as (
    update seats e set held_by = null, held_until = null
    from ended x where x.seat_ids is not null
      and e.tenant_id = p_tenant and e.id = any (x.seat_ids) and e.held_by = x.group_id
      and e.id = any (array(select unnest(y.seat_ids) from ended y))
  )
  update inventory i set held = i.held - d.quantity, version = i.version + 1, updated_at = p_now
  from (select x.ticket_type_id, sum(x.quantity)::integer as quantity from ended x group by 1) d
  where i.tenant_id = p_tenant and i.ticket_type_id = d.ticket_type_id
    and i.ticket_type_id = any (array(select y.ticket_type_id from ended y));

  with ended as (
    select o.*, s.request_id from unnest(p_settling) s
    cross join lateral (select * from orders where tenant_id = p_tenant and id = s.order_id offset 0) o
    where s.pending and s.outcome in ('failed', 'refund_due')
  ), unredeemed as (
    update promo_codes c set redeemed = c.redeemed - x.orders, updated_at = p_now
    from (select o.promo_code_id, count(*)::integer as orders from ended o where o.promo_code_id is not null group by 1) x
    where c.tenant_id = p_tenant and c.id = x.promo_code_id
  )
  insert into outbox (tenant_id, id, messages, created_at, next_attempt_at)
  select p_tenant, o.id, to_json(array(
    select json_build_object('kind', 'ticket.transactions', 'requestId', o.request_id,
      'body', json_build_object('transactionId', o.transaction_id, 'orderId', o.id, 'userId', o.user_id, 'eventId', o.event_id,
        'quantity', o.quantity, 'amount', o.amount_minor, 'currency', o.currency, 'status', 'failed'))
    union all
    select json_build_object('kind', 'ticket.capacity.updates', 'requestId', o.request_id,
      'body', json_build_object('eventId', h.event_id, 'ticketTypeId', h.ticket_type_id, 'capacityChange', h.quantity,
        'transactionId', o.transaction_id, 'operation', 'release', 'version', i.version))
    from holds h join inventory i on i.tenant_id = p_tenant and i.ticket_type_id = h.ticket_type_id
    where h.tenant_id = p_tenant and h.order_id = o.id)), p_now, p_now
  from ended o;

  -- The buyer is told of the money whatever became of the order before.
  with promised as (
    insert into refunds (tenant_id, id, order_id, payment_id, amount_minor, currency, reason, requested_by, status, next_attempt_at, created_at, updated_at)
    select p_tenant, p.id, p.order_id, p.id, p.amount_minor, p.currency, 'paid_too_late', s.actor, 'requested', p_now, p_now, p_now
    from unnest(p_settling) s
    cross join lateral (select * from payments where tenant_id = p_tenant and id = s.payment_id offset 0) p
    where s.outcome = 'refund_due'
    on conflict do nothing
    returning *
  )
  insert into outbox (tenant_id, id, messages, created_at, next_attempt_at)
  select p_tenant, r.id, json_build_array(json_build_object('kind', 'payment.refund', 'body', json_build_object(
    'refundId', r.id, 'orderId', r.order_id, 'amountMinor', r.amount_minor, 'currency', r.currency, 'reason', r.reason))), p_now, p_now
  from promised r;
end $$;

-- Takes the places of an order again whose hold ran out, if all of them are still free. The caller holds the locks on
-- the inventory rows and the holds. What it takes is counted when the tickets are issued.
create function retake_places(p_tenant uuid, p_now timestamptz, p_order uuid) returns boolean
language plpgsql set search_path = public, pg_temp as $$
declare
  v_line record;
  v_free integer;
begin
  for v_line in
    select h.*, i.capacity - i.held - i.sold as available from holds h
    join inventory i on i.tenant_id = p_tenant and i.ticket_type_id = h.ticket_type_id
    where h.tenant_id = p_tenant and h.order_id = p_order order by h.ticket_type_id
  loop
    continue when v_line.state = 'active';
    if v_line.available < v_line.quantity
       and v_line.available + reclaim_expired_holds(p_tenant, v_line.ticket_type_id, p_now) < v_line.quantity then
      return false;
    end if;
    if v_line.seat_ids is not null then
      select count(*) into v_free from (
        select from seats s where s.tenant_id = p_tenant and s.id = any (v_line.seat_ids) and s.ticket_id is null and not s.is_blocked
          and (s.held_by is null or s.held_by = v_line.group_id or s.held_until <= p_now) order by s.id for update) free;
      if v_free < v_line.quantity then
        return false;
      end if;
    end if;
  end loop;
  -- Held again for this moment, so that the conversion below counts them like any other hold.
  update inventory i set held = i.held + d.quantity, version = i.version + 1, updated_at = p_now
  from (select h.ticket_type_id, sum(h.quantity)::integer as quantity from holds h
        where h.tenant_id = p_tenant and h.order_id = p_order and h.state <> 'active' group by 1) d
  where i.tenant_id = p_tenant and i.ticket_type_id = d.ticket_type_id;
  update seats s set held_by = h.group_id, held_until = p_now
  from holds h where h.tenant_id = p_tenant and h.order_id = p_order and h.state <> 'active' and s.tenant_id = p_tenant and s.id = any (h.seat_ids);
  update holds set state = 'active', ended_at = null where tenant_id = p_tenant and order_id = p_order;
  return true;
end $$;

grant execute on function event_counters, twin_outcomes, place_orders, settle_orders, redeem_promo_codes, retake_places, end_unpaid_orders, issue_tickets, grant_places, customer_share,
  reclaim_expired_holds, reserve_places, lock_seats, release_hold, earlier_outcome, sale_refusal, promo_refusal, find_nft to tessera_app;

reset role;
