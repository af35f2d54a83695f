import { sql } from 'kysely';
import type { AppContext } from '../../context.ts';
import { type Actor, actorName, requireRole } from '../../platform/actor.ts';
import { recordAudit } from '../../platform/audit.ts';
import { DomainError, notFound } from '../../platform/errors.ts';
import { newId, type TenantId } from '../../platform/ids.ts';
import { enqueue } from '../../platform/outbox.ts';
import { type TenantTx, withTenant } from '../../platform/tenant-tx.ts';
import { capacityEdit, changeCapacity } from '../inventory/change-capacity.ts';
import { publishAvailability } from '../inventory/publish-availability.ts';
import { hasSales, lockCounters } from '../inventory/queries.ts';
import { endList } from '../waiting/queries.ts';
import { readSeatMap } from './queries.ts';
import type { SeatMapInput, SeatMapView } from './schema.ts';

type Seat = {
  section: string;
  row: string;
  number: string;
  rowOrdinal: number;
  ordinal: number;
  typeId: string;
  blocked: boolean;
};

const INSERT_BATCH = 2_000;

/**
 * Gives an event its seats. Ticket types that have seats are sold by the seat from then on, and their capacity is the
 * number of seats that are not blocked. Seats that are held or sold stay: a map that would take one away is refused, and
 * a type that was sold without seats cannot get any.
 */
export async function putSeatMap(
  ctx: AppContext,
  actor: Actor,
  input: SeatMapInput & { eventId: string },
): Promise<SeatMapView> {
  requireRole(actor, 'organiser');
  const { tenantId } = actor;
  const now = ctx.clock.now();
  const seats = flatten(input);
  const map = await withTenant(ctx.db, tenantId, async (tx) => {
    // No sale of the event moves between the look at its seats and the new capacities.
    await lockCounters(tx, tenantId, { column: 'event_id', id: input.eventId });
    const event = await tx
      .selectFrom('events')
      .select('id')
      .where('tenant_id', '=', tenantId)
      .where('id', '=', input.eventId)
      .forNoKeyUpdate()
      .executeTakeFirst();
    if (!event) throw notFound('event');
    await checkTypes(tx, tenantId, input.eventId, seats);
    await replaceSeats(tx, tenantId, now, input.eventId, seats);
    await setCapacities(tx, tenantId, now, input.eventId);
    await recordAudit(tx, tenantId, now, {
      actor: actorName(actor),
      action: 'seat_map.replaced',
      subject: input.eventId,
      details: { seats: seats.length },
    });
    return readSeatMap(tx, tenantId, input.eventId, now);
  });
  await publishAvailability(ctx, tenantId, input.eventId);
  return map;
}

function flatten(input: SeatMapInput): Seat[] {
  const seats: Seat[] = [];
  const names = new Set<string>();
  /** A row may come in parts, e.g. one for each type; its seats stand in one line all the same. */
  const rows = new Map<string, { ordinal: number; seats: number }>();
  for (const section of input.sections) {
    for (const row of section.rows) {
      const line = rows.get(`${section.name}\n${row.label}`) ?? { ordinal: rows.size + 1, seats: 0 };
      rows.set(`${section.name}\n${row.label}`, line);
      for (const seat of row.seats) {
        const typeId = seat.ticketTypeId ?? row.ticketTypeId ?? section.ticketTypeId;
        const name = `${section.name}\n${row.label}\n${seat.number}`;
        const label = `${section.name} ${row.label}-${seat.number}`;
        if (!typeId)
          throw new DomainError('invalid', 'seat_without_type', `Seat ${label} has no ticket type.`);
        if (names.has(name)) throw new DomainError('invalid', 'seat_twice', `Seat ${label} is there twice.`);
        names.add(name);
        seats.push({
          section: section.name,
          row: row.label,
          number: seat.number,
          rowOrdinal: line.ordinal,
          ordinal: ++line.seats,
          typeId,
          blocked: seat.blocked,
        });
      }
    }
  }
  return seats;
}

async function checkTypes(tx: TenantTx, tenantId: TenantId, eventId: string, seats: Seat[]): Promise<void> {
  const wanted = [...new Set(seats.map((seat) => seat.typeId))];
  const types = await tx
    .selectFrom('ticket_types')
    .select(['id', 'is_seated'])
    .where('tenant_id', '=', tenantId)
    .where('event_id', '=', eventId)
    .where('id', 'in', wanted)
    .execute();
  if (types.length !== wanted.length) throw notFound('ticket type of this event');
  for (const type of types) {
    if (!type.is_seated && (await hasSales(tx, tenantId, eventId, type.id))) {
      throw new DomainError(
        'conflict',
        'sold_without_seats',
        'A ticket type was sold without seats already.',
        {
          extra: { ticketTypeId: type.id },
        },
      );
    }
  }
}

async function replaceSeats(
  tx: TenantTx,
  tenantId: TenantId,
  now: Date,
  eventId: string,
  seats: Seat[],
): Promise<void> {
  const columns = {
    section: seats.map((seat) => seat.section),
    row: seats.map((seat) => seat.row),
    number: seats.map((seat) => seat.number),
  };
  const { rows: lost } = await sql<{ label: string }>`
    select s.section || ' ' || s.row_label || '-' || s.number as label from seats s
    where s.tenant_id = ${tenantId} and s.event_id = ${eventId} and (s.ticket_id is not null or s.held_until > ${now})
      and not exists (select from unnest(${columns.section}::text[], ${columns.row}::text[], ${columns.number}::text[]) as w(section, row_label, number)
        where w.section = s.section and w.row_label = s.row_label and w.number = s.number)
    limit 20`.execute(tx);
  if (lost.length > 0) {
    throw new DomainError(
      'conflict',
      'seats_in_use',
      'Seats that are held or sold are missing from the map.',
      {
        extra: { seats: lost.map((seat) => seat.label) },
      },
    );
  }
  await sql`
    delete from seats s where s.tenant_id = ${tenantId} and s.event_id = ${eventId}
      and not exists (select from unnest(${columns.section}::text[], ${columns.row}::text[], ${columns.number}::text[]) as w(section, row_label, number)
        where w.section = s.section and w.row_label = s.row_label and w.number = s.number)`.execute(tx);
  for (let at = 0; at < seats.length; at += INSERT_BATCH) {
    const batch = seats.slice(at, at + INSERT_BATCH);
    await tx
      .insertInto('seats')
      .values(
        batch.map((seat) => ({
          tenant_id: tenantId,
          id: newId(),
          event_id: eventId,
          ticket_type_id: seat.typeId,
          section: seat.section,
          row_label: seat.row,
          number: seat.number,
          row_ordinal: seat.rowOrdinal,
          ordinal: seat.ordinal,
          is_blocked: seat.blocked,
        })),
      )
      .onConflict((conflict) =>
        conflict.columns(['tenant_id', 'event_id', 'section', 'row_label', 'number']).doUpdateSet((eb) => ({
          row_ordinal: eb.ref('excluded.row_ordinal'),
          ordinal: eb.ref('excluded.ordinal'),
          // A seat in somebody's hands keeps its price category and stays on sale.
          ticket_type_id: sql`case when seats.ticket_id is null and coalesce(seats.held_until <= ${now}, true)
            then excluded.ticket_type_id else seats.ticket_type_id end`,
          is_blocked: sql`excluded.is_blocked and seats.ticket_id is null and coalesce(seats.held_until <= ${now}, true)`,
        })),
      )
      .execute();
  }
}

async function setCapacities(tx: TenantTx, tenantId: TenantId, now: Date, eventId: string): Promise<void> {
  const { rows } = await sql<{ id: string; seated: boolean; seats: number }>`
    select t.id, t.is_seated as seated, count(s.id) filter (where not s.is_blocked)::integer as seats
    from ticket_types t left join seats s on s.tenant_id = t.tenant_id and s.ticket_type_id = t.id
    where t.tenant_id = ${tenantId} and t.event_id = ${eventId} and (t.is_seated or s.id is not null)
    group by t.tenant_id, t.id order by t.id`.execute(tx);
  for (const { id, seated, seats } of rows) {
    // Who waits for any place cannot be given a seat.
    if (!seated) await endList(tx, tenantId, now, id);
    await sql`select reclaim_expired_holds(${tenantId}, ${id}, ${now})`.execute(tx);
    const { change, version } = await changeCapacity(tx, tenantId, now, {
      ticketTypeId: id,
      capacity: seats,
    });
    if (change !== 0)
      await enqueue(tx, now, [capacityEdit({ eventId, ticketTypeId: id, capacityChange: change, version })]);
    await tx
      .updateTable('ticket_types')
      .set({ is_seated: true, updated_at: now })
      .where('tenant_id', '=', tenantId)
      .where('id', '=', id)
      .execute();
  }
}
