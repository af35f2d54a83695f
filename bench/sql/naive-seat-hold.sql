-- Four adjacent seats in four round trips and a commit: look and lock, hold, count, mark.
\set row random(1, :rows)
\set n random(1, 281474976710655)
\set buyer random(1, 64)
begin;
select set_config('app.tenant_id', :tenant, true);
select id from seats where tenant_id = :tenant::uuid and id = any (array(select b.id from bench_seats b where b.run = :row)) and ticket_id is null and (held_until is null or held_until <= now()) order by id for update;
update inventory set held = held + 4, version = version + 1, updated_at = now() where tenant_id = :tenant::uuid and ticket_type_id = :type::uuid and held + sold + 4 <= capacity;
insert into holds (tenant_id, id, group_id, code, kind, event_id, ticket_type_id, user_id, quantity, unit_price_minor, seat_ids, fence, expires_at, created_at) values (:tenant::uuid, ('10000000-0000-4000-8000-' || lpad(to_hex(:n::bigint), 12, '0'))::uuid, ('10000000-0000-4000-8000-' || lpad(to_hex(:n::bigint), 12, '0'))::uuid, 'LCK_' || to_hex(:n::bigint), 'seat_lock', :event::uuid, :type::uuid, 'buyer-' || :buyer, 4, 2500, array(select b.id from bench_seats b where b.run = :row), 1, now() + interval '5 minutes', now());
update seats set held_by = ('10000000-0000-4000-8000-' || lpad(to_hex(:n::bigint), 12, '0'))::uuid, held_until = now() + interval '5 minutes', fence = fence + 1 where tenant_id = :tenant::uuid and id = any (array(select b.id from bench_seats b where b.run = :row));
insert into idempotency_keys (tenant_id, principal, route, key, request_hash, status, response, created_at) values (:tenant::uuid, 'user-' || :buyer, 'POST /seats/lock', to_hex(:n::bigint), decode(md5(to_hex(:n::bigint)), 'hex'), 201, jsonb_build_object('lockId', to_hex(:n::bigint)), now());
commit;
