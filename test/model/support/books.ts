import type pg from 'pg';
import { type OrderStatus, orderSteps } from '../../../src/domain/orders/order-state.ts';
import { type TicketStatus, ticketSteps } from '../../../src/domain/tickets/ticket-state.ts';
import { type Hall, LIMIT } from './hall.ts';

/** What the rows say that is free, without believing any counter. */
export type Free = { standing: number; seats: Set<string>; capacity: number };

/** What is taken by tickets that live and by holds that have not run out. */
export async function readFree(owner: pg.Pool, hall: Hall, now: Date): Promise<Free> {
  const { rows } = await owner.query<{ capacity: number; taken: number }>(
    `select i.capacity,
       (select count(*)::integer from tickets t where t.ticket_type_id = i.ticket_type_id and t.status not in ('cancelled', 'refunded'))
       + (select coalesce(sum(h.quantity), 0)::integer from holds h
          where h.ticket_type_id = i.ticket_type_id and h.state = 'active' and h.expires_at > $2) as taken
     from inventory i where i.ticket_type_id = $1`,
    [hall.standing, now],
  );
  const [row] = rows as [{ capacity: number; taken: number }];
  const seats = await owner.query<{ id: string }>(
    `select s.id from seats s where s.event_id = $1
       and not exists (select from tickets t where t.seat_id = s.id and t.status not in ('cancelled', 'refunded'))
       and not exists (select from holds h where h.event_id = s.event_id and s.id = any (h.seat_ids) and h.state = 'active' and h.expires_at > $2)`,
    [hall.eventId, now],
  );
  return {
    standing: row.capacity - row.taken,
    capacity: row.capacity,
    seats: new Set(seats.rows.map(({ id }) => id)),
  };
}

/** How many standing places each person has, by tickets that live and holds that have not run out. */
export async function readShares(owner: pg.Pool, hall: Hall, now: Date): Promise<Map<string, number>> {
  const { rows } = await owner.query<{ person: string; places: number }>(
    `select person, sum(places)::integer as places from (
       select o.user_id as person, 1 as places from tickets t join orders o on o.id = t.order_id
       where t.ticket_type_id = $1 and t.status not in ('cancelled', 'refunded')
       union all
       select h.user_id, h.quantity from holds h where h.ticket_type_id = $1 and h.state = 'active' and h.expires_at > $2) s
     group by person`,
    [hall.standing, now],
  );
  return new Map(rows.map(({ person, places }) => [person, places]));
}

/** Every sentence that is false of the books of this hall. Nothing when all is well, at any moment of a sale. */
export async function findWrongs(owner: pg.Pool, hall: Hall, now: Date): Promise<string[]> {
  const ask = async (text: string, values: unknown[] = [hall.eventId]) =>
    (await owner.query(text, values)).rows;
  const wrongs: string[] = [];
  const none = (sentence: string, rows: unknown[]): void => {
    if (rows.length > 0) wrongs.push(`${sentence}: ${JSON.stringify(rows)}`);
  };
  none(
    'a counter is not the number of its rows',
    await ask(
      `select * from (
         select i.ticket_type_id, i.sold, i.held,
           (select count(*)::integer from tickets t where t.ticket_type_id = i.ticket_type_id and t.status not in ('cancelled', 'refunded')) as tickets,
           (select coalesce(sum(quantity), 0)::integer from holds h where h.ticket_type_id = i.ticket_type_id and h.state = 'active') as places
         from inventory i where i.event_id = $1) c
       where sold <> tickets or held <> places`,
    ),
  );
  none(
    'more is sold and held than there is',
    await ask('select * from inventory where event_id = $1 and sold + held > capacity'),
  );
  const shares = await readShares(owner, hall, now);
  none(
    'somebody has more than a person may have',
    [...shares].filter(([, places]) => places > LIMIT),
  );
  none(
    'a seat has two tickets',
    await ask(
      `select seat_id from tickets where event_id = $1 and seat_id is not null and status not in ('cancelled', 'refunded')
       group by seat_id having count(*) > 1`,
    ),
  );
  none(
    'a seat is sold and held, or held twice',
    await ask(
      `select s.id from seats s where s.event_id = $1 and
         (select count(*) from holds h where h.event_id = s.event_id and s.id = any (h.seat_ids) and h.state = 'active' and h.expires_at > $2)
         + (select count(*) from tickets t where t.seat_id = s.id and t.status not in ('cancelled', 'refunded')) > 1`,
      [hall.eventId, now],
    ),
  );
  none(
    'a seat does not know its ticket',
    await ask(
      `select s.id from (select * from seats where event_id = $1) s full join (select * from tickets where event_id = $1 and seat_id is not null and status not in ('cancelled', 'refunded')) t
         on t.seat_id = s.id where s.ticket_id is distinct from t.id`,
    ),
  );
  none(
    'a ticket number was given twice, or beyond what was issued',
    await ask(
      `select ticket_number from tickets where event_id = $1 group by ticket_number having count(*) > 1`,
    ),
  );
  none(
    'a paid order does not have its tickets, or another has some',
    await ask(
      `select o.id, o.status, o.quantity, count(t.id) filter (where t.status not in ('cancelled', 'refunded')) as live, count(t.id) as tickets
       from orders o left join tickets t on t.order_id = o.id where o.event_id = $1 group by o.tenant_id, o.id
       having not case o.status
         when 'paid' then count(t.id) = o.quantity and count(t.id) filter (where t.status not in ('cancelled', 'refunded')) > 0
         when 'refunded' then count(t.id) = o.quantity and count(t.id) filter (where t.status not in ('cancelled', 'refunded')) = 0
         when 'cancelled' then count(t.id) filter (where t.status not in ('cancelled', 'refunded')) = 0
         else count(t.id) = 0 end`,
    ),
  );
  none(
    'an order was charged twice',
    await ask(
      `select o.id from orders o join payments p on p.order_id = o.id join test_provider_charges c on c.reference = p.id
       where o.event_id = $1 and c.status = 'succeeded' group by o.id having count(*) > 1`,
    ),
  );
  none(
    'more was paid back than was paid',
    await ask(
      `select c.reference from test_provider_charges c join test_provider_refunds r on r.charge = c.reference
         join payments p on p.id = c.reference join orders o on o.id = p.order_id
       where o.event_id = $1 group by c.reference, c.amount_minor, c.status having sum(r.amount_minor) > c.amount_minor or c.status <> 'succeeded'`,
    ),
  );
  none(
    'an order was not told of exactly once',
    await ask(
      `select o.id from orders o
         left join outbox m on m.tenant_id = o.tenant_id and m.messages::jsonb @> jsonb_build_array(jsonb_build_object('kind', 'ticket.purchased'))
           and m.id = o.id
       where o.event_id = $1 group by o.tenant_id, o.id
       having count(m.id) <> (exists (select from tickets t where t.order_id = o.id))::integer`,
    ),
  );
  const orders = await ask(
    `select s.order_id as id, s.version, s.from_status, s.to_status from order_state_transitions s join orders o on o.id = s.order_id
     where o.event_id = $1 order by s.order_id, s.version`,
  );
  none('an order took an illegal step', illegal<OrderStatus>(orders, orderSteps, null));
  const tickets = await ask(
    `select s.ticket_id as id, s.version, s.from_status, s.to_status from ticket_state_transitions s join tickets t on t.id = s.ticket_id
     where t.event_id = $1 order by s.ticket_id, s.version`,
  );
  none('a ticket took an illegal step', illegal<TicketStatus>(tickets, ticketSteps, 'reserved'));
  return wrongs;
}

/** What must hold once nobody is buying, every hold has run out and the workers have done what was due. */
export async function findLoose(owner: pg.Pool, hall: Hall): Promise<string[]> {
  const ask = async (text: string) => (await owner.query(text, [hall.eventId])).rows;
  const loose: string[] = [];
  const none = (sentence: string, rows: unknown[]): void => {
    if (rows.length > 0) loose.push(`${sentence}: ${JSON.stringify(rows)}`);
  };
  none('a place is still held', await ask('select * from inventory where event_id = $1 and held > 0'));
  none(
    'an order is still pending',
    await ask(`select id from orders where event_id = $1 and status = 'pending'`),
  );
  none(
    'a capture has neither a paid order nor a refund',
    await ask(
      `select o.id, o.status, c.amount_minor, coalesce(sum(r.amount_minor), 0) as refunded
       from orders o join payments p on p.order_id = o.id join test_provider_charges c on c.reference = p.id
         left join test_provider_refunds r on r.charge = c.reference
       where o.event_id = $1 and c.status = 'succeeded' group by o.tenant_id, o.id, c.reference, c.amount_minor
       having not case when o.status = 'paid' then coalesce(sum(r.amount_minor), 0) <= c.amount_minor
                       else coalesce(sum(r.amount_minor), 0) = c.amount_minor end`,
    ),
  );
  none(
    'a promised refund was not paid, or one was paid that nobody promised',
    await ask(
      `select coalesce(r.id, t.reference) as id from refunds r
         join orders o on o.id = r.order_id and o.event_id = $1
         left join test_provider_refunds t on t.reference = r.id and t.amount_minor = r.amount_minor
       where t.reference is null or r.status <> 'succeeded'`,
    ),
  );
  none(
    'an order was paid without a capture',
    await ask(
      `select o.id from orders o where o.event_id = $1 and o.status in ('paid', 'refunded') and o.amount_minor > 0
         and not exists (select from payments p join test_provider_charges c on c.reference = p.id
                         where p.order_id = o.id and c.status = 'succeeded' and c.amount_minor = o.amount_minor)`,
    ),
  );
  return loose;
}

type Step<S> = { id: string; version: number; from_status: S | null; to_status: S };

/** Steps that no state table has, that do not follow from the one before, or whose versions have a gap. */
function illegal<S extends string>(
  steps: Step<S>[],
  legal: Record<S, readonly S[]>,
  origin: S | null,
): Step<S>[] {
  return steps.filter((step, i) => {
    const before = steps[i - 1];
    if (before?.id !== step.id) return step.from_status !== origin || step.version !== 1;
    return (
      step.from_status !== before.to_status ||
      !(legal[before.to_status].includes(step.to_status) || step.to_status === before.to_status) ||
      step.version <= before.version
    );
  });
}
