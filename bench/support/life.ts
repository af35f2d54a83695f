import { randomUUID } from 'node:crypto';
import type { BusMessage } from '../../src/platform/bus.ts';
import { newId } from '../../src/platform/ids.ts';
import type { BenchDatabase } from './postgres.ts';
import { openTenants } from './sale.ts';

const TENANTS = 4;
const TYPES = 5;
/** Every tenth order has something happen to it besides. */
const RARE = 10;

/** What happened to orders, as rows and as the messages that tell of it. */
export type Life = {
  messages: BusMessage[];
  /** How often one of our queues gets one of them. */
  deliveries: number;
  /** Letters that somebody is to get. */
  mails: number;
};

type Order = { tenant: string; event: string; type: string; id: string; tickets: string[]; rare: boolean };
type Told = { kind: string; queues: number; mails: number; body: object };

/** Tenants with an event on sale, whose orders are made by `live`. */
export async function openLives(database: BenchDatabase): Promise<(orders: number) => Promise<Life>> {
  const halls: { tenant: string; event: string; types: string[] }[] = [];
  for (const tenant of await openTenants(database, TENANTS)) {
    const hall = { tenant, event: newId(), types: Array.from({ length: TYPES }, () => newId()) };
    await database.owner.query(
      `insert into events (tenant_id, id, title, venue, starts_at, ends_at, currency, created_at, updated_at)
       values ($1, $2, 'A hot night', 'The Forum', now() + interval '1 day', now() + interval '2 days', 'EUR', now(), now())`,
      [tenant, hall.event],
    );
    for (const [i, type] of hall.types.entries()) {
      await database.owner.query(
        `insert into ticket_types (tenant_id, id, event_id, ordinal, name, price_minor, created_at, updated_at)
         values ($1, $2, $3, $4, 'Standing', 2500, now(), now())`,
        [tenant, type, hall.event, i + 1],
      );
      await database.owner.query(
        'insert into inventory (tenant_id, ticket_type_id, event_id, capacity, updated_at) values ($1, $2, $3, 10000000, now())',
        [tenant, type, hall.event],
      );
    }
    halls.push(hall);
  }
  return async (count) => {
    const orders = Array.from({ length: count }, (_, i): Order => {
      const hall = halls[i % TENANTS] as (typeof halls)[0];
      const type = hall.types[i % TYPES] as string;
      const tickets = [newId(), newId()];
      return { tenant: hall.tenant, event: hall.event, type, id: newId(), tickets, rare: i % RARE === 0 };
    });
    for (let i = 0; i < orders.length; i += 2_000) await insertOrders(database, orders.slice(i, i + 2_000));
    const told = orders.flatMap((order, i) =>
      tell(order, i).map((one) => ({ ...one, tenant: order.tenant })),
    );
    const occurredAt = new Date().toISOString();
    return {
      messages: told.map(({ kind, body, tenant }) => ({
        id: `${randomUUID()}.0`,
        kind,
        tenantId: tenant,
        occurredAt,
        attempt: 0,
        body,
      })),
      deliveries: told.reduce((sum, { queues }) => sum + queues, 0),
      mails: told.reduce((sum, { mails }) => sum + mails, 0),
    };
  };
}

/** Paid orders of two tickets each, which are on the chain; of a rare one the second ticket was revoked. */
async function insertOrders({ owner }: BenchDatabase, orders: Order[]): Promise<void> {
  const rows = JSON.stringify(
    orders.map(({ tenant, event, type, id, tickets, rare }) => ({ tenant, event, type, id, tickets, rare })),
  );
  const from = `from json_to_recordset($1) as r (tenant uuid, event uuid, type uuid, id uuid, tickets uuid[], rare boolean)`;
  await owner.query(
    `insert into orders (tenant_id, id, transaction_id, user_id, event_id, ticket_type_id, quantity, subtotal_minor,
       amount_minor, currency, status, customer_name, customer_email, created_at, updated_at)
     select tenant, id, 'TXN_' || id, 'buyer-' || id, event, type, 2, 5000, 5000, 'EUR', 'paid', 'Ada Example',
       id || '@example.com', now(), now() ${from}`,
    [rows],
  );
  await owner.query(
    `insert into users (tenant_id, user_id, email)
     select tenant, 'buyer-' || id, id || '@example.com' ${from}`,
    [rows],
  );
  await owner.query(
    `insert into event_ticket_transactions (tenant_id, transaction_id, order_id, user_id, event_id, quantity, amount_minor,
       currency, status, created_at, updated_at)
     select tenant, 'TXN_' || id, id, 'buyer-' || id, event, 2, 5000, 'EUR', 'pending', now(), now() ${from}`,
    [rows],
  );
  await owner.query(
    `insert into payments (tenant_id, id, order_id, provider, provider_reference, status, amount_minor, currency, created_at, updated_at)
     select tenant, id, id, 'test', id, 'succeeded', 5000, 'EUR', now(), now() ${from}`,
    [rows],
  );
  await owner.query(
    `insert into test_provider_charges (tenant_id, reference, token, amount_minor, currency, status, created_at)
     select tenant, id, 'tok_success', 5000, 'EUR', 'succeeded', now() ${from}`,
    [rows],
  );
  await owner.query(
    `insert into tickets (tenant_id, id, event_id, ticket_type_id, order_id, user_id, ticket_number, holder_name, status,
       status_actor, price_minor, currency, created_at, updated_at)
     select tenant, t.id, event, type, r.id, 'buyer-' || r.id, 'T-' || t.id, 'Ada Example', 'sold', 'bench', 2500, 'EUR',
       now(), now() ${from}, unnest(r.tickets) t (id)`,
    [rows],
  );
  await owner.query(
    `update inventory i set sold = sold + n, issued = issued + n, version = version + n
     from (select tenant, type, count(*)::integer * 2 as n ${from} group by 1, 2) s
     where i.tenant_id = s.tenant and i.ticket_type_id = s.type`,
    [rows],
  );
  for (const status of ['minting', 'active']) {
    await owner.query(
      `update tickets k set status = $2, version = version + 1,
         nft_mint = case when $2 = 'active' then replace(k.id::text, '-', '') end
       ${from}, unnest(r.tickets) t (id) where k.tenant_id = r.tenant and k.id = t.id`,
      [rows, status],
    );
  }
  await owner.query(
    `update tickets k set status = 'revoked', version = version + 1 ${from}
     where r.rare and k.tenant_id = r.tenant and k.id = r.tickets[2]`,
    [rows],
  );
  await owner.query(
    `insert into refunds (tenant_id, id, order_id, payment_id, amount_minor, currency, reason, requested_by, status,
       created_at, updated_at)
     select tenant, id, id, id, 100, 'EUR', 'rain', 'olga', 'requested', now(), now() ${from} where rare`,
    [rows],
  );
  await owner.query(
    `update payments p set refunded_minor = 100 ${from} where r.rare and p.tenant_id = r.tenant and p.id = r.id`,
    [rows],
  );
}

/** Messages of all kinds; how many of our queues get each, and how many letters are due for it. */
function tell({ event, type, id, tickets, rare }: Order, i: number): Told[] {
  const [userId, transactionId, wallet] = [`buyer-${id}`, `TXN_${id}`, '1'.repeat(40)];
  const of = (ticketId: string) => ({ ticketId, eventId: event, userId });
  const [first, second] = tickets as [string, string];
  const told: Told[] = [
    {
      kind: 'ticket.purchased',
      queues: 2,
      mails: 1,
      body: {
        orderId: id,
        transactionId,
        eventId: event,
        userId,
        ticketIds: tickets,
        amountMinor: 5_000,
        currency: 'EUR',
      },
    },
    {
      kind: 'ticket.capacity.updates',
      queues: 1,
      mails: 0,
      body: {
        eventId: event,
        ticketTypeId: type,
        capacityChange: -2,
        transactionId,
        operation: 'sale',
        version: i,
      },
    },
    {
      kind: 'ticket.transactions',
      queues: 2,
      mails: 0,
      body: {
        transactionId,
        orderId: id,
        userId,
        eventId: event,
        quantity: 2,
        amount: 5_000,
        currency: 'EUR',
        status: 'completed',
      },
    },
    ...tickets.map((ticketId, n) => ({
      kind: 'ticket.minted',
      queues: 2,
      // Both tickets are on the chain before anybody is told: one letter for both.
      mails: n === 0 ? 1 : 0,
      body: { ...of(ticketId), mint: wallet, owner: wallet, signature: 's' },
    })),
  ];
  if (!rare) return told;
  return [
    ...told,
    {
      kind: 'ticket.transferred',
      queues: 2,
      mails: 1,
      body: {
        ticketId: first,
        eventId: event,
        fromUserId: userId,
        toUserId: 'nobody',
        fromWallet: wallet,
        toWallet: wallet,
        signature: 's',
      },
    },
    {
      kind: 'ticket.checked_in',
      queues: 1,
      mails: 0,
      body: { ticketId: first, eventId: event, scanId: newId(), at: new Date().toISOString() },
    },
    // What staff called off is paid back: another message, and another letter.
    i % (2 * RARE) === 0
      ? { kind: 'ticket.revoked', queues: 5, mails: 2, body: { ...of(second), reason: 'cancelled' } }
      : { kind: 'ticket.revoked', queues: 3, mails: 1, body: { ...of(second), reason: 'fraud' } },
    { kind: 'ticket.expired', queues: 2, mails: 1, body: of(first) },
    {
      kind: 'payment.refund',
      queues: 2,
      mails: 1,
      body: { refundId: id, orderId: id, amountMinor: 100, currency: 'EUR', reason: 'rain' },
    },
    {
      kind: 'hold.expired',
      queues: 1,
      mails: 1,
      body: { holdId: newId(), eventId: event, ticketTypeId: type, userId, code: `RES_${id}` },
    },
    {
      kind: 'waiting.offered',
      queues: 1,
      mails: 1,
      body: {
        entryId: newId(),
        eventId: event,
        userId,
        code: `OFF_${id}`,
        quantity: 1,
        expiresAt: new Date().toISOString(),
      },
    },
  ];
}
