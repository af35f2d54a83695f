set role tessera_owner;

-- What becomes of orders when it is known what became of their payments.

create type order_settlement as (
  n integer,
  order_id uuid, payment_id uuid,
  payment_status text, -- succeeded, failed, requires_action or unknown
  provider_reference text, failure_code text,
  ticket_ids uuid[], actor text, request_id text
);

-- A settlement with what it meets: what comes of it, and where its rows lie. An order that waits for its payment changes
-- under the lock of its counter only, so it stays where it is for as long as that is held; a payment may be put off
-- meanwhile.
create type settling as (
  n integer,
  order_id uuid, payment_id uuid,
  payment_status text, provider_reference text, failure_code text,
  ticket_ids uuid[], actor text, request_id text,
  outcome text, pending boolean, order_at tid, payment_at tid, key_at tid
);

-- Brings what the provider said into the orders. Success confirms the order, ends its hold and issues the tickets;
-- failure frees the places; anything else only records that the outcome is open. Money that arrives when the places are
-- gone or the event is over, or for an order that ended meanwhile, goes back. An order that is no longer pending takes no second effect.
-- Outcomes: paid, failed, open, refund_due, unchanged.
create function settle_orders(p_tenant uuid, p_now timestamptz, p_poll_at timestamptz, p_settlements json)
returns table (n integer, outcome text, details json)
language plpgsql set search_path = public, pg_temp set plan_cache_mode = force_generic_plan as $$
declare
  v_settlements order_settlement[];
  v_settling settling[];
  v_row record;
  v_sales order_sale[];
  v_moved integer;
begin
  perform set_config('app.tenant_id', p_tenant::text, true);
  select array_agg(s order by s.n) into v_settlements from json_populate_recordset(null::order_settlement, p_settlements) s;

  -- Counters first, each in one order, as everywhere.
  perform from inventory i
  where i.tenant_id = p_tenant and i.ticket_type_id = any (array(
    select distinct h.ticket_type_id from unnest(v_settlements) s
    cross join lateral (select ticket_type_id from holds where tenant_id = p_tenant and order_id = s.order_id offset 0) h))
  order by i.ticket_type_id for update;

  -- What ran out is free before anybody gets it again: whose places are decided on cannot lose them to a later one.
  perform reclaim_expired_holds(p_tenant, x.ticket_type_id, p_now)
  from (
    select distinct h.ticket_type_id from unnest(v_settlements) s
    cross join lateral (
      select ticket_type_id, state, expires_at from holds where tenant_id = p_tenant and order_id = s.order_id offset 0) h
    where s.payment_status = 'succeeded' and (h.state <> 'active' or h.expires_at <= p_now)) x;

  select array_agg((s.n, s.order_id, s.payment_id, s.payment_status, s.provider_reference, s.failure_code, s.ticket_ids, s.actor,
      s.request_id,
      case
        when o.id is null or p.id is null then 'unchanged'
        when s.nth > 1 then 'unchanged'
        when o.status <> 'pending' and s.payment_status = 'succeeded' and p.status <> 'succeeded' and o.status <> 'paid' then 'refund_due'
        when o.status <> 'pending' then 'unchanged'
        when s.payment_status = 'failed' then 'failed'
        when s.payment_status <> 'succeeded' then 'open'
        when e.ends_at <= p_now then 'refund_due'
        when h.active then 'paid'
        else 'late'
      end, o.status = 'pending', o.ctid, p.ctid, k.ctid)::settling order by s.n)
  into v_settling
  from (select x.*, row_number() over (partition by x.order_id order by x.payment_status = 'succeeded' desc, x.n) as nth from unnest(v_settlements) x) s
  left join lateral (select ctid, id, status, event_id from orders where tenant_id = p_tenant and id = s.order_id offset 0) o on true
  left join lateral (select ends_at from events where tenant_id = p_tenant and id = o.event_id offset 0) e on true
  left join lateral (
    select ctid, id, status from payments where tenant_id = p_tenant and id = s.payment_id and order_id = s.order_id offset 0) p on true
  left join lateral (
    select bool_and(state = 'active' and expires_at > p_now) as active from holds where tenant_id = p_tenant and order_id = s.order_id) h on true
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
  select count(*) into v_moved from stepped;
  if v_moved <> (select count(*) from unnest(v_settling) s where s.pending and s.outcome in ('paid', 'failed', 'refund_due')) then
    raise exception 'an order moved without its counter' using errcode = 'serialization_failure';
  end if;

  with paid as (
    update payments p
    set status = s.payment_status, provider_reference = coalesce(s.provider_reference, p.provider_reference),
        failure_code = s.failure_code, attempts = p.attempts + 1, updated_at = p_now,
        refunded_minor = case s.outcome when 'refund_due' then p.amount_minor else p.refunded_minor end,
        next_poll_at = case s.outcome when 'open' then p_poll_at end
    from unnest(v_settling) s
    where s.outcome <> 'unchanged' and p.tenant_id = p_tenant and p.ctid = s.payment_at
    returning p.id
  )
  select count(*) into v_moved from paid;
  if v_moved <> (select count(*) from unnest(v_settling) s where s.outcome <> 'unchanged') then
    raise exception 'a payment moved meanwhile' using errcode = 'serialization_failure';
  end if;

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
    where s.pending and s.outcome in ('failed', 'refund_due') and h.tenant_id = p_tenant and h.order_id = s.order_id and h.state = 'active'
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
  ), redeemed as (
    select c.id from promo_codes c
    where c.tenant_id = p_tenant and c.id in (select o.promo_code_id from ended o) order by c.id for update
  ), unredeemed as (
    update promo_codes c set redeemed = c.redeemed - x.orders, updated_at = p_now
    from (select o.promo_code_id, count(*)::integer as orders from ended o join redeemed r on r.id = o.promo_code_id group by 1) x
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

-- Takes the places of an order again whose hold ran out, if all of them are still free and its buyer may still have them.
-- The caller holds the locks on the inventory rows and has given back what ran out. What it takes is counted when the
-- tickets are issued.
create function retake_places(p_tenant uuid, p_now timestamptz, p_order uuid) returns boolean
language plpgsql set search_path = public, pg_temp as $$
declare
  v_line record;
  v_free integer;
begin
  for v_line in
    select h.*, i.capacity - i.held - i.sold as available, t.is_seated, t.per_customer_limit, o.customer_email as buyer_email
    from holds h
    join inventory i on i.tenant_id = p_tenant and i.ticket_type_id = h.ticket_type_id
    join ticket_types t on t.tenant_id = p_tenant and t.id = h.ticket_type_id
    join orders o on o.tenant_id = p_tenant and o.id = h.order_id
    where h.tenant_id = p_tenant and h.order_id = p_order order by h.ticket_type_id
  loop
    continue when v_line.state = 'active';
    if v_line.available < v_line.quantity or v_line.is_seated <> (v_line.seat_ids is not null)
      or v_line.quantity + customer_share(p_tenant, v_line.ticket_type_id, v_line.user_id, v_line.buyer_email, p_now)
        > v_line.per_customer_limit then
      return false;
    end if;
    if v_line.seat_ids is not null then
      select count(*) into v_free from (
        select from seats s where s.tenant_id = p_tenant and s.id = any (v_line.seat_ids) and s.ticket_id is null and not s.is_blocked
          and s.ticket_type_id = v_line.ticket_type_id
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
  update holds set state = 'active', expires_at = p_now + interval '1 minute', ended_at = null
  where tenant_id = p_tenant and order_id = p_order;
  return true;
end $$;

grant execute on function settle_orders, end_unpaid_orders, retake_places to tessera_app;

reset role;
