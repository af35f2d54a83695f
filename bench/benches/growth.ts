import type { Bench } from '../support/bench.ts';
import { compare } from '../support/compare.ts';
import type { BenchDatabase } from '../support/postgres.ts';
import { openScene } from '../support/scene.ts';
import { sell } from '../support/sell.ts';

const MANY = 10_000_000;
const FEWER = 500_000;

export const growth: Bench = {
  name: 'growth',
  what: 'paid purchases over HTTP with 10 M tickets in the database (500,000 with --quick) ÷ with none, 64 callers',
  aim: 0.85,
  async run(server, effort, say) {
    const tickets = effort.quick ? FEWER : MANY;
    const grown = await openScene(server, { types: 2 });
    const empty = await openScene(server, { types: 2 });
    const begin = performance.now();
    await fill(grown.database, tickets);
    say(`${tickets} tickets put in, in ${((performance.now() - begin) / 1_000).toFixed(0)} s`);
    const on = (scene: typeof grown) => (seconds: number) =>
      sell(scene.api, scene.sales.slice(0, 1), scene.tokens, { callers: 64, seconds, say });
    try {
      return await compare(effort, [grown.database, empty.database], on(grown), on(empty), say);
    } finally {
      await empty.end();
      await grown.end();
    }
  },
};

/**
 * Orders of ten tickets each of the second ticket type, as years of sales leave them, with records, keys and history.
 * Written past the rules that are checked row by row, which would take hours; the books are checked afterwards all the
 * same.
 */
async function fill({ owner }: BenchDatabase, tickets: number): Promise<void> {
  const client = await owner.connect();
  try {
    await client.query(
      `set session_replication_role = replica; set synchronous_commit = off; set maintenance_work_mem = '512MB'`,
    );
    const chunk = 500_000;
    for (let done = 0; done < tickets; done += chunk) {
      await client.query(FILL, [done / 10, Math.min(chunk, tickets - done) / 10]);
    }
    await client.query(
      `update inventory i set sold = t.n, issued = t.n, capacity = capacity
       from (select ticket_type_id, count(*)::integer as n from tickets group by 1) t where t.ticket_type_id = i.ticket_type_id`,
    );
    await client.query('vacuum analyze');
  } finally {
    client.release(true);
  }
}

/** $1 the first order, $2 how many; ids grow with time as ours do. */
const FILL = `
  with type as (
    select * from inventory order by ticket_type_id desc limit 1
  ), fresh as (
    select t.tenant_id, t.event_id, t.ticket_type_id, i as n,
      (lpad(to_hex(((extract(epoch from now()) * 1000)::bigint - 100000000 + i)), 12, '0') || '7000' || '8000' || lpad(to_hex(i), 12, '0'))::uuid as id
    from type t, generate_series($1::bigint, $1::bigint + $2::bigint - 1) i
  ), ordered as (
    insert into orders (tenant_id, id, transaction_id, user_id, event_id, ticket_type_id, quantity, subtotal_minor, amount_minor,
                        currency, status, customer_name, customer_email, created_at, updated_at)
    select tenant_id, id, 'TXN_' || n, 'past-' || n % 100000, event_id, ticket_type_id, 10, 25000, 25000, 'EUR', 'paid', 'Past Buyer',
           'past-' || n % 100000 || '@example.com', now(), now() from fresh
  ), recorded as (
    insert into event_ticket_transactions (tenant_id, transaction_id, order_id, user_id, event_id, quantity, amount_minor, currency,
                                           status, created_at, updated_at)
    select tenant_id, 'TXN_' || n, id, 'past-' || n % 100000, event_id, 10, 25000, 'EUR', 'completed', now(), now() from fresh
  ), stepped as (
    insert into order_state_transitions (tenant_id, order_id, version, from_status, to_status, at, actor)
    select tenant_id, id, v, case v when 2 then 'pending' end, case v when 2 then 'paid' else 'pending' end, now(), 'user:past'
    from fresh, generate_series(1, 2) v
  ), keyed as (
    insert into idempotency_keys (tenant_id, principal, route, key, request_hash, status, response, subject_id, created_at)
    select tenant_id, 'user:past-' || n % 100000, 'POST /tickets/purchase', n::text, '\\x00', 201, '{}', id, now() from fresh
  ), told as (
    insert into outbox (tenant_id, id, messages, created_at, next_attempt_at)
    select tenant_id, id, '[{"kind": "ticket.purchased"}]', now(), now() + interval '1 year' from fresh
  ), paid as (
    insert into payments (tenant_id, id, order_id, provider, status, amount_minor, currency, created_at, updated_at)
    select tenant_id, id, id, 'test', 'succeeded', 25000, 'EUR', now(), now() from fresh
  ), born as (
    insert into tickets (tenant_id, id, event_id, ticket_type_id, order_id, user_id, ticket_number, holder_name, status, status_actor,
                         price_minor, currency, created_at, updated_at)
    select f.tenant_id, overlay(f.id::text placing to_hex(k + 16) from 20 for 2)::uuid, f.event_id, f.ticket_type_id, f.id,
           'past-' || f.n % 100000, '900-' || f.n * 10 + k, 'Past Buyer', 'expired', 'user:past', 2500, 'EUR', now(), now()
    from fresh f, generate_series(0, 9) k returning tenant_id, id
  )
  insert into ticket_state_transitions (tenant_id, ticket_id, version, from_status, to_status, at, actor)
  select tenant_id, id, 1, 'reserved', 'sold', now(), 'user:past' from born`;
