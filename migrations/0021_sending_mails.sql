set role tessera_owner;

-- Notes what became of mails that were in hand, and hands the next ones out: one round trip for a group of them. What it
-- hands out is `sending` from this commit on, so that whoever finds it so later knows that it may have gone out.
create function exchange_mails(p_tenant uuid, p_now timestamptz, p_until timestamptz, p_settled json, p_count integer)
returns table (id uuid, recipient text, subject text, content text, attempts integer)
language plpgsql set search_path = public, pg_temp as $$
begin
  perform set_config('app.tenant_id', p_tenant::text, true);
  -- Who was slow and taken for dead still knows best; a mail that was handed out anew is somebody else's.
  update mails m set status = s.status, error = s.error,
    next_attempt_at = case when s.status = 'waiting' then s.next_attempt_at end,
    settled_at = case when s.status <> 'waiting' then p_now end,
    subject = case when s.status <> 'sent' then m.subject end,
    content = case when s.status <> 'sent' then m.content end
  from json_to_recordset(p_settled) as s (id uuid, attempts integer, status text, error text, next_attempt_at timestamptz)
  where m.tenant_id = p_tenant and m.id = s.id and m.attempts = s.attempts and m.status in ('sending', 'uncertain');
  return query
  update mails m set status = 'sending', attempts = m.attempts + 1, next_attempt_at = p_until
  where m.tenant_id = p_tenant and m.id in (
    select w.id from mails w where w.tenant_id = p_tenant and w.status = 'waiting' and w.next_attempt_at <= p_now
    order by w.next_attempt_at, w.id limit p_count for update skip locked)
  returning m.id, m.recipient, m.subject, m.content, m.attempts;
end $$;
grant execute on function exchange_mails to tessera_app;

reset role;
