import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { createApp } from '../../src/api/app.ts';
import type { EventView } from '../../src/domain/events/schema.ts';
import type { ReservationView } from '../../src/domain/inventory/schema.ts';
import type { OrderAnswer } from '../../src/domain/orders/schema.ts';
import type { BookingView } from '../../src/domain/payments/schema.ts';
import type { LockView, SeatMapView } from '../../src/domain/seats/schema.ts';
import { serveHttp } from '../../src/main/serve-http.ts';
import { paymentOf } from '../support/provider-books.ts';
import { sampleEvent, samplePurchase, sampleTicketType } from '../support/samples.ts';
import { type Caller, callerOf, createSellingWorld, type SellingWorld } from '../support/selling-world.ts';
import { MINUTE } from '../support/test-clock.ts';
import { issueToken } from '../support/test-context.ts';
import { startWorkers } from '../support/test-workers.ts';

const amqp = inject('amqp');
const redis = inject('redis');
const FAR = { startsAt: '2199-01-01T20:00:00Z', endsAt: '2199-01-01T23:00:00Z' };
const CREATE = 'POST /v1/payment_intents';
const CONFIRM = 'POST /v1/payment_intents/{id}/confirm';
const VISA = { token: 'pm_card_visa' };

type Refused = { code: string; unavailable: string[]; failureCode: string };

/** The failures that the design documents name, and what must follow from each. */
describe.skipIf(amqp === null || redis === null)(
  `what goes wrong${amqp && redis ? '' : ' (left out: needs RabbitMQ and Redis)'}`,
  () => {
    let world: SellingWorld;
    let organiser: Caller;
    let alice: Caller;
    let bob: Caller;
    let email: string;

    beforeAll(async () => {
      world = await createSellingWorld();
      [organiser, alice, bob] = await Promise.all([
        world.as('olga', 'organiser'),
        world.as('alice'),
        world.as('bob'),
      ]);
    });
    afterAll(() => world.close());
    beforeEach(() => {
      email = `${randomUUID()}@example.com`;
    });

    const query = async (text: string, values: unknown[] = []) =>
      (await world.ctx.database.owner.query(text, values)).rows;
    const counters = async (typeId: string) =>
      (await query('select held, sold from inventory where ticket_type_id = $1', [typeId]))[0];
    const mailed = (to: string, words: string) =>
      world.workers.until(`a mail to ${to} with "${words}"`, async () =>
        world.workers.mails(to).some(({ text }) => text.includes(words)),
      );
    const intentsOf = (orderId: string) =>
      [...world.stripe.intents.values()].filter(({ metadata }) => metadata.order === orderId);

    async function openSale(type: Record<string, unknown> = {}) {
      const input = sampleEvent({ ...FAR, ticketTypes: [sampleTicketType(type)] });
      const { body: event } = await organiser<EventView>('POST', '/events', input);
      const [wanted] = event.ticketTypes;
      if (!wanted) throw new Error('no ticket type');
      return { event, type: wanted };
    }

    async function openHall(seats = 4) {
      const { event, type } = await openSale({ capacity: 1 });
      const row = { label: '1', seats: Array.from({ length: seats }, (_, i) => ({ number: String(i + 1) })) };
      const { body } = await organiser<SeatMapView>('PUT', `/events/${event.id}/seat-map`, {
        sections: [{ name: 'Stalls', ticketTypeId: type.id, rows: [row] }],
      });
      return { event, type, seatIds: body.sections[0]?.rows[0]?.seats.map(({ id }) => id) ?? [] };
    }

    const lock = (caller: Caller, eventId: string, seatIds: string[]) =>
      caller<LockView & Refused>('POST', '/seats/lock', { eventId, seatIds });
    const book = (caller: Caller, lockId: string, payment = VISA, key = randomUUID()) =>
      caller<OrderAnswer & Refused>(
        'POST',
        '/bookings',
        { lockId, customerName: 'Alice Example', customerEmail: email, payment },
        { key },
      );
    const purchase = (
      caller: Caller,
      type: { id: string; eventId: string },
      overrides: Record<string, unknown> = {},
      key = randomUUID(),
    ) =>
      caller<OrderAnswer & Refused>(
        'POST',
        '/tickets/purchase',
        samplePurchase(type, { payment: VISA, customerEmail: email, ...overrides }),
        { key },
      );
    const seatStates = async (eventId: string) => {
      const { body } = await alice<SeatMapView>('GET', `/events/${eventId}/seat-map`);
      return body.sections[0]?.rows[0]?.seats.map(({ state }) => state);
    };

    describe('a seat lock that times out', () => {
      it('is released after five minutes, its owner is told and may try again', async () => {
        const carol = await world.as('carol');
        const { type: earlier } = await openSale();
        expect((await purchase(carol, earlier)).status).toBe(201);
        await mailed(email, 'is yours');
        await world.workers.until(
          'her profile',
          async () =>
            (await query(`select from users where user_id = 'carol' and email = $1`, [email])).length === 1,
        );
        const { event, type, seatIds } = await openHall();
        const { body: first } = await lock(carol, event.id, seatIds.slice(0, 2));
        expect(await seatStates(event.id)).toEqual(['held', 'held', 'available', 'available']);
        world.clock.advance(5 * MINUTE);
        await mailed(email, `${first.lockId} has run out`);
        expect(await counters(type.id)).toEqual({ held: 0, sold: 0 });
        expect(await seatStates(event.id)).toEqual(Array(4).fill('available'));
        const asked = world.stripe.requests.length;
        expect(await book(carol, first.lockId)).toMatchObject({
          status: 409,
          body: { code: 'hold_expired' },
        });
        expect(world.stripe.requests, 'nobody was charged').toHaveLength(asked);
        const again = await lock(carol, event.id, seatIds.slice(0, 2));
        expect(again.status).toBe(201);
        expect((await book(carol, again.body.lockId)).status).toBe(201);
      });

      it('tells also who buys here for the first time, by the address that the lock came with', async () => {
        const newcomer = await world.as('newcomer');
        const address = `${randomUUID()}@example.com`;
        const { event, seatIds } = await openHall();
        const { body } = await newcomer<LockView>('POST', '/seats/lock', {
          eventId: event.id,
          seatIds: seatIds.slice(0, 1),
          customerName: 'New Comer',
          customerEmail: address,
        });
        world.clock.advance(5 * MINUTE);
        await mailed(address, `${body.lockId} has run out`);
      });

      it('loses its seats to the next, and its owner does not get them back by paying', async () => {
        const { event, type, seatIds } = await openHall(1);
        const { body: first } = await lock(alice, event.id, seatIds);
        world.clock.advance(5 * MINUTE);
        const next = await lock(bob, event.id, seatIds);
        expect(next.status).toBe(201);
        expect(await book(alice, first.lockId)).toMatchObject({
          status: 409,
          body: { code: 'hold_expired' },
        });
        expect((await book(bob, next.body.lockId)).status).toBe(201);
        expect(await counters(type.id)).toEqual({ held: 0, sold: 1 });
      });
    });

    describe('a payment that fails', () => {
      it('is tried again when the gateway has an error, and the buyer notices nothing', async () => {
        const { event, seatIds } = await openHall();
        const { body } = await lock(alice, event.id, seatIds.slice(0, 1));
        world.stripe.fail(CREATE, { do: 'answer', status: 503 });
        world.stripe.fail(CONFIRM, { do: 'answer', status: 503 });
        const booked = await book(alice, body.lockId);
        expect(booked.status).toBe(201);
        expect(intentsOf(booked.body.orderId)).toMatchObject([{ amount_received: 2_500 }]);
        await mailed(email, 'is yours');
      });

      it.each([
        ['the gateway stays away', 'provider_unavailable', VISA],
        ['the card is refused', 'generic_decline', { token: 'pm_card_visa_chargeDeclined' }],
      ])('releases the seats and tells the buyer when %s', async (_name, failureCode, payment) => {
        const { event, type, seatIds } = await openHall();
        const { body } = await lock(alice, event.id, seatIds.slice(0, 2));
        if (payment === VISA) world.stripe.fail(CREATE, { do: 'answer', status: 503, times: 3 });
        expect(await book(alice, body.lockId, payment)).toMatchObject({
          status: 402,
          body: { code: 'payment_failed', failureCode },
        });
        expect(await counters(type.id)).toEqual({ held: 0, sold: 0 });
        expect(await seatStates(event.id)).toEqual(Array(4).fill('available'));
        await mailed(email, 'your places are on sale again');
        const next = await lock(bob, event.id, seatIds.slice(0, 2));
        expect((await book(bob, next.body.lockId)).status).toBe(201);
      });

      it('whose outcome nobody knows is found out in the background, and charged once', async () => {
        const { event, type, seatIds } = await openHall();
        const { body: locked } = await lock(alice, event.id, seatIds.slice(0, 1));
        world.stripe.fail(CONFIRM, { do: 'hang', when: 'after', times: 3 });
        const pending = await book(alice, locked.lockId);
        expect(pending.status).toBe(202);
        expect(await lock(bob, event.id, seatIds.slice(0, 1))).toMatchObject({ status: 409 });
        world.clock.advance(MINUTE);
        await mailed(email, 'is yours');
        expect(await counters(type.id)).toEqual({ held: 0, sold: 1 });
        expect(intentsOf(pending.body.orderId)).toMatchObject([{ amount_received: 2_500 }]);
        const { body } = await alice<BookingView>('GET', `/bookings/${pending.body.orderId}`);
        expect(body).toMatchObject({ status: 'paid', tickets: [{ seat: 'Stalls 1-1' }] });
      });

      it('and comes through when the seats are gone is paid back, and the buyer told', async () => {
        const { event, type, seatIds } = await openHall(1);
        const { body: locked } = await lock(alice, event.id, seatIds);
        const pending = await book(alice, locked.lockId, { token: 'pm_card_authenticationRequired' });
        expect(pending.status).toBe(202);
        const late = email;
        email = `${randomUUID()}@example.com`;
        world.clock.advance(16 * MINUTE);
        const next = await lock(bob, event.id, seatIds);
        expect((await book(bob, next.body.lockId)).status).toBe(201);
        const [intent] = intentsOf(pending.body.orderId);
        world.stripe.authenticate(intent?.id ?? '', 'succeeds');
        const notice = world.stripe.event('payment_intent.succeeded', intent, { at: world.clock.now() });
        const posted = await callerOf(world.url)('POST', '/payments/webhook/stripe', notice.body, {
          headers: notice.headers,
        });
        expect(posted).toMatchObject({ status: 200, body: { outcome: 'handled' } });
        await mailed(late, 'came too late');
        await mailed(late, '25.00 EUR are on their way back');
        await world.workers.until('the money', async () =>
          [...world.stripe.refunds.values()].some(
            ({ payment_intent, amount }) => payment_intent === intent?.id && amount === 2_500,
          ),
        );
        expect(await counters(type.id)).toEqual({ held: 0, sold: 1 });
      });
    });

    describe('a double booking', () => {
      it('is refused to all but one of those who want a seat at once, and they keep no other seat', async () => {
        const { event, type, seatIds } = await openHall(21);
        const [wanted = '', ...rest] = seatIds;
        const callers = await Promise.all(rest.map((_, i) => world.as(`fan-${i}`)));
        const answers = await Promise.all(
          callers.map((caller, i) => lock(caller, event.id, [wanted, rest[i] ?? ''])),
        );
        expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
        const losers = answers.filter(({ status }) => status === 409);
        expect(losers).toHaveLength(19);
        for (const { body } of losers)
          expect([body.code, body.unavailable]).toEqual(['seats_unavailable', [wanted]]);
        expect(await counters(type.id)).toEqual({ held: 2, sold: 0 });
        expect((await seatStates(event.id))?.filter((state) => state === 'held')).toHaveLength(2);
      });

      it('of one lock sells its seats once and charges once', async () => {
        const { event, type, seatIds } = await openHall(2);
        const { body } = await lock(alice, event.id, seatIds);
        const asked = world.stripe.requests.filter(({ name }) => name === CONFIRM).length;
        const answers = await Promise.all(Array.from({ length: 6 }, () => book(alice, body.lockId)));
        expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
        expect(answers.filter(({ body }) => body.code === 'hold_used')).toHaveLength(5);
        expect(world.stripe.requests.filter(({ name }) => name === CONFIRM)).toHaveLength(asked + 1);
        expect(await counters(type.id)).toEqual({ held: 0, sold: 2 });
      });

      it('of a seat that is sold is refused, also when Redis forgot everything', async () => {
        const { event, seatIds } = await openHall(2);
        const { body } = await lock(alice, event.id, seatIds);
        await forgetEverything();
        expect(await lock(bob, event.id, seatIds)).toMatchObject({
          status: 409,
          body: { code: 'seats_unavailable', unavailable: expect.arrayContaining(seatIds) },
        });
        expect((await book(alice, body.lockId)).status).toBe(201);
        await forgetEverything();
        expect((await lock(bob, event.id, seatIds)).status).toBe(409);
      });
    });

    describe('a reservation', () => {
      const reserve = (caller: Caller, type: { id: string; eventId: string }, quantity = 1) => {
        const { payment: _payment, ...wish } = samplePurchase(type, { quantity, customerEmail: email });
        return caller<ReservationView & Refused>('POST', '/tickets/reserve', wish);
      };
      const available = async (eventId: string) =>
        (await alice<{ ticketTypes: { available: number }[] }>('GET', `/events/${eventId}/availability`)).body
          .ticketTypes[0]?.available;

      it('that runs out gives its places back by itself, and its owner is told', async () => {
        const { event, type } = await openSale({ capacity: 2 });
        const { body } = await reserve(alice, type, 2);
        expect(await available(event.id)).toBe(0);
        expect(await reserve(bob, type)).toMatchObject({ status: 409, body: { code: 'sold_out' } });
        world.clock.advance(15 * MINUTE);
        await mailed(email, `${body.reservationId} has run out`);
        expect(await available(event.id)).toBe(2);
        expect(await alice('GET', `/tickets/reservation/${body.reservationId}`)).toMatchObject({
          status: 404,
        });
        const late = await alice<Refused>('POST', '/tickets/purchase', {
          reservationId: body.reservationId,
          payment: VISA,
        });
        expect(late).toMatchObject({ status: 409, body: { code: 'hold_expired' } });
      });

      it('that is called off gives its places back at once, and cannot be called off twice', async () => {
        const { event, type } = await openSale({ capacity: 2 });
        const { body } = await reserve(alice, type, 2);
        const path = `/tickets/reservation/${body.reservationId}`;
        expect((await alice('DELETE', path)).status).toBe(200);
        expect(await available(event.id)).toBe(2);
        expect(await alice('DELETE', path)).toMatchObject({ status: 409, body: { code: 'hold_over' } });
        expect(await alice('DELETE', '/tickets/reservation/RES_20260101000000_ABCDEFGH')).toMatchObject({
          status: 404,
        });
      });
    });

    describe('an error', () => {
      it.each<
        [
          string,
          number,
          string,
          (type: { id: string; eventId: string }) => Promise<{ status: number; body: unknown }>,
        ]
      >([
        ['in the form', 400, 'validation_failed', (type) => purchase(alice, type, { quantity: 0 })],
        ['without a token', 401, 'unauthenticated', (type) => purchase(callerOf(world.url), type)],
        ['of the role', 403, 'forbidden', async (type) => purchase(await world.as('gate', 'scanner'), type)],
        ['of the business', 409, 'sold_out', (type) => purchase(alice, type, { quantity: 5 })],
        [
          'in the key',
          422,
          'idempotency_key_reused',
          async (type) => {
            const key = randomUUID();
            await purchase(alice, type, {}, key);
            return purchase(alice, type, { quantity: 2 }, key);
          },
        ],
      ])('%s is a %s with the code %s', async (_name, status, code, request) => {
        const { type } = await openSale({ capacity: 4 });
        expect(await request(type)).toMatchObject({ status, body: { status, code } });
      });

      it('of haste is a 429 that says when to come back', async () => {
        const slow = { ...world.ctx.config, RATE_LIMIT_PER_MINUTE: 3 };
        const stop = new AbortController();
        const server = await serveHttp(createApp({ ...world.ctx, config: slow }), {
          host: '127.0.0.1',
          port: 0,
          signal: stop.signal,
        });
        const token = await issueToken({ tenantId: world.tenantId, subject: 'hasty', role: 'buyer' });
        const hasty = callerOf(server.url, token);
        const answers = [];
        for (let i = 0; i < 5; i++) answers.push(await hasty('GET', '/events'));
        expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 429, 429]);
        expect(Number(answers[3]?.headers.get('retry-after'))).toBeGreaterThan(0);
        expect(answers[3]?.body).toMatchObject({ code: 'rate_limited' });
        stop.abort();
        await server.closed;
      });

      it('of the database is a 503 that says when to come back, and goes away by itself', async () => {
        const { type } = await openSale();
        const [{ name }] = await query('select current_database() as name');
        const operator = new pg.Client({ connectionString: inject('postgres') });
        await operator.connect();
        try {
          await operator.query(`alter database ${name} allow_connections false`);
          await operator.query('select pg_terminate_backend(pid) from pg_stat_activity where datname = $1', [
            name,
          ]);
          const down = await purchase(alice, type);
          expect(down).toMatchObject({ status: 503, body: { code: 'database_unavailable' } });
          expect(Number(down.headers.get('retry-after'))).toBeGreaterThan(0);
        } finally {
          await operator.query(`alter database ${name} allow_connections true`);
          await operator.end();
        }
        const sold = await world.workers.until('a sale', async () => {
          const answer = await purchase(alice, type);
          return answer.status === 201 && answer;
        });
        await mailed(email, 'is yours');
        expect(await paymentOf(world.ctx, sold.body.orderId)).toMatchObject({ orderStatus: 'paid' });
      });
    });

    it('a background service that is away loses nothing: the sale goes on, and it catches up', async () => {
      await world.workers.stop();
      const { event, type } = await openSale();
      const { body: order } = await purchase(alice, type, { quantity: 2 });
      expect(order.status).toBe('paid');
      const { body: transaction } = await alice('GET', `/transactions/${order.transactionId}`);
      expect(transaction, 'nobody waits for the service to know').toMatchObject({ status: 'completed' });
      const record = async () =>
        (await query('select status from event_ticket_transactions where order_id = $1', [order.orderId]))[0];
      expect(await record()).toEqual({ status: 'pending' });
      expect(await query('select from outbox where id = $1', [order.orderId])).toHaveLength(1);
      world.workers = await startWorkers(world.ctx);
      await mailed(email, 'your 2 tickets');
      await world.workers.until('the record', async () => (await record())?.status === 'completed');
      await world.workers.until(
        'an empty outbox',
        async () => (await query('select from outbox where id = $1', [order.orderId])).length === 0,
      );
      expect(world.workers.mails(email)).toHaveLength(1);
      const counted = await query(
        `select count::integer, amount_minor::integer as amount from event_statistics where event_id = $1 and kind = 'ticket.purchased'`,
        [event.id],
      );
      expect(counted).toMatchObject([{ amount: 5_000 }]);
      expect(await query('select from capacity_drift')).toEqual([]);
    });

    /** What belongs to this world; others share the server. */
    async function forgetEverything(): Promise<void> {
      const client = new Redis(redis ?? '');
      const keys = await client.keys(`*t:${world.tenantId}:*`);
      expect(keys.length).toBeGreaterThan(0);
      await client.del(...keys);
      client.disconnect();
    }
  },
);
