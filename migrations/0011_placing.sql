set role tessera_owner;

-- Orders: from a reservation, a seat lock or an offer, or directly.

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

-- Held places that are bought for an e-mail address, perhaps another than they were held for.
create type held_share as (ticket_type_id uuid, quantity smallint, user_id text, held_for text, email text);

-- What an order comes to.
create type order_head as (
  n integer, event_id uuid, ticket_type_id uuid, hold_group uuid, quantity integer, currency text,
  customer_name text, customer_email text, customer_phone text, notes text,
  subtotal_minor bigint, discount_minor bigint, promo_code_id uuid
);

-- What keeps a promo code from being used for an event at p_now, but for the limit of a person; null when nothing does.
create function promo_refusal(p_code promo_codes, p_event uuid, p_currency text, p_now timestamptz) returns text
language sql immutable return case
  when (p_code).id is null or not (p_code).is_active or (p_code).valid_from > p_now or (p_code).valid_until <= p_now
    or (p_code).event_id <> p_event or (p_code).currency <> p_currency then 'promo_invalid'
  when (p_code).redeemed >= (p_code).max_redemptions then 'promo_exhausted'
end;

-- What a promo code takes off a price; nothing without a code.
create function promo_discount(p_code promo_codes, p_price bigint) returns bigint
language sql immutable return least(p_price, coalesce((p_code).amount_minor, p_price * (p_code).percent / 100, 0));

-- How many orders of a user live by a promo code; null without a code.
create function promo_uses(p_tenant uuid, p_code uuid, p_user text) returns bigint
language sql stable return case when p_code is not null then (
  select count(*) from orders o
  where o.tenant_id = p_tenant and o.promo_code_id = p_code and o.user_id = p_user and o.status in ('pending', 'paid')) end;

-- Takes orders in: each request gets an outcome, and those that can be served hold their places or, where nothing is
-- to pay, have their tickets at once.
--   sold, placed                              served; details is the answer, or what is to pay
--   replay, resume, in_flight, key_reused     what became of an earlier request with the same key
--   not_found, not_on_sale, sales_not_open, sales_closed, seats_required, limit_exceeded, customer_limit_exceeded, sold_out,
--   wrong_currency, hold_not_found, hold_expired, hold_released, hold_used, customer_missing, payment_missing, promo_invalid, promo_exhausted, promo_user_limit    refused
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
  v_bought held_share[] := '{}';
begin
  perform set_config('app.tenant_id', p_tenant::text, true);
  select array_agg(r order by r.n) into v_requests from json_populate_recordset(null::order_request, p_requests) r;

  select array_agg(c.outcome order by c.n), array_agg(c.details order by c.n) into v_outcomes, v_details
  from (
    select r.n,
      coalesce(
        k.outcome,
        case when r.hold_code is not null then 'from_hold' end,
        sale_refusal(t, e, p_now),
        case when t.is_seated then 'seats_required' when r.quantity > t.per_order_limit then 'limit_exceeded'
          when r.currency <> e.currency then 'wrong_currency'
          -- Asked again under the lock of the code; but who cannot be served must not take a place from who can.
          when r.promo_code is not null and promo_refusal(c, r.event_id, e.currency, p_now) is not null
            then promo_refusal(c, r.event_id, e.currency, p_now)
          when promo_uses(p_tenant, c.id, r.user_id) >= c.per_user_limit then 'promo_user_limit'
          when t.price_minor * r.quantity > promo_discount(c, t.price_minor * r.quantity) and r.has_payment is not true
            then 'payment_missing'
          else 'wanted' end
      ) as outcome,
      coalesce(k.details, json_build_object('limit', t.per_order_limit, 'customerLimit', t.per_customer_limit)) as details
    from unnest(v_requests) r
    left join earlier_outcomes(p_tenant, p_now, array(
      select (x.n, x.principal, x.route, x.key, x.request_hash)::keyed_request from unnest(v_requests) x)) k on k.n = r.n
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
          when bool_or(h.state = 'released') then 'hold_released'
          when bool_or(h.state <> 'active') or bool_or(h.expires_at <= p_now) then 'hold_expired'
          when bool_or(not e.is_active) then 'not_on_sale'
          when bool_or(e.ends_at <= p_now) then 'sales_closed'
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
    -- Whoever it was reserved for, nobody buys more than they may have. What a person holds is part of their share.
    for v_row in
      select r.n, h.ticket_type_id, h.quantity, h.user_id, lower(h.customer_email) as held_for,
        lower(coalesce(r.customer_email, h.customer_email)) as email, t.per_customer_limit
      from unnest(v_requests) r
      cross join lateral (select * from holds where tenant_id = p_tenant and code = r.hold_code offset 0) h
      cross join lateral (
        select per_customer_limit from ticket_types
        where tenant_id = p_tenant and id = h.ticket_type_id and per_customer_limit is not null offset 0) t
      where v_outcomes[r.n] = 'held' order by r.n
    loop
      if customer_share(p_tenant, v_row.ticket_type_id, v_row.user_id, v_row.email, p_now)
          -- What others of this batch buy for the same address, and did not hold for it.
          + (select coalesce(sum(b.quantity), 0) from unnest(v_bought) b
             where b.ticket_type_id = v_row.ticket_type_id and b.email = v_row.email and b.user_id <> v_row.user_id
               and b.held_for is distinct from v_row.email)
          > v_row.per_customer_limit then
        v_outcomes[v_row.n] := 'customer_limit_exceeded';
        v_details[v_row.n] := json_build_object('customerLimit', v_row.per_customer_limit);
      else
        v_bought := v_bought || (v_row.ticket_type_id, v_row.quantity, v_row.user_id, v_row.held_for, v_row.email)::held_share;
      end if;
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
    -- Who is refused only now had places that others were refused for. One by one, each gets what there is.
    if v_outcomes && '{sold_out,customer_limit_exceeded}' and exists (
        select from unnest(v_heads) x
        join unnest(v_requests) r on r.n = x.n
        join unnest(v_requests) o on o.ticket_type_id = r.ticket_type_id
        where not v_outcomes[x.n] in ('wanted', 'held') and (v_outcomes[o.n] = 'sold_out'
          or v_outcomes[o.n] = 'customer_limit_exceeded'
            and (o.user_id = r.user_id or lower(o.customer_email) = lower(r.customer_email)))) then
      raise exception 'a batch gave places to orders that were refused' using errcode = 'triggered_action_exception';
    end if;
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
      select l.hold_id, l.group_id, l.seat_ids, r.order_id, r.customer_email
      from unnest(v_lines) l join unnest(v_heads) x on x.n = l.n join unnest(v_requests) r on r.n = l.n
      where not l.fresh and x.subtotal_minor > x.discount_minor
    ), kept as (
      update holds h set order_id = d.order_id, expires_at = greatest(h.expires_at, p_hold_until),
        customer_email = coalesce(d.customer_email, h.customer_email)
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

  select t.* into v_outcomes, v_details
  from answer_twins(p_tenant, p_now, array(
    select (r.n, r.principal, r.route, r.key, r.request_hash)::keyed_request from unnest(v_requests) r
    where not v_outcomes[r.n] = any ('{wanted,held,sold,replay,resume,in_flight,key_reused}')), v_outcomes, v_details) t;

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
        when promo_refusal(v_code, v_head.event_id, v_head.currency, p_now) is not null
          then promo_refusal(v_code, v_head.event_id, v_head.currency, p_now)
        when promo_uses(p_tenant, v_code.id, v_user)
          + (select count(*) from unnest(v_heads) h join unnest(p_requests) r on r.n = h.n
             where h.promo_code_id = v_code.id and r.user_id = v_user) >= v_code.per_user_limit then 'promo_user_limit'
      end;
      if v_refusal is not null then
        v_head.subtotal_minor := null;
        v_head.customer_name := v_refusal;
      else
        v_head.promo_code_id := v_code.id;
        v_head.discount_minor := promo_discount(v_code, v_head.subtotal_minor);
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

grant execute on function place_orders, promo_refusal, promo_discount, promo_uses, redeem_promo_codes to tessera_app;

reset role;
