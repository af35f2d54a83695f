import { randomUUID } from 'node:crypto';
import type { EventView } from '../../src/domain/events/schema.ts';
import { createTenant } from '../../src/domain/tenants/create-tenant.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { createDb } from '../../src/platform/db.ts';
import { createLogger } from '../../src/platform/logger.ts';
import { type Api, issueToken } from './api.ts';
import type { Call } from './load.ts';
import type { BenchDatabase } from './postgres.ts';

export type OnSale = { tenantId: string; eventId: string; typeId: string };

export const BUYERS = 64;
const PLENTY = 10_000_000;

/** Tenants as the operator opens them. */
export async function openTenants(database: BenchDatabase, count: number): Promise<string[]> {
  const log = createLogger({ level: 'error', process: 'bench' });
  const db = createDb({ url: database.url('tessera_app'), poolSize: 1, log, applicationName: 'bench' });
  const ids: string[] = [];
  for (let i = 0; i < count; i++)
    ids.push((await createTenant({ db, clock: systemClock }, { name: `Bench ${i}` })).tenantId);
  await db.close();
  return ids;
}

/** An event with `types` ticket types, through the API as an organiser makes it. */
export async function openEvent(
  api: Api,
  tenantId: string,
  options: { types?: number; capacity?: number } = {},
): Promise<OnSale[]> {
  const { types = 1, capacity = PLENTY } = options;
  const start = Date.now() + 86_400_000;
  const response = await api.caller(0).request({
    path: '/api/events',
    method: 'POST',
    headers: {
      authorization: `Bearer ${await issueToken(tenantId, 'organiser', 'organiser')}`,
      'content-type': 'application/json',
    },
    body: JSON.stringify({
      title: 'A hot night',
      venue: 'The Forum',
      startsAt: new Date(start).toISOString(),
      endsAt: new Date(start + 3_600_000).toISOString(),
      currency: 'EUR',
      ticketTypes: Array.from({ length: types }, (_, i) => ({
        name: `Type ${i}`,
        priceMinor: 2_500,
        capacity,
      })),
    }),
  });
  const event = (await response.body.json()) as EventView;
  if (response.statusCode !== 201) throw new Error(`the event was refused: ${JSON.stringify(event)}`);
  return event.ticketTypes.map(({ id }) => ({ tenantId, eventId: event.id, typeId: id }));
}

/** Buyers of a tenant, each with a token. */
export function issueTokens(tenantId: string, count = BUYERS): Promise<string[]> {
  return Promise.all(Array.from({ length: count }, (_, i) => issueToken(tenantId, `buyer-${i}`)));
}

/** One ticket of `sale`, paid. */
export function purchaseOf(sale: OnSale, token: string, key: string = randomUUID()): Call {
  return {
    path: '/api/tickets/purchase',
    token,
    key,
    body: {
      eventId: sale.eventId,
      ticketTypeId: sale.typeId,
      quantity: 1,
      customerName: 'Ada Example',
      customerEmail: 'ada@example.com',
      payment: { token: 'tok_success' },
    },
  };
}

/**
 * What must be true of the books after any sale by our own API: nothing oversold, a counter is the number of its rows,
 * one order per key, and as many tickets, purchase records and outbox rows as were sold.
 * @throws Error that names what is wrong
 */
export async function checkBooks(database: BenchDatabase): Promise<void> {
  const { rows } = await database.owner.query<Record<string, bigint>>(`
    select
      (select count(*) from inventory where held + sold > capacity) as oversold,
      (select count(*) from inventory i left join (select ticket_type_id, count(*) as n from tickets group by 1) t using (ticket_type_id)
        where i.sold <> coalesce(t.n, 0)) as miscounted,
      (select count(*) from orders where status = 'pending') as pending,
      (select count(*) from orders where status = 'paid')
        - (select count(*) from idempotency_keys where route = 'POST /tickets/purchase' and status = 201) as "orders without a key",
      (select coalesce(sum(quantity), 0) from orders where status = 'paid') - (select count(*) from tickets) as "orders without tickets",
      (select count(*) from orders) - (select count(*) from event_ticket_transactions) as "orders without a record",
      (select count(*) from orders where status = 'paid')
        - (select count(*) from outbox where messages -> 0 ->> 'kind' = 'ticket.purchased') as "orders nobody was told of"`);
  const wrong = Object.entries(rows[0] ?? {}).filter(([, count]) => Number(count) !== 0);
  if (wrong.length > 0)
    throw new Error(`the books are wrong: ${wrong.map(([what, count]) => `${count} ${what}`).join(', ')}`);
}
