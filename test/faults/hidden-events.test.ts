import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApp } from '../../src/api/app.ts';
import type { EventView } from '../../src/domain/events/schema.ts';
import type { SeatMapView } from '../../src/domain/seats/schema.ts';
import { withoutRequestId } from '../http/support/problems.ts';
import { openSale, sampleEvent, samplePurchase, sampleTicketType } from '../support/samples.ts';
import {
  type Client,
  createTestContext,
  createTestTenant,
  type TestContext,
  type TestTenant,
} from '../support/test-context.ts';

let ctx: TestContext;
let tenant: TestTenant;

beforeAll(async () => {
  ctx = await createTestContext();
  tenant = await createTestTenant(ctx, createApp(ctx));
});
afterAll(() => ctx.close());

type Place = { eventId: string; typeId: string; seatId: string };

/** A hall that was on sale, and one seat of which somebody has locked, taken off the list. */
async function hide(): Promise<Place & { seated: Place }> {
  const { event, type } = await openSale(tenant);
  const input = sampleEvent({ ticketTypes: [sampleTicketType({ capacity: 1 })] });
  const { body: hall } = await tenant.organiser.post<EventView>('/events', input);
  const typeId = hall.ticketTypes[0]?.id ?? '';
  const row = { label: '1', seats: [{ number: '1' }, { number: '2' }] };
  const { body: map } = await tenant.organiser.put<SeatMapView>(`/events/${hall.id}/seat-map`, {
    sections: [{ name: 'Stalls', ticketTypeId: typeId, rows: [row] }],
  });
  const seatId = map.sections[0]?.rows[0]?.seats[0]?.id ?? '';
  const locked = await tenant.bob.post(
    '/seats/lock',
    { eventId: hall.id, seatIds: [seatId] },
    { key: randomUUID() },
  );
  expect(locked.status).toBe(201);
  for (const id of [event.id, hall.id])
    expect((await tenant.organiser.patch(`/events/${id}`, { isActive: false })).status).toBe(200);
  const seated = { eventId: hall.id, typeId, seatId };
  return { eventId: event.id, typeId: type.id, seatId: randomUUID(), seated };
}

const attempts: Record<string, (client: Client, at: Place & { seated: Place }) => ReturnType<Client['get']>> =
  {
    'GET /events/{id}': (client, { eventId }) => client.get(`/events/${eventId}`),
    'GET /events/{id}/availability': (client, { eventId }) => client.get(`/events/${eventId}/availability`),
    'GET /events/{id}/seat-map': (client, { seated }) => client.get(`/events/${seated.eventId}/seat-map`),
    'GET /ticket-types/{id}': (client, { typeId }) => client.get(`/ticket-types/${typeId}`),
    'POST /tickets/reserve': (client, { eventId, typeId }) => {
      const { payment: _payment, ...wish } = samplePurchase({ id: typeId, eventId });
      return client.post('/tickets/reserve', wish, { key: randomUUID() });
    },
    'POST /tickets/purchase': (client, { eventId, typeId }) =>
      client.post('/tickets/purchase', samplePurchase({ id: typeId, eventId }), { key: randomUUID() }),
    'POST /seats/lock': (client, { seated }) =>
      client.post(
        '/seats/lock',
        { eventId: seated.eventId, seatIds: [seated.seatId] },
        { key: randomUUID() },
      ),
    'POST /seats/lock of the best': (client, { seated }) => {
      const bestAvailable = { ticketTypeId: seated.typeId, quantity: 1 };
      return client.post('/seats/lock', { eventId: seated.eventId, bestAvailable }, { key: randomUUID() });
    },
    'POST /ticket-types/{id}/waiting-list': (client, { typeId }) =>
      client.post(`/ticket-types/${typeId}/waiting-list`, {
        quantity: 1,
        customerName: 'Carol Example',
        customerEmail: 'carol@example.com',
      }),
  };

describe('an event that was hidden', () => {
  it.each(Object.entries(attempts))('is not there for a buyer: %s', async (_name, attempt) => {
    const place = await hide();
    const carol = await tenant.as('carol', 'buyer');
    const hidden = await attempt(carol, place);
    const missing = { eventId: randomUUID(), typeId: randomUUID(), seatId: randomUUID() };
    const never = await attempt(carol, { ...missing, seated: { ...missing, eventId: randomUUID() } });
    expect(hidden.status).toBe(404);
    expect(withoutRequestId(hidden)).toEqual(withoutRequestId(never));
  });

  it('is told to staff for what it is', async () => {
    const place = await hide();
    for (const name of ['POST /tickets/reserve', 'POST /tickets/purchase', 'POST /seats/lock'])
      expect(await attempts[name]?.(tenant.support, place)).toMatchObject({
        status: 409,
        body: { code: 'not_on_sale' },
      });
  });
});
