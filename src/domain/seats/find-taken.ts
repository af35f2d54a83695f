import { sql } from 'kysely';
import type { AppContext } from '../../context.ts';
import type { Actor } from '../../platform/actor.ts';
import { actorName } from '../../platform/actor.ts';
import { tenantKey } from '../../platform/cache.ts';
import { createLanes } from '../../platform/lane.ts';
import { withTenant } from '../../platform/tenant-tx.ts';

type Question = { actor: Actor; eventId: string; seatIds: string[]; route: string; key: string };

const MAX_BATCH = 256;

/**
 * Which of the seats are taken, asked only when the cache says that somebody else has one of them. Redis decides
 * nothing: PostgreSQL is asked too, but without a lock on the seats and in one query for all who ask together, so a
 * crowd that wants a seat which is gone does not stand in the way of those who can have theirs. An entry that outlived
 * its lock costs that look and refuses nobody. What is of a hidden event is left to the lock too, which does not know it. A repeated request is left to the lock, which knows its answer.
 */
export function createFindTaken(
  ctx: Pick<AppContext, 'db' | 'cache' | 'clock'>,
): (question: Question) => Promise<string[]> {
  const lanes = createLanes<Question, string[]>({
    maxBatch: MAX_BATCH,
    flush: (_key, items) => verify(ctx, items),
  });
  return async (question) => {
    const { actor, eventId, seatIds } = question;
    const holders = await Promise.all(
      seatIds.map((seat) => ctx.cache.get(tenantKey(actor.tenantId, 'seat_lock', eventId, seat))),
    );
    const conflict = holders.some((holder) => holder !== undefined && holder !== actor.subject);
    return conflict ? lanes.submit(`${actor.tenantId}:${eventId}`, question) : [];
  };
}

async function verify(ctx: Pick<AppContext, 'db' | 'clock'>, items: Question[]): Promise<string[][]> {
  const { tenantId } = (items[0] as Question).actor;
  const now = ctx.clock.now();
  const wanted = items.flatMap(({ seatIds }, i) => seatIds.map((seat) => ({ n: i, seat })));
  const rows = await withTenant(ctx.db, tenantId, async (tx) => {
    const { rows } = await sql<{ n: number; seat: string }>`
      select w.n, w.seat
      from unnest(${wanted.map(({ n }) => n)}::integer[], ${wanted.map(({ seat }) => seat)}::uuid[]) with ordinality as w(n, seat, nth)
      join unnest(${items.map(({ actor }) => actorName(actor))}::text[], ${items.map(({ route }) => route)}::text[],
        ${items.map(({ key }) => key)}::text[], ${items.map(({ eventId }) => eventId)}::uuid[])
        with ordinality as q(principal, route, key, event_id, nth) on q.nth = w.n + 1
      join events e on e.tenant_id = ${tenantId} and e.id = q.event_id and e.is_active
      join seats s on s.tenant_id = ${tenantId} and s.id = w.seat and s.event_id = q.event_id
      where (s.ticket_id is not null or s.held_until > ${now})
        and not exists (select from idempotency_keys k
          where k.tenant_id = ${tenantId} and k.principal = q.principal and k.route = q.route and k.key = q.key)
      order by w.nth`.execute(tx);
    return rows;
  });
  const taken = Map.groupBy(rows, ({ n }) => n);
  return items.map((_item, i) => (taken.get(i) ?? []).map(({ seat }) => seat));
}
