set role tessera_owner;

-- An e-mail address that somebody typed is a claim: whoever types another's must neither learn how much they hold nor
-- use up what they may have. Limits count per identity: the user, and the address that the identity provider vouches for.

alter table holds add column verified_email text;
alter table orders add column verified_email text;
alter table waiting_list add column verified_email text;
comment on column holds.verified_email is 'In lower case; what the identity provider vouched for when the hold was made, whatever address was typed.';
comment on column orders.verified_email is 'As of holds.';
comment on column waiting_list.verified_email is 'As of holds.';
drop index holds_of_email;
create index holds_of_verified on holds (tenant_id, verified_email)
  where verified_email is not null and state = 'active' and kind <> 'order';
create index orders_of_verified on orders (tenant_id, verified_email) where verified_email is not null;

alter type place_want rename attribute customer_email to verified_email;
alter type reservation_request add attribute verified_email text, add attribute max_held integer;
alter type seat_lock_request add attribute verified_email text, add attribute max_held integer;
alter type order_request add attribute verified_email text;

-- What keeps a ticket type from being sold at p_now; null when nothing does. An event that is hidden does not exist for
-- buyers, and its own outcome lets the caller say so.
create or replace function sale_refusal(p_type ticket_types, p_event events, p_now timestamptz) returns text
language sql immutable return case
  when (p_type).id is null or (p_event).id is null then 'not_found'
  when not (p_event).is_active then 'event_hidden'
  when not (p_type).is_active then 'not_on_sale'
  when (p_type).sales_start_at > p_now then 'sales_not_open'
  when least(coalesce((p_type).sales_end_at, (p_event).starts_at), (p_event).ends_at) <= p_now then 'sales_closed'
end;

-- How many tickets of a type a person holds or owns: by their user, and by their verified address (p_email, null where
-- nobody vouches for one). Asked under the lock of the type's inventory.
create or replace function customer_share(p_tenant uuid, p_ticket_type uuid, p_user text, p_email text, p_now timestamptz) returns integer
language sql stable return (
  select coalesce(sum(quantity), 0)::integer from (
    select h.quantity from holds h
    where h.tenant_id = p_tenant and h.state = 'active' and h.kind <> 'order' and h.expires_at > p_now and h.ticket_type_id = p_ticket_type
      and (h.user_id = p_user or h.verified_email = p_email)
    union all
    select h.quantity from orders o join holds h on h.tenant_id = p_tenant and h.order_id = o.id
    where o.tenant_id = p_tenant and (o.user_id = p_user or o.verified_email = p_email) and o.status = 'pending'
      and h.state = 'active' and h.kind = 'order' and h.expires_at > p_now and h.ticket_type_id = p_ticket_type
    union all
    select 1 from orders o join tickets t on t.tenant_id = p_tenant and t.order_id = o.id
    where o.tenant_id = p_tenant and (o.user_id = p_user or o.verified_email = p_email)
      and o.status = 'paid' and t.ticket_type_id = p_ticket_type and t.status not in ('cancelled', 'refunded')
  ) share);

create type held_want as (n integer, event_id uuid, quantity integer, user_id text, verified_email text, max_held integer);

-- Which requests would leave a person with more places of an event reserved or locked, and not yet paid for, than
-- max_held. Within a batch the earlier counts, unless it is refused itself. Offers are not counted: they were waited for.
create function over_held(p_tenant uuid, p_now timestamptz, p_wants held_want[]) returns table (n integer, max_held integer)
language plpgsql set search_path = public, pg_temp as $$
declare
  v_want record;
  v_refused integer[] := '{}';
begin
  for v_want in
    select w.*, own.held, sum(w.quantity) over (partition by w.event_id, w.user_id order by w.n) as wanted
    from unnest(p_wants) w
    cross join lateral (
      select coalesce(sum(h.quantity), 0) as held from holds h
      where h.tenant_id = p_tenant and (h.user_id = w.user_id or h.verified_email = w.verified_email) and h.event_id = w.event_id
        and h.state = 'active' and h.kind <> 'order' and h.kind <> 'offer' and h.expires_at > p_now) own
    order by w.n
  loop
    continue when v_want.held + v_want.wanted <= v_want.max_held;
    if v_want.held + v_want.quantity + (select coalesce(sum(w.quantity), 0) from unnest(p_wants) w
        where w.n < v_want.n and w.event_id = v_want.event_id and w.user_id = v_want.user_id and w.n <> all (v_refused))
        > v_want.max_held then
      v_refused := v_refused || v_want.n;
      n := v_want.n;
      max_held := v_want.max_held;
      return next;
    end if;
  end loop;
end $$;

-- As before, but that persons are told apart by their user and their verified address.
create or replace function grant_places(p_tenant uuid, p_now timestamptz, p_wants place_want[])
returns table (n integer, outcome text, available integer)
language plpgsql set search_path = public, pg_temp as $$
declare
  v_type record;
  v_want record;
  v_available integer;
  v_granted place_want[];
begin
  for v_type in
    select i.ticket_type_id, i.capacity - i.held - i.sold as available, i.waiting, d.demand, t.per_customer_limit
    from inventory i
    join (select w.ticket_type_id, sum(w.quantity)::integer as demand from unnest(p_wants) w group by 1) d
      on d.ticket_type_id = i.ticket_type_id
    cross join lateral (
      select per_customer_limit from ticket_types where tenant_id = p_tenant and id = i.ticket_type_id offset 0) t
    where i.tenant_id = p_tenant and i.ticket_type_id = any (array(select w.ticket_type_id from unnest(p_wants) w))
    order by i.ticket_type_id for update of i
  loop
    v_available := v_type.available;
    -- While people wait, what comes free is theirs.
    if v_type.waiting > 0 then
      v_available := 0;
    elsif v_available < v_type.demand then
      v_available := v_available + reclaim_expired_holds(p_tenant, v_type.ticket_type_id, p_now);
    end if;
    if v_available >= v_type.demand and v_type.per_customer_limit is null then
      return query select w.n, 'granted'::text, v_available from unnest(p_wants) w
      where w.ticket_type_id = v_type.ticket_type_id;
      continue;
    end if;
    v_granted := '{}';
    for v_want in select * from unnest(p_wants) w where w.ticket_type_id = v_type.ticket_type_id order by w.n loop
      if v_want.quantity > v_available then
        return query select v_want.n, 'sold_out'::text, greatest(v_available, 0);
      elsif v_want.quantity
          + customer_share(p_tenant, v_want.ticket_type_id, v_want.user_id, v_want.verified_email, p_now)
          + (select coalesce(sum(g.quantity), 0) from unnest(v_granted) g
             where g.user_id = v_want.user_id or g.verified_email = v_want.verified_email)
          > v_type.per_customer_limit then
        return query select v_want.n, 'customer_limit_exceeded'::text, v_available;
      else
        v_available := v_available - v_want.quantity;
        v_granted := v_granted || (v_want.n, v_want.ticket_type_id, v_want.quantity, v_want.user_id, v_want.verified_email)::place_want;
        return query select v_want.n, 'granted'::text, v_available;
      end if;
    end loop;
  end loop;
  -- Deleted after its request found it.
  return query
  select w.n, 'not_found'::text, 0 from unnest(p_wants) w
  where not w.ticket_type_id = any (array(select i.ticket_type_id from inventory i
    where i.tenant_id = p_tenant and i.ticket_type_id = any (array(select x.ticket_type_id from unnest(p_wants) x))));
end $$;

-- Outcomes as before, with hold_limit_exceeded for who would hold more places of an event than max_held, and event_hidden
-- for not_on_sale where it is the event that is not.
create or replace function reserve_places(p_tenant uuid, p_now timestamptz, p_until timestamptz, p_requests json)
returns table (n integer, outcome text, details json)
language plpgsql set search_path = public, pg_temp set plan_cache_mode = force_generic_plan as $$
declare
  v_requests reservation_request[];
  v_outcomes text[];
  v_details json[];
  v_grant record;
  v_held record;
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

  -- Under the lock of the counter, so that two batches do not both find room for one person.
  perform from inventory i
  where i.tenant_id = p_tenant
    and i.ticket_type_id = any (array(select r.ticket_type_id from unnest(v_requests) r where v_outcomes[r.n] = 'wanted'))
  order by i.ticket_type_id for update;
  for v_held in
    select * from over_held(p_tenant, p_now, array(
      select (r.n, r.event_id, r.quantity, r.user_id, r.verified_email, r.max_held)::held_want
      from unnest(v_requests) r where v_outcomes[r.n] = 'wanted' and r.max_held is not null))
  loop
    v_outcomes[v_held.n] := 'hold_limit_exceeded';
    v_details[v_held.n] := json_build_object('limit', v_held.max_held);
  end loop;

  for v_grant in
    select * from grant_places(p_tenant, p_now, (
      select array_agg((r.n, r.ticket_type_id, r.quantity, r.user_id, r.verified_email)::place_want)
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
    insert into holds (tenant_id, id, group_id, code, kind, event_id, ticket_type_id, user_id, customer_name, customer_email, verified_email,
                       customer_phone, notes, quantity, unit_price_minor, first_number, expires_at, created_at)
    select p_tenant, w.hold_id, w.hold_id, w.code, 'reservation', w.event_id, w.ticket_type_id, w.user_id, w.customer_name,
           w.customer_email, w.verified_email, w.customer_phone, w.notes, w.quantity, w.price_minor, w.first_number, p_until, p_now
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

-- Outcomes of reserve_places, as before.
create or replace function lock_seats(p_tenant uuid, p_now timestamptz, p_until timestamptz, p_requests json)
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
        case when e.id is null then 'not_found' when not e.is_active then 'event_hidden'
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
      select r.n, r.user_id, r.verified_email as email, s.ticket_type_id, count(*) as wanted
      from unnest(v_requests) r
      cross join lateral unnest(r.seat_ids) as u(seat_id)
      cross join lateral (select ticket_type_id from seats where tenant_id = p_tenant and id = u.seat_id offset 0) s
      where v_outcomes[r.n] = 'wanted' group by r.n, r.user_id, r.verified_email, s.ticket_type_id
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

  for v_row in
    select * from over_held(p_tenant, p_now, array(
      select (r.n, r.event_id, cardinality(r.seat_ids), r.user_id, r.verified_email, r.max_held)::held_want
      from unnest(v_requests) r where v_outcomes[r.n] = 'wanted' and r.max_held is not null))
  loop
    v_outcomes[v_row.n] := 'hold_limit_exceeded';
    v_details[v_row.n] := json_build_object('limit', v_row.max_held);
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
    insert into holds (tenant_id, id, group_id, code, kind, event_id, ticket_type_id, user_id, customer_name, customer_email, verified_email,
                       customer_phone, quantity, unit_price_minor, seat_ids, fence, expires_at, created_at)
    select p_tenant, l.hold_id, l.group_id, l.code, 'seat_lock', l.event_id, l.ticket_type_id, l.user_id, r.customer_name,
           r.customer_email, r.verified_email, r.customer_phone, l.quantity, l.price_minor, l.seat_ids, l.fence, p_until, p_now
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

-- Outcomes as before, with event_hidden.
create or replace function place_orders(p_tenant uuid, p_now timestamptz, p_hold_until timestamptz, p_poll_at timestamptz, p_requests json)
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
      select r.n, h.ticket_type_id, h.quantity, h.user_id, h.verified_email as held_for,
        coalesce(r.verified_email, h.verified_email) as email, t.per_customer_limit
      from unnest(v_requests) r
      cross join lateral (select * from holds where tenant_id = p_tenant and code = r.hold_code offset 0) h
      cross join lateral (
        select per_customer_limit from ticket_types
        where tenant_id = p_tenant and id = h.ticket_type_id and per_customer_limit is not null offset 0) t
      where v_outcomes[r.n] = 'held' order by r.n
    loop
      if customer_share(p_tenant, v_row.ticket_type_id, v_row.user_id, v_row.email, p_now)
          -- What others of this batch buy under the same address, and did not hold under it.
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
      select array_agg((r.n, r.ticket_type_id, r.quantity, r.user_id, r.verified_email)::place_want)
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
            and (o.user_id = r.user_id or o.verified_email = r.verified_email))) then
      raise exception 'a batch gave places to orders that were refused' using errcode = 'triggered_action_exception';
    end if;
    select array_agg(x) into v_heads from unnest(v_heads) x where v_outcomes[x.n] in ('wanted', 'held');
    select array_agg(l) into v_lines from unnest(v_lines) l where l.n in (select x.n from unnest(v_heads) x);
  end if;

  if v_heads is not null then
    with ordered as (
      insert into orders (tenant_id, id, transaction_id, user_id, event_id, ticket_type_id, hold_group, quantity, subtotal_minor,
                          discount_minor, amount_minor, currency, promo_code_id, status, customer_name, customer_email,
                          verified_email, customer_phone, notes, created_at, updated_at)
      select p_tenant, r.order_id, r.transaction_id, r.user_id, x.event_id, x.ticket_type_id, x.hold_group, x.quantity, x.subtotal_minor,
             x.discount_minor, x.subtotal_minor - x.discount_minor, x.currency, x.promo_code_id,
             case when x.subtotal_minor > x.discount_minor then 'pending' else 'paid' end,
             x.customer_name, x.customer_email,
             coalesce(r.verified_email, (select h.verified_email from holds h
               where h.tenant_id = p_tenant and h.group_id = x.hold_group limit 1)),
             x.customer_phone, x.notes, p_now, p_now
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

grant execute on function over_held to tessera_app;

reset role;
