set role tessera_owner;

-- As before, but a ticket opens no door days early, and the gate of a step is a field of its own. The default of the
-- last argument is for processes that were started before this migration.
drop function admit_scans(uuid, timestamptz, json);

-- Decides scans and records every one of them. The ticket's row is locked first, so of two gates in the same
-- millisecond one admits and the other learns when and where; the key of admissions would refuse a second entry anyway.
-- A nonce names one physical scan of a device at an event. Once it admitted, its repetition with the same ticket and
-- direction gets that scan again and leaves no trace; with anything else it admits nobody, since the answer to the one
-- could be taken for the answer to the other. Of an event that does not say when its doors open they open p_doors_before its start.
create function admit_scans(p_tenant uuid, p_now timestamptz, p_scans json, p_doors_before interval default interval '3 hours')
returns table (n integer, result text, reason text, scan_id uuid, scanned_at timestamptz, entry_number integer,
               first_at timestamptz, first_gate text, first_by text, replayed boolean,
               chain_mode text, chain_owner text, chain_slot bigint, chain_checked_at timestamptz)
language plpgsql set search_path = public, pg_temp set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare
  v_scan scan_request;
  v_ticket record;
  v_earlier record;
  v_last record;
  v_result text;
  v_reason text;
  v_entry integer;
  v_nonce_taken boolean;
begin
  perform set_config('app.tenant_id', p_tenant::text, true);
  perform from tickets t
  where t.tenant_id = p_tenant and t.id = any (array(select s.ticket_id from json_populate_recordset(null::scan_request, p_scans) s))
  order by t.id for no key update;

  for v_scan in select * from json_populate_recordset(null::scan_request, p_scans) s order by s.n loop
    select s.id, s.ticket_id, s.direction, s.scanned_at, a.entry_number, s.chain_mode, s.chain_owner, s.chain_slot, s.chain_checked_at
    into v_earlier from ticket_scans s left join admissions a on a.tenant_id = p_tenant and a.ticket_id = s.ticket_id and a.scan_id = s.id
    where s.tenant_id = p_tenant and s.event_id = v_scan.event_id and s.scanned_by = v_scan.scanned_by
      and s.nonce = v_scan.nonce and s.result = 'ok';
    v_nonce_taken := found;
    if v_nonce_taken and v_earlier.ticket_id = v_scan.ticket_id and v_earlier.direction = v_scan.direction then
      return query select v_scan.n, 'ok', null::text, v_earlier.id, v_earlier.scanned_at, v_earlier.entry_number::integer,
        null::timestamptz, null::text, null::text, true,
        v_earlier.chain_mode, v_earlier.chain_owner, v_earlier.chain_slot, v_earlier.chain_checked_at;
      continue;
    end if;

    select t.status, t.owner_epoch, t.version, t.event_id, y.max_entries, e.ends_at,
      coalesce(e.doors_open_at, e.starts_at - p_doors_before) as doors_open_at into v_ticket
    from tickets t
    join ticket_types y on y.tenant_id = p_tenant and y.id = t.ticket_type_id
    join events e on e.tenant_id = p_tenant and e.id = t.event_id
    where t.tenant_id = p_tenant and t.id = v_scan.ticket_id;
    select a.entry_number, a.left_at, s.scanned_at, s.gate, s.scanned_by into v_last
    from admissions a join ticket_scans s on s.tenant_id = p_tenant and s.id = a.scan_id
    where a.tenant_id = p_tenant and a.ticket_id = v_scan.ticket_id order by a.entry_number desc limit 1;

    v_entry := null;
    v_reason := case
      when v_scan.ticket_id is null or v_ticket.status is null then coalesce(v_scan.reason, 'invalid')
      when v_ticket.event_id <> v_scan.event_id then 'wrong_event'
      when v_ticket.status in ('revoked', 'refunded', 'cancelled', 'expired') then v_ticket.status
      when v_ticket.owner_epoch <> v_scan.owner_epoch then 'transferred'
      when v_ticket.status in ('reserved', 'sold', 'minting') then 'not_minted'
      when v_scan.reason is not null then v_scan.reason
      when v_nonce_taken then 'error'
      when v_scan.direction = 'exit' then case when v_last.entry_number is null or v_last.left_at is not null then 'rules' end
      when v_ticket.doors_open_at > p_now then 'not_yet_valid'
      when v_ticket.ends_at <= p_now then 'expired'
      when coalesce(v_last.entry_number, 0) >= v_ticket.max_entries then 'already_used'
      when v_last.entry_number is not null and v_last.left_at is null then 'already_used'
    end;
    v_result := case when v_reason is null then 'ok' else 'error' end;

    loop
      insert into ticket_scans (tenant_id, id, ticket_id, event_id, scanned_at, scanned_by, gate, direction, result, reason, nonce,
                                device_time, chain_mode, chain_owner, chain_slot, chain_checked_at)
      values (p_tenant, v_scan.scan_id, case when v_ticket.status is not null then v_scan.ticket_id end, v_scan.event_id, p_now,
              v_scan.scanned_by, v_scan.gate, v_scan.direction, v_result, v_reason, v_scan.nonce, v_scan.device_time,
              v_scan.chain_mode, v_scan.chain_owner, v_scan.chain_slot, v_scan.chain_checked_at)
      on conflict (tenant_id, event_id, scanned_by, nonce) where result = 'ok' do nothing;
      exit when found;
      -- The nonce admitted another ticket, whose row we do not hold, after we had looked.
      v_result := 'error';
      v_reason := 'error';
    end loop;

    if v_result = 'ok' and v_scan.direction = 'exit' then
      update admissions a set left_at = p_now
      where a.tenant_id = p_tenant and a.ticket_id = v_scan.ticket_id and a.entry_number = v_last.entry_number;
    elsif v_result = 'ok' then
      v_entry := coalesce(v_last.entry_number, 0) + 1;
      insert into admissions (tenant_id, ticket_id, entry_number, scan_id, admitted_at)
      values (p_tenant, v_scan.ticket_id, v_entry, v_scan.scan_id, p_now);
      if v_ticket.status <> 'checked_in' then
        update tickets t set status = 'checked_in', status_actor = 'scan:' || v_scan.scanned_by, status_reason = null,
          status_signature = null, status_gate = v_scan.gate, version = t.version + 1, updated_at = p_now
        where t.tenant_id = p_tenant and t.id = v_scan.ticket_id;
        insert into outbox (tenant_id, id, messages, created_at, next_attempt_at)
        values (p_tenant, v_scan.scan_id, json_build_array(json_build_object('kind', 'ticket.checked_in', 'body',
          json_build_object('ticketId', v_scan.ticket_id, 'eventId', v_scan.event_id, 'scanId', v_scan.scan_id,
            'at', to_char(p_now at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')))), p_now, p_now);
      end if;
    end if;

    return query
    select v_scan.n, v_result, v_reason, v_scan.scan_id, p_now, v_entry,
      case when v_reason = 'already_used' then f.scanned_at end, case when v_reason = 'already_used' then f.gate end,
      case when v_reason = 'already_used' then f.scanned_by end, false,
      v_scan.chain_mode, v_scan.chain_owner, v_scan.chain_slot, v_scan.chain_checked_at
    from (values (1)) one left join lateral (
      select s.scanned_at, s.gate, s.scanned_by from admissions a
      join ticket_scans s on s.tenant_id = p_tenant and s.id = a.scan_id
      where a.tenant_id = p_tenant and a.ticket_id = v_scan.ticket_id order by a.entry_number limit 1) f on true;
  end loop;
end $$;

grant execute on function admit_scans to tessera_app;

reset role;
