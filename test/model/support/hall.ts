import { createApp } from '../../../src/api/app.ts';
import type { EventView } from '../../../src/domain/events/schema.ts';
import { createSaleLanes } from '../../../src/domain/orders/sale-lanes.ts';
import { createSettleOrder, type SettleOrder } from '../../../src/domain/orders/settle-order.ts';
import type { SeatMapView } from '../../../src/domain/seats/schema.ts';
import type { Clock } from '../../../src/platform/clock.ts';
import { sampleEvent, sampleTicketType } from '../../support/samples.ts';
import {
  type Client,
  clientOf,
  createTestContext,
  createTestTenant,
  issueToken,
  type TestContext,
} from '../../support/test-context.ts';

export const STANDING = 4;
/** As many standing places as a person may have. */
export const LIMIT = 3;
export const ROWS = 2;
export const SEATS_IN_ROW = 3;
export const BUYERS = ['ada', 'bea', 'cyd'];

/** The books are read past the tenants, whose indexes all begin with them, after every step of a thousand sales. */
const LOOKED_UP = [
  'inventory (event_id)',
  'inventory (ticket_type_id)',
  'seats (event_id)',
  'holds (event_id)',
  'holds (ticket_type_id)',
  'holds (code)',
  'orders (id)',
  'orders (event_id)',
  'tickets (event_id)',
  'tickets (ticket_type_id)',
  'tickets (order_id)',
  'tickets (seat_id)',
  'payments (id)',
  'payments (order_id)',
  'refunds (order_id)',
  'test_provider_charges (reference)',
  'test_provider_refunds (charge)',
  'order_state_transitions (order_id)',
  'ticket_state_transitions (ticket_id)',
];

/** One database behind two APIs, each with lanes, a gate and a cache of its own, and a clock that the test turns. */
export type Theatre = {
  ctx: TestContext;
  settleOrder: SettleOrder;
  clock: Clock & { set(time: Date): void };
  /** When every sale begins. */
  opened: Date;
  /** The buyers' clients, by API. */
  buyers: Client[][];
  organisers: Client[];
  /** Nobody: what a payment provider is to us. */
  strangers: Client[];
  close(): Promise<void>;
};

/** An event of one run: a few standing places and a few seats. */
export type Hall = { eventId: string; standing: string; seated: string; seats: string[] };

export async function openTheatre(): Promise<Theatre> {
  let now = new Date();
  const clock = {
    now: () => now,
    set(time: Date) {
      now = time;
    },
  };
  const ctx = await createTestContext({ clock });
  for (const columns of LOOKED_UP) await ctx.database.owner.query(`create index on ${columns}`);
  const apps = [createApp(ctx), createApp(ctx)];
  const [first] = apps as [ReturnType<typeof createApp>];
  const { tenantId } = await createTestTenant(ctx, first);
  const clients = async (subject: string, role: 'buyer' | 'organiser'): Promise<Client[]> => {
    const token = await issueToken({ tenantId, subject, role });
    return apps.map((app) => clientOf(app, token));
  };
  const byBuyer = await Promise.all(BUYERS.map((name) => clients(name, 'buyer')));
  return {
    ctx,
    settleOrder: createSettleOrder(ctx, createSaleLanes(ctx)),
    clock,
    opened: now,
    buyers: apps.map((_, api) => byBuyer.map((own) => own[api] as Client)),
    organisers: await clients('olga', 'organiser'),
    strangers: apps.map((app) => clientOf(app)),
    close: () => ctx.close(),
  };
}

export async function openHall(theatre: Theatre): Promise<Hall> {
  const [organiser] = theatre.organisers as [Client];
  const types = [
    sampleTicketType({ name: 'Standing', capacity: STANDING, perCustomerLimit: LIMIT }),
    sampleTicketType({ name: 'Stalls', capacity: 0, priceMinor: 4_000 }),
  ];
  const start = theatre.clock.now().getTime() + 30 * 86_400_000;
  const { body: event } = await organiser.post<EventView>(
    '/events',
    sampleEvent({
      ticketTypes: types,
      startsAt: new Date(start).toISOString(),
      endsAt: new Date(start + 3_600_000).toISOString(),
    }),
  );
  const [standing, seated] = event.ticketTypes.map((type) => type.id) as [string, string];
  const seats = Array.from({ length: SEATS_IN_ROW }, (_, i) => ({ number: String(i + 1) }));
  const rows = Array.from({ length: ROWS }, (_, i) => ({ label: String(i + 1), seats }));
  const map = await organiser.put<SeatMapView>(`/events/${event.id}/seat-map`, {
    sections: [{ name: 'Stalls', ticketTypeId: seated, rows }],
  });
  if (map.status !== 200) throw new Error(`the hall has no seats: ${JSON.stringify(map.body)}`);
  const ids = map.body.sections.flatMap((section) =>
    section.rows.flatMap((row) => row.seats.map(({ id }) => id)),
  );
  return { eventId: event.id, standing, seated, seats: ids };
}
