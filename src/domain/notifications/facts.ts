import { sql } from 'kysely';
import type { TenantId } from '../../platform/ids.ts';
import type { TenantTx } from '../../platform/tenant-tx.ts';
import type { Notified } from './notified.ts';

export type OrderFact = {
  id: string;
  event_id: string;
  user_id: string;
  customer_name: string;
  customer_email: string;
  failure_code: string | null;
  transaction_id: string;
};
export type TicketFact = {
  id: string;
  order_id: string;
  user_id: string;
  ticket_number: string;
  status: string;
  nft_mint: string | null;
  /** When it came to that status, as the database writes it. */
  since: string | null;
};

/** What letters may need, as it is now: by id, and the addresses of holds by code. */
export type Facts = {
  orders: Map<string, OrderFact>;
  tickets: Map<string, TicketFact>;
  /** All tickets of the orders whose tickets the messages are about. */
  ticketsOf: Map<string, TicketFact[]>;
  titles: Map<string, string>;
  emails: Map<string, string>;
  emailsOfHolds: Map<string, string>;
};

type Found = {
  tickets: TicketFact[] | null;
  orders: OrderFact[] | null;
  titles: { id: string; title: string }[] | null;
  emails: { user_id: string; email: string }[] | null;
  holds: { code: string; customer_email: string }[] | null;
};

/** One question, however many messages and things there are: the way to the database is what costs. */
export async function readFacts(
  tx: TenantTx,
  tenantId: TenantId,
  messages: readonly Notified[],
): Promise<Facts> {
  const bodies = messages.map(({ body }) => body as Partial<Record<string, unknown>>);
  const all = (...names: string[]): string[] => [
    ...new Set(
      bodies.flatMap((body) => names.map((name) => body[name])).filter((value) => typeof value === 'string'),
    ),
  ];
  const { rows } = await sql<Found>`
    with tickets_told as materialized (
      select t.id, t.order_id, t.user_id, t.ticket_number, t.status, t.nft_mint,
        (select max(s.at)::text from ticket_state_transitions s
          where s.tenant_id = t.tenant_id and s.ticket_id = t.id and s.to_status = t.status) as since
      from tickets t
      where t.tenant_id = ${tenantId} and t.order_id = any(array(
        select o.order_id from tickets o where o.tenant_id = ${tenantId} and o.id = any(${all('ticketId')}::uuid[])))
    ), orders_told as materialized (
      select o.id, o.event_id, o.user_id, o.customer_name, o.customer_email, o.failure_code, o.transaction_id
      from orders o
      where o.tenant_id = ${tenantId}
        and o.id = any(${all('orderId')}::uuid[] || array(select order_id from tickets_told))
    )
    select
      (select json_agg(t order by t.ticket_number) from tickets_told t) as tickets,
      (select json_agg(o) from orders_told o) as orders,
      (select json_agg(json_build_object('id', e.id, 'title', e.title)) from events e
        where e.tenant_id = ${tenantId}
          and e.id = any(${all('eventId')}::uuid[] || array(select event_id from orders_told))) as titles,
      (select json_agg(json_build_object('user_id', u.user_id, 'email', u.email)) from users u
        where u.tenant_id = ${tenantId} and u.email is not null
          and u.user_id = any(${all('userId', 'fromUserId', 'toUserId')})) as emails,
      (select json_agg(json_build_object('code', h.code, 'customer_email', h.customer_email)) from holds h
        where h.tenant_id = ${tenantId} and h.customer_email is not null and h.code = any(${all('code')})) as holds`.execute(
    tx,
  );
  const { tickets, orders, titles, emails, holds } = rows[0] as Found;
  return {
    orders: new Map(orders?.map((order) => [order.id, order])),
    tickets: new Map(tickets?.map((ticket) => [ticket.id, ticket])),
    ticketsOf: Map.groupBy(tickets ?? [], (ticket) => ticket.order_id),
    titles: new Map(titles?.map(({ id, title }) => [id, title])),
    emails: new Map(emails?.map(({ user_id, email }) => [user_id, email])),
    emailsOfHolds: new Map(holds?.map(({ code, customer_email }) => [code, customer_email])),
  };
}
