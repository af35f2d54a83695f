set role tessera_owner;

-- Selling, for a batch of requests of one tenant in one statement: the lock on the hot row and the fsync are paid once
-- for all of them. A batch of one is the single sale; there is no other way to sell. The steps that all ways share come
-- first: giving places back, granting them, and turning paid orders into tickets.
--
-- Plans of these functions are made once, for the average tenant, and then serve the largest. So rows are looked up by
-- their whole key: by lateral subqueries with `offset 0`, which are never turned into a scan of all rows of the tenant,
-- or by `= any (array)`, which narrows a scan to the rows meant. That they are made once is demanded where a request enters:
-- left to itself the planner makes a new plan for every call, which took longer than the sale.

create index idempotency_keys_of_subject on idempotency_keys (tenant_id, subject_id);

-- A request as far as it may be a repetition.
create type keyed_request as (n integer, principal text, route text, key text, request_hash bytea);

-- What became of earlier requests with the same keys: replay with the answer, resume with the order, in_flight or
-- key_reused; outcome is null where there was none. Of two in one batch the second waits.
create function earlier_outcomes(p_tenant uuid, p_now timestamptz, p_requests keyed_request[])
returns table (n integer, outcome text, details json)
language plpgsql set search_path = public, pg_temp as $$
begin
  return query
  select r.n,
    case
      when row_number() over (partition by r.principal, r.route, r.key order by r.n) > 1 then 'in_flight'
      when k.key is null then null
      when k.request_hash <> r.request_hash then 'key_reused'
      when k.status is not null then 'replay'
      when k.locked_until > p_now then 'in_flight'
      else 'resume'
    end,
    case when k.status is not null then json_build_object('status', k.status, 'body', k.response)
      when k.key is not null then json_build_object('orderId', k.subject_id) end
  from unnest(p_requests) r
  left join lateral (
    select * from idempotency_keys
    where tenant_id = p_tenant and principal = r.principal and route = r.route and key = r.key offset 0) k on true;
end $$;

-- A request that was refused under a lock may be the twin of one that took the last place while it waited for that lock:
-- what became of the twin is its answer. Asked when the locks are held, so what the twin did is seen.
create function answer_twins(p_tenant uuid, p_now timestamptz, p_refused keyed_request[], inout p_outcomes text[], inout p_details json[])
language plpgsql set search_path = public, pg_temp as $$
declare
  v_row record;
begin
  for v_row in
    select * from earlier_outcomes(p_tenant, p_now, p_refused) e where p_refused <> '{}' and e.outcome is not null
  loop
    p_outcomes[v_row.n] := v_row.outcome;
    p_details[v_row.n] := v_row.details;
  end loop;
end $$;

-- What keeps a ticket type from being sold at p_now; null when nothing does.
create function sale_refusal(p_type ticket_types, p_event events, p_now timestamptz) returns text
language sql immutable return case
  when (p_type).id is null or (p_event).id is null then 'not_found'
  when not (p_event).is_active or not (p_type).is_active then 'not_on_sale'
  when (p_type).sales_start_at > p_now then 'sales_not_open'
  when least(coalesce((p_type).sales_end_at, (p_event).starts_at), (p_event).ends_at) <= p_now then 'sales_closed'
end;

-- Ends the holds of one ticket type that ran out and gives their places back; returns how many. Whose reservation, lock
-- or offer it was hears of it; of an order that was being paid nobody is told here: its payment decides.
-- The caller holds the lock on the inventory row, so no place is given back twice.
create function reclaim_expired_holds(p_tenant uuid, p_ticket_type uuid, p_now timestamptz) returns integer
language plpgsql set search_path = public, pg_temp as $$
declare
  v_places integer;
begin
  with ended as (
    update holds set state = 'expired', ended_at = p_now
    where tenant_id = p_tenant and ticket_type_id = p_ticket_type and state = 'active' and expires_at <= p_now
    returning id, group_id, code, order_id, event_id, user_id, quantity
  ), told as (
    insert into outbox (tenant_id, id, messages, created_at, next_attempt_at)
    select p_tenant, e.id, json_build_array(json_build_object('kind', 'hold.expired', 'body', json_build_object(
      'holdId', e.group_id, 'eventId', e.event_id, 'ticketTypeId', p_ticket_type, 'userId', e.user_id, 'code', e.code))), p_now, p_now
    from ended e where e.code is not null
      and (select o.status from orders o where o.tenant_id = p_tenant and o.id = e.order_id offset 0) is distinct from 'pending'
  )
  select coalesce(sum(quantity), 0) into v_places from ended;
  if v_places > 0 then
    update inventory set held = held - v_places, version = version + 1, updated_at = p_now
    where tenant_id = p_tenant and ticket_type_id = p_ticket_type;
  end if;
  return v_places;
end $$;

-- How many tickets of a type a user, or an e-mail address, holds or owns. Asked under the lock of the type's inventory.
create function customer_share(p_tenant uuid, p_ticket_type uuid, p_user text, p_email text, p_now timestamptz) returns integer
language sql stable return (
  select coalesce(sum(quantity), 0)::integer from (
    select h.quantity from holds h
    where h.tenant_id = p_tenant and h.state = 'active' and h.kind <> 'order' and h.expires_at > p_now and h.ticket_type_id = p_ticket_type
      and (h.user_id = p_user or lower(h.customer_email) = lower(p_email))
    union all
    select h.quantity from orders o join holds h on h.tenant_id = p_tenant and h.order_id = o.id
    where o.tenant_id = p_tenant and (o.user_id = p_user or lower(o.customer_email) = lower(p_email)) and o.status = 'pending'
      and h.state = 'active' and h.kind = 'order' and h.expires_at > p_now and h.ticket_type_id = p_ticket_type
    union all
    select 1 from orders o join tickets t on t.tenant_id = p_tenant and t.order_id = o.id
    where o.tenant_id = p_tenant and (o.user_id = p_user or lower(o.customer_email) = lower(p_email))
      and o.status = 'paid' and t.ticket_type_id = p_ticket_type and t.status not in ('cancelled', 'refunded')
  ) share);

-- The counters of an event's ticket types at p_now. A hold that ran out counts as free, whether or not anything has
-- cleaned it up.
create function event_counters(p_tenant uuid, p_event uuid, p_now timestamptz)
returns table (ticket_type_id uuid, capacity integer, held integer, sold integer, available integer, version bigint)
language plpgsql set search_path = public, pg_temp set plan_cache_mode = force_generic_plan as $$
begin
  perform set_config('app.tenant_id', p_tenant::text, true);
  return query
  select i.ticket_type_id, i.capacity, i.held - lapsed.quantity, i.sold, i.capacity - i.sold - i.held + lapsed.quantity, i.version
  from inventory i
  cross join lateral (
    select coalesce(sum(h.quantity), 0)::integer as quantity from holds h
    where h.tenant_id = p_tenant and h.ticket_type_id = i.ticket_type_id and h.state = 'active' and h.expires_at <= p_now) lapsed
  where i.tenant_id = p_tenant and i.event_id = p_event
  order by i.ticket_type_id;
end $$;

-- What a ticket is called within its event: its type's number and its own, which grows wider than 7 digits where it must.
create function ticket_number(p_ordinal integer, p_number integer) returns text
language sql immutable return to_char(p_ordinal, 'FM000') || '-' || to_char(p_number, 'FM9990000000');

create type place_want as (n integer, ticket_type_id uuid, quantity integer, user_id text, customer_email text);

-- Decides who gets places, first come, first served within the batch; a request that does not fit leaves the rest to
-- smaller ones. Locks the inventory rows in one order, so that two batches cannot wait for each other, and leaves the
-- counting to the caller. Outcomes: granted, sold_out, customer_limit_exceeded, not_found.
create function grant_places(p_tenant uuid, p_now timestamptz, p_wants place_want[])
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
          + customer_share(p_tenant, v_want.ticket_type_id, v_want.user_id, v_want.customer_email, p_now)
          + (select coalesce(sum(g.quantity), 0) from unnest(v_granted) g
             where g.user_id = v_want.user_id or lower(g.customer_email) = lower(v_want.customer_email))
          > v_type.per_customer_limit then
        return query select v_want.n, 'customer_limit_exceeded'::text, v_available;
      else
        v_available := v_available - v_want.quantity;
        v_granted := v_granted || (v_want.n, v_want.ticket_type_id, v_want.quantity, v_want.user_id, v_want.customer_email)::place_want;
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

-- A part of a paid order that is of one ticket type and becomes tickets. held is what its hold still takes up: quantity,
-- or 0 when there is none; hold_kind is its kind and hold_at where its row lies. first_number is null unless numbers were promised.
create type order_sale as (
  n integer,
  order_id uuid, transaction_id text, user_id text, event_id uuid, ticket_type_id uuid,
  quantity smallint, held smallint, hold_kind text, hold_at tid, unit_price_minor bigint, first_number integer, seat_ids uuid[],
  subtotal_minor bigint, amount_minor bigint, currency text,
  holder_name text, ticket_ids uuid[], actor text, request_id text
);

-- Turns paid orders into tickets: counters, holds, numbers, seats, tickets, and the messages that tell of them.
-- The caller holds the locks on the inventory rows. Returns the answer for each order.
create function issue_tickets(p_tenant uuid, p_now timestamptz, p_sales order_sale[])
returns table (n integer, answer json)
language plpgsql set search_path = public, pg_temp as $$
begin
  -- Somebody may ask again with the code of a hold; an order's own is of no more use and goes below.
  if exists (select from unnest(p_sales) s where s.hold_kind <> 'order') then
    update holds h set state = 'converted', ended_at = p_now, order_id = s.order_id
    from unnest(p_sales) s where s.hold_kind <> 'order' and h.tenant_id = p_tenant and h.ctid = s.hold_at;
  end if;

  return query
  with sale as (
    select s.*,
      sum(case when s.first_number is null then s.quantity else 0 end)
        over (partition by s.ticket_type_id order by s.n) - s.quantity as place
    from unnest(p_sales) s
  ), counted as (
    update inventory i
    set sold = i.sold + d.quantity, held = i.held - d.held, issued = i.issued + d.numbers,
        version = i.version + 1, updated_at = p_now
    from (select s.ticket_type_id, sum(s.quantity)::integer as quantity, sum(s.held)::integer as held,
            sum(case when s.first_number is null then s.quantity else 0 end)::integer as numbers from sale s group by 1) d
    where i.tenant_id = p_tenant and i.ticket_type_id = d.ticket_type_id
      and i.ticket_type_id = any (array(select x.ticket_type_id from unnest(p_sales) x))
    returning i.ticket_type_id, i.issued - d.numbers as first, i.version
  ), done as (
    delete from holds h using sale s where s.hold_kind = 'order' and h.tenant_id = p_tenant and h.ctid = s.hold_at
  ), ticket as (
    select s.n, s.order_id, s.user_id, s.event_id, s.ticket_type_id, s.unit_price_minor, s.currency, s.holder_name, s.actor,
           s.ticket_ids[g.i] as id, g.i, s.seat_ids[g.i] as seat_id,
           ticket_number(t.ordinal, coalesce(s.first_number - 1, c.first + s.place)::integer + g.i) as ticket_number
    from sale s
    join counted c using (ticket_type_id)
    cross join lateral (select ordinal from ticket_types where tenant_id = p_tenant and id = s.ticket_type_id offset 0) t
    cross join lateral generate_series(1, s.quantity) as g(i)
  ), seated as (
    update seats e set ticket_id = t.id, held_by = null, held_until = null
    from ticket t where t.seat_id is not null and e.tenant_id = p_tenant and e.id = t.seat_id and e.ticket_id is null
      and e.id = any (array(select unnest(x.seat_ids) from unnest(p_sales) x))
    returning e.id, e.section || ' ' || e.row_label || '-' || e.number as label
  ), born as (
    insert into tickets (tenant_id, id, event_id, ticket_type_id, order_id, user_id, ticket_number, holder_name, seat, seat_id,
                         status, status_actor, price_minor, currency, created_at, updated_at)
    select p_tenant, t.id, t.event_id, t.ticket_type_id, t.order_id, t.user_id, t.ticket_number, t.holder_name, e.label, t.seat_id,
           'sold', t.actor, t.unit_price_minor, t.currency, p_now, p_now
    from ticket t left join seated e on e.id = t.seat_id
  ), listed as (
    select t.n, json_agg(t.id order by t.ticket_type_id, t.i) as ticket_ids,
      json_agg(json_build_object('id', t.id, 'ticketNumber', t.ticket_number, 'status', 'sold', 'seat', e.label)
                order by t.ticket_type_id, t.i) as tickets
    from ticket t left join seated e on e.id = t.seat_id group by t.n
  ), sold as (
    select s.n, s.order_id, s.transaction_id, s.user_id, s.event_id, s.subtotal_minor, s.amount_minor, s.currency, s.request_id,
      sum(s.quantity)::integer as quantity,
      case when count(*) = 1 then min(s.ticket_type_id::text) end as ticket_type_id,
      array_agg(json_build_object('kind', 'ticket.capacity.updates', 'requestId', s.request_id, 'body', json_build_object(
        'eventId', s.event_id, 'ticketTypeId', s.ticket_type_id, 'capacityChange', -s.quantity,
        'transactionId', s.transaction_id, 'operation', 'sale', 'version', c.version))) as capacity_updates,
      (array_agg(l.ticket_ids))[1] as ticket_ids, (array_agg(l.tickets))[1] as tickets
    from sale s join counted c using (ticket_type_id) join listed l using (n)
    group by s.n, s.order_id, s.transaction_id, s.user_id, s.event_id, s.subtotal_minor, s.amount_minor, s.currency, s.request_id
  ), told as (
    insert into outbox (tenant_id, id, messages, created_at, next_attempt_at)
    select p_tenant, s.order_id, to_json(array[
      json_build_object('kind', 'ticket.purchased', 'requestId', s.request_id, 'body', json_build_object(
        'orderId', s.order_id, 'transactionId', s.transaction_id, 'eventId', s.event_id, 'userId', s.user_id,
        'ticketIds', s.ticket_ids, 'amountMinor', s.amount_minor, 'currency', s.currency)),
      json_build_object('kind', 'ticket.mint', 'requestId', s.request_id, 'body', json_build_object(
        'eventId', s.event_id, 'ticketIds', s.ticket_ids)),
      json_build_object('kind', 'ticket.transactions', 'requestId', s.request_id, 'body', json_build_object(
        'transactionId', s.transaction_id, 'orderId', s.order_id, 'userId', s.user_id, 'eventId', s.event_id,
        'quantity', s.quantity, 'amount', s.amount_minor, 'currency', s.currency, 'status', 'completed'))] || s.capacity_updates),
      p_now, p_now
    from sold s
  )
  select s.n, json_build_object(
    'orderId', s.order_id, 'transactionId', s.transaction_id, 'status', 'paid', 'eventId', s.event_id,
    'ticketTypeId', s.ticket_type_id, 'quantity', s.quantity, 'subtotalMinor', s.subtotal_minor,
    'discountMinor', s.subtotal_minor - s.amount_minor, 'amountMinor', s.amount_minor, 'currency', s.currency, 'tickets', s.tickets)
  from sold s;
end $$;

grant execute on function earlier_outcomes, answer_twins, sale_refusal, reclaim_expired_holds, customer_share, event_counters, ticket_number, grant_places,
  issue_tickets to tessera_app;

reset role;
