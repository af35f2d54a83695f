set role tessera_owner;

-- Reservations and seat locks: places taken for a while, before anybody pays.

create type reservation_request as (
  n integer, -- position in the batch, from 1
  principal text, route text, key text, request_hash bytea,
  hold_id uuid, code text, user_id text, event_id uuid, ticket_type_id uuid, quantity smallint,
  customer_name text, customer_email text, customer_phone text, notes text
);

-- Outcomes: reserved, with the answer; what became of an earlier request (replay, in_flight, key_reused); refusals
-- (not_found, not_on_sale, sales_not_open, sales_closed, seats_required, limit_exceeded, customer_limit_exceeded, sold_out).
create function reserve_places(p_tenant uuid, p_now timestamptz, p_until timestamptz, p_requests json)
returns table (n integer, outcome text, details json)
language plpgsql set search_path = public, pg_temp set plan_cache_mode = force_generic_plan as $$
declare
  v_requests reservation_request[];
  v_outcomes text[];
  v_details json[];
  v_grant record;
begin
  perform set_config('app.tenant_id', p_tenant::text, true);
  select array_agg(r order by r.n) into v_requests from json_populate_recordset(null::reservation_request, p_requests) r;

  select array_agg(c.outcome order by c.n), array_agg(c.details order by c.n) into v_outcomes, v_details
  from (
    select r.n,
      coalesce(
        k.outcome,
        sale_refusal(t, e, p_now),
        case when t.is_seated then 'seats_required' when r.quantity > t.per_order_limit then 'limit_exceeded' else 'wanted' end
      ) as outcome,
      coalesce(k.details, json_build_object('limit', t.per_order_limit, 'customerLimit', t.per_customer_limit)) as details
    from unnest(v_requests) r
    left join earlier_outcomes(p_tenant, p_now, array(
      select (x.n, x.principal, x.route, x.key, x.request_hash)::keyed_request from unnest(v_requests) x)) k on k.n = r.n
    left join lateral (
      select * from ticket_types where tenant_id = p_tenant and id = r.ticket_type_id and event_id = r.event_id offset 0) t on true
    left join lateral (select * from events where tenant_id = p_tenant and id = r.event_id offset 0) e on true
  ) c;

  for v_grant in
    select * from grant_places(p_tenant, p_now, (
      select array_agg((r.n, r.ticket_type_id, r.quantity, r.user_id, r.customer_email)::place_want)
      from unnest(v_requests) r where v_outcomes[r.n] = 'wanted')) g
    where g.outcome <> 'granted'
  loop
    v_outcomes[v_grant.n] := v_grant.outcome;
    v_details[v_grant.n] := v_details[v_grant.n]::jsonb || jsonb_build_object('available', v_grant.available);
  end loop;

  select t.* into v_outcomes, v_details
  from answer_twins(p_tenant, p_now, array(
    select (r.n, r.principal, r.route, r.key, r.request_hash)::keyed_request from unnest(v_requests) r
    where not v_outcomes[r.n] = any ('{wanted,replay,resume,in_flight,key_reused}')), v_outcomes, v_details) t;

  return query
  with wanted as (
    select r.*, sum(r.quantity) over (partition by r.ticket_type_id order by r.n) - r.quantity as place
    from unnest(v_requests) r where v_outcomes[r.n] = 'wanted'
  ), held as (
    update inventory i
    set held = i.held + d.quantity, issued = i.issued + d.quantity, version = i.version + 1, updated_at = p_now
    from (select w.ticket_type_id, sum(w.quantity)::integer as quantity from wanted w group by 1) d
    where i.tenant_id = p_tenant and i.ticket_type_id = d.ticket_type_id
      and i.ticket_type_id = any (array(select w.ticket_type_id from wanted w))
    returning i.ticket_type_id, i.issued - d.quantity as first
  ), numbered as (
    select w.*, h.first + w.place + 1 as first_number, t.price_minor, t.ordinal, e.currency
    from wanted w
    join held h using (ticket_type_id)
    cross join lateral (select * from ticket_types where tenant_id = p_tenant and id = w.ticket_type_id offset 0) t
    cross join lateral (select * from events where tenant_id = p_tenant and id = w.event_id offset 0) e
  ), taken as (
    insert into holds (tenant_id, id, group_id, code, kind, event_id, ticket_type_id, user_id, customer_name, customer_email,
                       customer_phone, notes, quantity, unit_price_minor, first_number, expires_at, created_at)
    select p_tenant, w.hold_id, w.hold_id, w.code, 'reservation', w.event_id, w.ticket_type_id, w.user_id, w.customer_name,
           w.customer_email, w.customer_phone, w.notes, w.quantity, w.price_minor, w.first_number, p_until, p_now
    from numbered w
  ), answer as (
    select w.n, w.principal, w.route, w.key, w.request_hash, w.hold_id, json_build_object(
      'reservationId', w.code, 'eventId', w.event_id, 'ticketTypeId', w.ticket_type_id, 'quantity', w.quantity,
      'unitPriceMinor', w.price_minor, 'totalPriceMinor', w.price_minor * w.quantity, 'currency', w.currency,
      'expiresAt', to_char(p_until at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
      'tickets', (select json_agg(json_build_object('status', 'reserved', 'ticketNumber',
          ticket_number(w.ordinal, (w.first_number + g.i - 1)::integer)) order by g.i)
        from generate_series(1, w.quantity) as g(i))) as body
    from numbered w
  ), answered as (
    insert into idempotency_keys (tenant_id, principal, route, key, request_hash, status, response, subject_id, created_at)
    select p_tenant, a.principal, a.route, a.key, a.request_hash, 201, a.body, a.hold_id, p_now from answer a
  )
  select r.n, case v_outcomes[r.n] when 'wanted' then 'reserved' else v_outcomes[r.n] end, coalesce(a.body, v_details[r.n])
  from unnest(v_requests) r left join answer a on a.n = r.n order by r.n;
end $$;

create type seat_lock_request as (
  n integer, -- position in the batch, from 1
  principal text, route text, key text, request_hash bytea,
  group_id uuid, hold_ids uuid[], code text, user_id text, event_id uuid, seat_ids uuid[],
  customer_name text, customer_email text, customer_phone text
);

-- All or nothing for each request; of two that want one seat the earlier in the batch gets it, and the later may still
-- have seats that a loser leaves. Outcomes as of reserve_places, with locked for reserved, no_seats for a request that
-- names none, and seats_unavailable, which names those that are not free.
create function lock_seats(p_tenant uuid, p_now timestamptz, p_until timestamptz, p_requests json)
returns table (n integer, outcome text, details json)
language plpgsql set search_path = public, pg_temp set plan_cache_mode = force_generic_plan as $$
declare
  v_requests seat_lock_request[];
  v_outcomes text[];
  v_details json[];
  v_seats uuid[];
  v_row record;
  v_winners integer[];
begin
  perform set_config('app.tenant_id', p_tenant::text, true);
  select array_agg(r order by r.n) into v_requests from json_populate_recordset(null::seat_lock_request, p_requests) r;

  select array_agg(c.outcome order by c.n), array_agg(c.details order by c.n) into v_outcomes, v_details
  from (
    select r.n,
      coalesce(
        k.outcome,
        case when e.id is null then 'not_found' when not e.is_active then 'not_on_sale'
          when cardinality(r.seat_ids) = 0 then 'no_seats' else 'wanted' end) as outcome,
      coalesce(k.details, '{}') as details
    from unnest(v_requests) r
    left join earlier_outcomes(p_tenant, p_now, array(
      select (x.n, x.principal, x.route, x.key, x.request_hash)::keyed_request from unnest(v_requests) x)) k on k.n = r.n
    left join lateral (select * from events where tenant_id = p_tenant and id = r.event_id offset 0) e on true
  ) c;

  v_seats := array(select unnest(r.seat_ids) from unnest(v_requests) r where v_outcomes[r.n] = 'wanted');

  -- Counters before seats, each in one order, as everywhere.
  perform from inventory i
  where i.tenant_id = p_tenant and i.ticket_type_id = any (array(
    select s.ticket_type_id from seats s
    where s.tenant_id = p_tenant and s.id = any (v_seats)))
  order by i.ticket_type_id for update;
  perform from seats s
  where s.tenant_id = p_tenant and s.id = any (v_seats)
  order by s.id for update;

  -- Seats that are gone, blocked, of another event or not on sale refuse their request.
  for v_row in
    select w.n,
      case
        when bool_or(s.id is null) then 'seat_not_found'
        when bool_or(sale_refusal(t, e, p_now) is not null) then min(sale_refusal(t, e, p_now))
        else 'seats_unavailable' end as outcome,
      json_build_object('unavailable', json_agg(w.seat_id)) as details
    from (select r.n, r.event_id, unnest(r.seat_ids) as seat_id from unnest(v_requests) r where v_outcomes[r.n] = 'wanted') w
    left join lateral (
      select * from seats where tenant_id = p_tenant and id = w.seat_id and event_id = w.event_id offset 0) s on true
    left join lateral (select * from ticket_types where tenant_id = p_tenant and id = s.ticket_type_id offset 0) t on true
    left join lateral (select * from events where tenant_id = p_tenant and id = s.event_id offset 0) e on true
    where s.id is null or s.is_blocked or s.ticket_id is not null or s.held_until > p_now
      or sale_refusal(t, e, p_now) is not null
    group by w.n
  loop
    v_outcomes[v_row.n] := v_row.outcome;
    v_details[v_row.n] := v_row.details;
  end loop;

  -- Nobody locks more than they may have, whether in one lock or in several.
  for v_row in
    with want as (
      select r.n, r.user_id, lower(r.customer_email) as email, s.ticket_type_id, count(*) as wanted
      from unnest(v_requests) r
      cross join lateral unnest(r.seat_ids) as u(seat_id)
      cross join lateral (select ticket_type_id from seats where tenant_id = p_tenant and id = u.seat_id offset 0) s
      where v_outcomes[r.n] = 'wanted' group by r.n, r.user_id, lower(r.customer_email), s.ticket_type_id
    )
    select x.n, case when bool_or(x.wanted > t.per_order_limit) then 'limit_exceeded' else 'customer_limit_exceeded' end as outcome,
      json_build_object('limit', min(t.per_order_limit), 'customerLimit', min(t.per_customer_limit)) as details
    from want x
    cross join lateral (select * from ticket_types where tenant_id = p_tenant and id = x.ticket_type_id offset 0) t
    where x.wanted > t.per_order_limit
      -- What somebody has is only counted where there is a limit to it.
      or case when t.per_customer_limit is not null
        then customer_share(p_tenant, x.ticket_type_id, x.user_id, x.email, p_now)
          + (select sum(w.wanted) from want w
             where w.ticket_type_id = x.ticket_type_id and w.n <= x.n and (w.user_id = x.user_id or w.email = x.email))
          > t.per_customer_limit end
    group by x.n
  loop
    v_outcomes[v_row.n] := v_row.outcome;
    v_details[v_row.n] := v_row.details;
  end loop;

  -- Among the rest the earlier wins. Who loses to a winner is out; who only lost to a loser gets another look.
  loop
    with want as (
      select r.n, unnest(r.seat_ids) as seat_id from unnest(v_requests) r where v_outcomes[r.n] = 'wanted'
    ), first as (
      select w.seat_id, min(w.n) as n from want w group by w.seat_id
    )
    select array_agg(x.n) into v_winners
    from (select w.n from want w join first f using (seat_id) group by w.n having bool_and(f.n = w.n)) x;
    exit when v_winners is null;
    for v_row in
      select w.n, json_build_object('unavailable', json_agg(w.seat_id)) as details
      from (select r.n, unnest(r.seat_ids) as seat_id from unnest(v_requests) r where v_outcomes[r.n] = 'wanted') w
      where not w.n = any (v_winners) and w.seat_id in (select unnest(r.seat_ids) from unnest(v_requests) r where r.n = any (v_winners))
      group by w.n
    loop
      v_outcomes[v_row.n] := 'seats_unavailable';
      v_details[v_row.n] := v_row.details;
    end loop;
    for v_row in select unnest(v_winners) as n loop
      v_outcomes[v_row.n] := 'won';
    end loop;
  end loop;

  -- Holds that ran out still count: give their places back before new ones are taken.
  perform reclaim_expired_holds(p_tenant, x.ticket_type_id, p_now)
  from (select distinct s.ticket_type_id from seats s
        where s.tenant_id = p_tenant and s.held_until <= p_now and s.id = any (array(
          select unnest(r.seat_ids) from unnest(v_requests) r where v_outcomes[r.n] = 'won'))) x;

  select t.* into v_outcomes, v_details
  from answer_twins(p_tenant, p_now, array(
    select (r.n, r.principal, r.route, r.key, r.request_hash)::keyed_request from unnest(v_requests) r
    where not v_outcomes[r.n] = any ('{won,replay,resume,in_flight,key_reused}')), v_outcomes, v_details) t;

  return query
  with won as (
    select r.n, r.group_id, r.hold_ids, r.code, r.user_id, r.event_id, u.seat_id, u.nth
    from unnest(v_requests) r cross join lateral unnest(r.seat_ids) with ordinality as u(seat_id, nth)
    where v_outcomes[r.n] = 'won'
  ), fenced as (
    select w.n, max(s.fence) + 1 as fence
    from won w cross join lateral (select fence from seats where tenant_id = p_tenant and id = w.seat_id offset 0) s group by w.n
  ), locked as (
    update seats s set held_by = w.group_id, held_until = p_until, fence = f.fence
    from won w join fenced f using (n)
    where s.tenant_id = p_tenant and s.id = w.seat_id and s.id = any (v_seats)
    returning s.id, w.n, w.nth, s.ticket_type_id, s.section || ' ' || s.row_label || '-' || s.number as label
  ), line as (
    select w.n, w.group_id, w.code, w.user_id, w.event_id, l.ticket_type_id, f.fence, t.price_minor, e.currency,
      w.hold_ids[row_number() over (partition by w.n order by l.ticket_type_id)] as hold_id,
      count(*)::smallint as quantity, array_agg(l.id order by w.nth) as seat_ids
    from won w
    join locked l on l.n = w.n and l.id = w.seat_id
    join fenced f on f.n = w.n
    cross join lateral (select price_minor from ticket_types where tenant_id = p_tenant and id = l.ticket_type_id offset 0) t
    cross join lateral (select currency from events where tenant_id = p_tenant and id = w.event_id offset 0) e
    group by w.n, w.group_id, w.code, w.user_id, w.event_id, w.hold_ids, l.ticket_type_id, f.fence, t.price_minor, e.currency
  ), taken as (
    insert into holds (tenant_id, id, group_id, code, kind, event_id, ticket_type_id, user_id, customer_name, customer_email,
                       customer_phone, quantity, unit_price_minor, seat_ids, fence, expires_at, created_at)
    select p_tenant, l.hold_id, l.group_id, l.code, 'seat_lock', l.event_id, l.ticket_type_id, l.user_id, r.customer_name,
           r.customer_email, r.customer_phone, l.quantity, l.price_minor, l.seat_ids, l.fence, p_until, p_now
    from line l join unnest(v_requests) r on r.n = l.n
  ), held as (
    update inventory i set held = i.held + d.quantity, version = i.version + 1, updated_at = p_now
    from (select l.ticket_type_id, sum(l.quantity)::integer as quantity from line l group by 1) d
    where i.tenant_id = p_tenant and i.ticket_type_id = d.ticket_type_id
      and i.ticket_type_id = any (array(select l.ticket_type_id from line l))
  ), answer as (
    select l.n, json_build_object(
      'lockId', min(l.code), 'eventId', min(l.event_id::text), 'fence', min(l.fence), 'currency', min(l.currency),
      'totalPriceMinor', sum(l.price_minor * l.quantity),
      'expiresAt', to_char(p_until at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
      'seats', (select json_agg(json_build_object('id', k.id, 'label', k.label, 'ticketTypeId', k.ticket_type_id,
                                                    'priceMinor', t.price_minor) order by k.nth)
                from locked k
                cross join lateral (select price_minor from ticket_types where tenant_id = p_tenant and id = k.ticket_type_id offset 0) t
                where k.n = l.n)) as body
    from line l group by l.n
  ), answered as (
    insert into idempotency_keys (tenant_id, principal, route, key, request_hash, status, response, subject_id, created_at)
    select p_tenant, r.principal, r.route, r.key, r.request_hash, 201, a.body, r.group_id, p_now
    from answer a join unnest(v_requests) r on r.n = a.n
  )
  select r.n, case v_outcomes[r.n] when 'won' then 'locked' else v_outcomes[r.n] end, coalesce(a.body, v_details[r.n])
  from unnest(v_requests) r left join answer a on a.n = r.n order by r.n;
end $$;

-- Gives up what a group holds, at once: places, seats, and the offer it may have come from. Returns its event, or
-- nothing when there is nothing active to give up, or an order is paying for it.
create function release_hold(p_tenant uuid, p_now timestamptz, p_group uuid) returns uuid
language plpgsql set search_path = public, pg_temp as $$
declare
  v_event uuid;
begin
  perform from inventory i
  where i.tenant_id = p_tenant
    and i.ticket_type_id in (select h.ticket_type_id from holds h where h.tenant_id = p_tenant and h.group_id = p_group)
  order by i.ticket_type_id for update;
  with ended as (
    update holds h set state = 'released', ended_at = p_now
    where h.tenant_id = p_tenant and h.group_id = p_group and h.state = 'active'
      and h.expires_at > p_now
      and not exists (select from orders o where o.tenant_id = p_tenant and o.id = h.order_id and o.status = 'pending')
    returning h.event_id, h.ticket_type_id, h.quantity
  ), freed as (
    update inventory i set held = i.held - e.quantity, version = i.version + 1, updated_at = p_now
    from ended e where i.tenant_id = p_tenant and i.ticket_type_id = e.ticket_type_id
  )
  select min(e.event_id::text)::uuid into v_event from ended e;
  if v_event is not null then
    update seats set held_by = null, held_until = null where tenant_id = p_tenant and event_id = v_event and held_by = p_group;
  end if;
  return v_event;
end $$;

grant execute on function reserve_places, lock_seats, release_hold to tessera_app;

reset role;
