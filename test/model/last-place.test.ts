import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApp } from '../../src/api/app.ts';
import type { EventView } from '../../src/domain/events/schema.ts';
import type { SeatMapView } from '../../src/domain/seats/schema.ts';
import { openSale, sampleEvent, samplePurchase, sampleTicketType } from '../support/samples.ts';
import {
  type Client,
  clientOf,
  createTestContext,
  createTestTenant,
  issueToken,
  type TestContext,
  type TestTenant,
} from '../support/test-context.ts';

/** How often the crowd comes. The whole proof is `ROUNDS=500`. */
const ROUNDS = Number(process.env.ROUNDS ?? 25);
const CROWD = 200;
const TIMEOUT_MS = 10_000 + ROUNDS * 2_000;

let ctx: TestContext;
let tenant: TestTenant;
/** Half of them at one API, half at another, each with lanes and a gate of its own. */
let crowd: Client[];

beforeAll(async () => {
  ctx = await createTestContext();
  const apps = [createApp(ctx), createApp(ctx)] as const;
  tenant = await createTestTenant(ctx, apps[0]);
  const { tenantId } = tenant;
  crowd = await Promise.all(
    Array.from({ length: CROWD }, async (_, i) =>
      clientOf(
        apps[i % 2] as (typeof apps)[0],
        await issueToken({ tenantId, subject: `buyer-${i}`, role: 'buyer' }),
      ),
    ),
  );
});
afterAll(() => ctx.close());

const ask = async (text: string, value: string) => (await ctx.database.owner.query(text, [value])).rows;

/** How many came to what. */
const tally = (answers: { status: number; body: unknown }[]): Record<string, number> =>
  Object.fromEntries(
    [
      ...Map.groupBy(answers, ({ status, body }) =>
        `${status} ${(body as { code?: string }).code ?? ''}`.trim(),
      ),
    ].map(([outcome, own]) => [outcome, own.length]),
  );

describe(`${CROWD} buyers at once, ${ROUNDS} times`, () => {
  it(
    'for the last ticket: one of them gets it',
    async () => {
      for (let round = 0; round < ROUNDS; round++) {
        const { type } = await openSale(tenant, { type: { capacity: 1 } });
        const body = samplePurchase(type);
        const answers = await Promise.all(
          crowd.map((buyer) => buyer.post('/tickets/purchase', body, { key: randomUUID() })),
        );
        expect(tally(answers)).toEqual({ 201: 1, '409 sold_out': CROWD - 1 });
        const [books] = await ask(
          `select i.sold, i.held,
           (select count(*)::integer from tickets t where t.tenant_id = i.tenant_id and t.ticket_type_id = i.ticket_type_id) as tickets,
           (select count(*)::integer from orders o where o.tenant_id = i.tenant_id and o.event_id = i.event_id) as orders
         from inventory i where ticket_type_id = $1`,
          type.id,
        );
        expect(books).toEqual({ sold: 1, held: 0, tickets: 1, orders: 1 });
      }
    },
    TIMEOUT_MS,
  );

  it(
    'for the last pair of adjacent seats, by name or best available: one of them gets both',
    async () => {
      for (let round = 0; round < ROUNDS; round++) {
        const { eventId, typeId, seatIds } = await openPair();
        const wishes = [{ seatIds }, { bestAvailable: { ticketTypeId: typeId, quantity: 2 } }];
        const answers = await Promise.all(
          crowd.map((buyer, i) =>
            buyer.post('/seats/lock', { eventId, ...wishes[(i >> 1) % 2] }, { key: randomUUID() }),
          ),
        );
        const { 201: won, ...lost } = tally(answers);
        expect(won).toBe(1);
        expect(Object.keys(lost).sort()).toEqual(['409 no_adjacent_seats', '409 seats_unavailable']);
        const locks = await ask(`select seat_ids, state from holds where event_id = $1`, eventId);
        expect(locks).toEqual([
          { seat_ids: expect.toSatisfy((ids: string[]) => sameMembers(ids, seatIds)), state: 'active' },
        ]);
      }
    },
    TIMEOUT_MS,
  );
});

/** A hall of three seats in which the outer one is taken out of sale: one pair is left. */
async function openPair(): Promise<{ eventId: string; typeId: string; seatIds: string[] }> {
  const input = sampleEvent({ ticketTypes: [sampleTicketType({ capacity: 0 })] });
  const { body: event } = await tenant.organiser.post<EventView>('/events', input);
  const typeId = event.ticketTypes[0]?.id as string;
  const seats = [{ number: '1', blocked: true }, { number: '2' }, { number: '3' }];
  const { body: map } = await tenant.organiser.put<SeatMapView>(`/events/${event.id}/seat-map`, {
    sections: [{ name: 'Stalls', ticketTypeId: typeId, rows: [{ label: 'A', seats }] }],
  });
  const row = map.sections[0]?.rows[0]?.seats ?? [];
  return { eventId: event.id, typeId, seatIds: row.slice(1).map(({ id }) => id) };
}

function sameMembers(one: string[], other: string[]): boolean {
  return one.length === other.length && one.every((member) => other.includes(member));
}
