import { sql } from 'kysely';
import type { AppContext } from '../../context.ts';
import { type Actor, isStaff } from '../../platform/actor.ts';
import { tenantKey } from '../../platform/cache.ts';
import { notFound } from '../../platform/errors.ts';
import { withTenant } from '../../platform/tenant-tx.ts';
import type { ReservationView } from './schema.ts';
import { timeRemaining } from './time-remaining.ts';

type Known = Omit<ReservationView, 'timeRemaining'> & { userId: string };

/** A reservation that is still good, to the one who made it and to staff. */
export async function getReservation(
  ctx: AppContext,
  actor: Actor,
  input: { id: string },
): Promise<ReservationView> {
  const cached = await ctx.cache.get(tenantKey(actor.tenantId, 'reservation', input.id));
  const known = cached !== undefined ? (JSON.parse(cached) as Known) : await read(ctx, actor, input.id);
  const now = ctx.clock.now();
  const visible =
    known &&
    (known.userId === actor.subject || isStaff(actor)) &&
    Date.parse(known.expiresAt) > now.getTime();
  if (!visible) throw notFound('reservation');
  const { userId: _userId, ...reservation } = known;
  return { ...reservation, timeRemaining: timeRemaining(known.expiresAt, now) };
}

async function read(ctx: AppContext, actor: Actor, code: string): Promise<Known | undefined> {
  const row = await withTenant(ctx.db, actor.tenantId, (tx) =>
    tx
      .selectFrom('holds as h')
      .innerJoin('ticket_types as t', (join) =>
        join.onRef('t.tenant_id', '=', 'h.tenant_id').onRef('t.id', '=', 'h.ticket_type_id'),
      )
      .innerJoin('events as e', (join) =>
        join.onRef('e.tenant_id', '=', 'h.tenant_id').onRef('e.id', '=', 'h.event_id'),
      )
      .selectAll('h')
      .select('e.currency')
      .select(
        sql<
          string[]
        >`array(select ticket_number(t.ordinal, h.first_number + i) from generate_series(0, h.quantity - 1) i order by i)`.as(
          'numbers',
        ),
      )
      .where('h.tenant_id', '=', actor.tenantId)
      .where('h.code', '=', code)
      .where('h.kind', '=', 'reservation')
      .where('h.state', '=', 'active')
      .executeTakeFirst(),
  );
  if (!row) return undefined;
  const unitPriceMinor = Number(row.unit_price_minor);
  return {
    reservationId: code,
    eventId: row.event_id,
    ticketTypeId: row.ticket_type_id,
    quantity: row.quantity,
    tickets: row.numbers.map((ticketNumber) => ({ ticketNumber, status: 'reserved' as const })),
    unitPriceMinor,
    totalPriceMinor: unitPriceMinor * row.quantity,
    currency: row.currency,
    expiresAt: row.expires_at.toISOString(),
    userId: row.user_id,
  };
}
