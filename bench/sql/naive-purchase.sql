-- A purchase with the same writes as ours, statement by statement, the hot row first: hold, pay, confirm.
\set n random(1, 281474976710655)
\set buyer random(1, 64)
begin;
select set_config('app.tenant_id', :tenant, true);
select status, response from idempotency_keys where tenant_id = :tenant::uuid and principal = 'user-' || :buyer and route = 'POST /tickets/purchase' and key = to_hex(:n::bigint);
update inventory set held = held + 1, version = version + 1, updated_at = now() where tenant_id = :tenant::uuid and ticket_type_id = :type::uuid and held + sold + 1 <= capacity;
insert into idempotency_keys (tenant_id, principal, route, key, request_hash, subject_id, created_at, locked_until) values (:tenant::uuid, 'user-' || :buyer, 'POST /tickets/purchase', to_hex(:n::bigint), decode(md5(to_hex(:n::bigint)), 'hex'), ('00000000-0000-4000-8000-' || lpad(to_hex(:n::bigint), 12, '0'))::uuid, now(), now() + interval '30 seconds');
insert into orders (tenant_id, id, transaction_id, user_id, event_id, ticket_type_id, quantity, subtotal_minor, amount_minor, currency, status, customer_name, customer_email, created_at, updated_at) values (:tenant::uuid, ('00000000-0000-4000-8000-' || lpad(to_hex(:n::bigint), 12, '0'))::uuid, 'TXN_' || to_hex(:n::bigint), 'buyer-' || :buyer, :event::uuid, :type::uuid, 1, 2500, 2500, 'EUR', 'pending', 'Ada Example', 'ada@example.com', now(), now());
insert into order_state_transitions (tenant_id, order_id, version, from_status, to_status, at, actor) values (:tenant::uuid, ('00000000-0000-4000-8000-' || lpad(to_hex(:n::bigint), 12, '0'))::uuid, 1, null, 'pending', now(), 'user-' || :buyer);
insert into event_ticket_transactions (tenant_id, transaction_id, order_id, user_id, event_id, quantity, amount_minor, currency, status, created_at, updated_at) values (:tenant::uuid, 'TXN_' || to_hex(:n::bigint), ('00000000-0000-4000-8000-' || lpad(to_hex(:n::bigint), 12, '0'))::uuid, 'buyer-' || :buyer, :event::uuid, 1, 2500, 'EUR', 'pending', now(), now());
insert into holds (tenant_id, id, kind, event_id, ticket_type_id, order_id, user_id, quantity, unit_price_minor, expires_at, created_at) values (:tenant::uuid, ('10000000-0000-4000-8000-' || lpad(to_hex(:n::bigint), 12, '0'))::uuid, 'order', :event::uuid, :type::uuid, ('00000000-0000-4000-8000-' || lpad(to_hex(:n::bigint), 12, '0'))::uuid, 'buyer-' || :buyer, 1, 2500, now() + interval '15 minutes', now());
insert into payments (tenant_id, id, order_id, provider, status, amount_minor, currency, next_poll_at, created_at, updated_at) values (:tenant::uuid, ('20000000-0000-4000-8000-' || lpad(to_hex(:n::bigint), 12, '0'))::uuid, ('00000000-0000-4000-8000-' || lpad(to_hex(:n::bigint), 12, '0'))::uuid, 'test', 'created', 2500, 'EUR', now() + interval '1 minute', now(), now());
commit;
begin;
select set_config('app.tenant_id', :tenant, true);
insert into test_provider_charges (tenant_id, reference, token, amount_minor, currency, status, created_at) values (:tenant::uuid, ('20000000-0000-4000-8000-' || lpad(to_hex(:n::bigint), 12, '0'))::uuid, 'tok_success', 2500, 'EUR', 'succeeded', now());
commit;
begin;
select set_config('app.tenant_id', :tenant, true);
update inventory set held = held - 1, sold = sold + 1, issued = issued + 1, version = version + 1, updated_at = now() where tenant_id = :tenant::uuid and ticket_type_id = :type::uuid;
update orders set status = 'paid', version = version + 1, updated_at = now() where tenant_id = :tenant::uuid and id = ('00000000-0000-4000-8000-' || lpad(to_hex(:n::bigint), 12, '0'))::uuid and status = 'pending';
insert into order_state_transitions (tenant_id, order_id, version, from_status, to_status, at, actor) values (:tenant::uuid, ('00000000-0000-4000-8000-' || lpad(to_hex(:n::bigint), 12, '0'))::uuid, 2, 'pending', 'paid', now(), 'user-' || :buyer);
delete from holds where tenant_id = :tenant::uuid and id = ('10000000-0000-4000-8000-' || lpad(to_hex(:n::bigint), 12, '0'))::uuid and state = 'active';
update payments set status = 'succeeded', provider_reference = 'test_' || :n::bigint, attempts = attempts + 1, next_poll_at = null, updated_at = now() where tenant_id = :tenant::uuid and id = ('20000000-0000-4000-8000-' || lpad(to_hex(:n::bigint), 12, '0'))::uuid;
insert into tickets (tenant_id, id, event_id, ticket_type_id, order_id, user_id, ticket_number, holder_name, status, status_actor, price_minor, currency, created_at, updated_at) values (:tenant::uuid, ('30000000-0000-4000-8000-' || lpad(to_hex(:n::bigint), 12, '0'))::uuid, :event::uuid, :type::uuid, ('00000000-0000-4000-8000-' || lpad(to_hex(:n::bigint), 12, '0'))::uuid, 'buyer-' || :buyer, '001-' || :n::bigint, 'Ada Example', 'sold', 'user-' || :buyer, 2500, 'EUR', now(), now());
insert into outbox (tenant_id, id, messages) values (:tenant::uuid, ('00000000-0000-4000-8000-' || lpad(to_hex(:n::bigint), 12, '0'))::uuid, jsonb_build_array(jsonb_build_object('kind', 'ticket.purchased', 'body', jsonb_build_object('orderId', :n::bigint, 'eventId', :event::text, 'userId', :buyer::text)), jsonb_build_object('kind', 'ticket.mint', 'body', jsonb_build_object('eventId', :event::text, 'ticketIds', jsonb_build_array(:n::bigint))), jsonb_build_object('kind', 'ticket.transactions', 'body', jsonb_build_object('transactionId', :n::bigint, 'orderId', :n::bigint, 'status', 'completed')), jsonb_build_object('kind', 'ticket.capacity.updates', 'body', jsonb_build_object('eventId', :event::text, 'ticketTypeId', :type::text, 'capacityChange', -1))));
update idempotency_keys set status = 201, response = jsonb_build_object('orderId', :n::bigint, 'status', 'paid', 'eventId', :event::text), locked_until = null where tenant_id = :tenant::uuid and principal = 'user-' || :buyer and route = 'POST /tickets/purchase' and key = to_hex(:n::bigint);
commit;
