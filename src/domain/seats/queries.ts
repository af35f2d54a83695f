import { sql } from 'kysely';
import type { TenantId } from '../../platform/ids.ts';
import type { TenantTx } from '../../platform/tenant-tx.ts';
import type { SeatMapView } from './schema.ts';

type Row = {
  id: string;
  section: string;
  row_label: string;
  number: string;
  ticket_type_id: string;
  price_minor: bigint;
  state: SeatMapView['sections'][number]['rows'][number]['seats'][number]['state'];
};

/** The seats of an event with their states at `now`; a lock that ran out is none. */
export async function readSeatMap(
  tx: TenantTx,
  tenantId: TenantId,
  eventId: string,
  now: Date,
): Promise<SeatMapView> {
  const { rows } = await sql<Row>`
    select s.id, s.section, s.row_label, s.number, s.ticket_type_id, t.price_minor,
      case when s.is_blocked then 'blocked' when s.ticket_id is not null then 'sold' when s.held_until > ${now} then 'held'
        else 'available' end as state
    from seats s join ticket_types t on t.tenant_id = s.tenant_id and t.id = s.ticket_type_id
    where s.tenant_id = ${tenantId} and s.event_id = ${eventId}
    order by s.row_ordinal, s.ordinal`.execute(tx);
  const sections = Map.groupBy(rows, (row) => row.section);
  return {
    eventId,
    asOf: now.toISOString(),
    sections: [...sections].map(([name, own]) => ({
      name,
      rows: [...Map.groupBy(own, (row) => row.row_label)].map(([label, seats]) => ({
        label,
        seats: seats.map((seat) => ({
          id: seat.id,
          number: seat.number,
          ticketTypeId: seat.ticket_type_id,
          priceMinor: Number(seat.price_minor),
          state: seat.state,
        })),
      })),
    })),
  };
}

/** Runs of `quantity` free neighbours, the frontmost row first and the middle of a row before its ends. */
export async function findAdjacent(
  tx: TenantTx,
  tenantId: TenantId,
  now: Date,
  wish: {
    eventId: string;
    ticketTypeId: string;
    quantity: number;
    section?: string | undefined;
    limit: number;
  },
): Promise<string[][]> {
  const { rows } = await sql<{ seat_ids: string[] }>`
    with free as (
      select s.id, s.row_ordinal, s.ordinal,
        s.ordinal - row_number() over (partition by s.row_ordinal order by s.ordinal) as island,
        avg(s.ordinal) over (partition by s.row_ordinal) as middle
      from seats s
      where s.tenant_id = ${tenantId} and s.event_id = ${wish.eventId} and s.ticket_type_id = ${wish.ticketTypeId}
        and (${wish.section ?? null}::text is null or s.section = ${wish.section ?? null})
        and not s.is_blocked and s.ticket_id is null and coalesce(s.held_until <= ${now}, true)
    ), run as (
      select row_ordinal, middle, ordinal,
        array_agg(id) over neighbours as seat_ids, count(*) over neighbours as length
      from free
      window neighbours as (partition by row_ordinal, island order by ordinal rows between current row and ${sql.lit(wish.quantity - 1)} following)
    )
    select seat_ids from run where length = ${wish.quantity}
    order by row_ordinal, abs(ordinal + ${(wish.quantity - 1) / 2}::numeric - middle), ordinal
    limit ${wish.limit}`.execute(tx);
  return rows.map((row) => row.seat_ids);
}

/** Whether an event has any seats of a ticket type, in a section if one is named. */
export async function hasSeats(
  tx: TenantTx,
  tenantId: TenantId,
  of: { eventId: string; ticketTypeId: string; section?: string | undefined },
): Promise<boolean> {
  const seat = await tx
    .selectFrom('seats')
    .select('id')
    .where('tenant_id', '=', tenantId)
    .where('event_id', '=', of.eventId)
    .where('ticket_type_id', '=', of.ticketTypeId)
    .$if(of.section !== undefined, (query) => query.where('section', '=', of.section as string))
    .limit(1)
    .executeTakeFirst();
  return seat !== undefined;
}
