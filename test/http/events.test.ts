import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type App, createApp } from '../../src/api/app.ts';
import type { EventView } from '../../src/domain/events/schema.ts';
import {
  buy,
  openSale,
  putOnChain,
  sampleEvent,
  samplePurchase,
  sampleTicketType,
} from '../support/samples.ts';
import {
  type Client,
  createTestContext,
  createTestTenant,
  type TestContext,
  type TestTenant,
} from '../support/test-context.ts';
import { digestDatabase, expectProblem } from './support/problems.ts';

type List = { items: EventView[]; nextCursor: string | null };

let ctx: TestContext;
let app: App;
let tenant: TestTenant;

beforeAll(async () => {
  ctx = await createTestContext();
  app = createApp(ctx);
  tenant = await createTestTenant(ctx, app);
});
afterAll(() => ctx.close());

async function create(overrides: Record<string, unknown> = {}, by = tenant): Promise<EventView> {
  const { status, body } = await by.organiser.post<EventView>('/events', sampleEvent(overrides));
  expect(status).toBe(201);
  return body;
}

/** What can be edited of what GET gave. */
function editable(event: EventView, changes: Record<string, unknown> = {}) {
  const { id, ticketTypes, totalCapacity, createdAt, updatedAt, version, ...rest } = event;
  return { ...rest, ...changes };
}

const audit = async (subject: string) =>
  (
    await ctx.database.owner.query('select actor, action from audit_log where subject = $1 order by id', [
      subject,
    ])
  ).rows;

describe('POST /events', () => {
  it('keeps everything that it was given, and shows it to all of the tenant', async () => {
    const input = {
      title: 'Hamlet',
      description: 'A tragedy.\nFive acts.',
      venue: 'The Globe',
      venueAddress: '21 New Globe Walk',
      startsAt: '2030-05-01T20:30:00+02:00',
      endsAt: '2030-05-01T23:00:00+02:00',
      doorsOpenAt: '2030-05-01T19:30:00+02:00',
      currency: 'GBP',
      transferPolicy: 'organiser_approved',
      resaleCapBps: 11_000,
      isActive: true,
      ticketTypes: [
        sampleTicketType({ name: 'Pit', priceMinor: 500, capacity: 700 }),
        sampleTicketType({
          name: 'Gallery',
          priceMinor: 6_200,
          capacity: 300,
          maxEntries: 3,
          perOrderLimit: 4,
        }),
      ],
    };
    const { status, body } = await tenant.organiser.post<EventView>('/events', input);
    expect(status).toBe(201);
    const { ticketTypes, ...rest } = input;
    expect(body).toMatchObject({
      ...rest,
      startsAt: '2030-05-01T18:30:00.000Z',
      endsAt: '2030-05-01T21:00:00.000Z',
      doorsOpenAt: '2030-05-01T17:30:00.000Z',
      totalCapacity: 1_000,
      version: 1,
      ticketTypes: ticketTypes.map((type) => ({ ...type, currency: 'GBP', eventId: body.id, version: 1 })),
    });
    expect(body.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7/);
    for (const client of [tenant.alice, tenant.scanner, tenant.support]) {
      expect((await client.get(`/events/${body.id}`)).body).toEqual(body);
    }
    expect(await audit(body.id)).toEqual([{ actor: 'jwt:olga', action: 'event.created' }]);
  });

  it('fills in what was left out', async () => {
    const event = await create({ ticketTypes: undefined });
    expect(event).toMatchObject({
      description: '',
      venueAddress: '',
      doorsOpenAt: null,
      transferPolicy: 'open',
      resaleCapBps: 10_000,
      isActive: true,
      totalCapacity: 0,
      ticketTypes: [],
    });
  });

  it('has ticket types with rules of their own', async () => {
    const { ticketTypes } = await create({ ticketTypes: [sampleTicketType()] });
    expect(ticketTypes).toMatchObject([
      {
        description: '',
        salesStartAt: null,
        salesEndAt: null,
        perOrderLimit: 10,
        maxEntries: 1,
        isActive: true,
      },
    ]);
  });

  const now = Date.now();
  const at = (hours: number) => new Date(now + hours * 3_600_000).toISOString();
  it.each<[string, Record<string, unknown>]>([
    ['no title', { title: undefined }],
    ['an empty title', { title: '' }],
    ['a title of 201 characters', { title: 'x'.repeat(201) }],
    ['a description of 4001 characters', { description: 'x'.repeat(4_001) }],
    ['no venue', { venue: undefined }],
    ['no start', { startsAt: undefined }],
    ['a start that is no time', { startsAt: 'tomorrow' }],
    ['a start that is a number', { startsAt: now }],
    ['a day that there is not', { startsAt: '2030-02-30T00:00:00Z' }],
    ['an hour that there is not', { startsAt: '2030-02-03T25:00:00Z' }],
    ['a start without an offset', { startsAt: '2030-02-03T12:00:00' }],
    ['a start in the year 9999', { startsAt: '9999-01-01T00:00:00Z', endsAt: '9999-01-02T00:00:00Z' }],
    ['an end before the start', { endsAt: at(1) }],
    ['an end at the start', { startsAt: at(2), endsAt: at(2) }],
    ['doors that open after the start', { doorsOpenAt: at(2.5), startsAt: at(2), endsAt: at(5) }],
    ['a currency in small letters', { currency: 'eur' }],
    ['a currency of four letters', { currency: 'EURO' }],
    ['a currency and a line break', { currency: 'EUR\n' }],
    ['an unknown transfer policy', { transferPolicy: 'constructor' }],
    ['a negative resale cap', { resaleCapBps: -1 }],
    ['a resale cap that is too high', { resaleCapBps: 65_536 }],
    ['a flag in quotes', { isActive: 'true' }],
    ['ticket types that are no list', { ticketTypes: {} }],
    ['51 ticket types', { ticketTypes: Array.from({ length: 51 }, () => sampleTicketType()) }],
    ['a negative price', { ticketTypes: [sampleTicketType({ priceMinor: -1 })] }],
    ['a price in fractions', { ticketTypes: [sampleTicketType({ priceMinor: 0.5 })] }],
    ['a price beyond all bounds', { ticketTypes: [sampleTicketType({ priceMinor: 1_000_000_000_001 })] }],
    ['a capacity beyond all bounds', { ticketTypes: [sampleTicketType({ capacity: 10_000_001 })] }],
    ['a negative capacity', { ticketTypes: [sampleTicketType({ capacity: -1 })] }],
    ['an order limit of 11', { ticketTypes: [sampleTicketType({ perOrderLimit: 11 })] }],
    ['no entries', { ticketTypes: [sampleTicketType({ maxEntries: 0 })] }],
    [
      'a sale that ends before it begins',
      { ticketTypes: [sampleTicketType({ salesStartAt: at(2), salesEndAt: at(1) })] },
    ],
    ['an id of its own', { id: randomUUID() }],
    ['a version of its own', { version: 7 }],
    ['a tenant of its own', { tenantId: randomUUID() }],
    ['a ticket type that was sold already', { ticketTypes: [sampleTicketType({ sold: 5 })] }],
  ])('refuses %s and writes nothing', async (_name, overrides) => {
    const before = await digestDatabase(ctx);
    const answer = await tenant.organiser.post('/events', sampleEvent(overrides));
    expectProblem(answer, 400, 'validation_failed');
    expect(await digestDatabase(ctx)).toBe(before);
  });

  it('takes everything up to its bounds', async () => {
    const event = await create({
      title: 'x'.repeat(200),
      description: '🎭'.repeat(2_000),
      resaleCapBps: 65_535,
      startsAt: '2199-12-31T00:00:00Z',
      endsAt: '2199-12-31T23:59:59.999Z',
      ticketTypes: Array.from({ length: 50 }, (_, i) =>
        sampleTicketType({ name: `Type ${i}`, priceMinor: 1_000_000_000_000, capacity: 10_000_000 }),
      ),
    });
    expect(event.totalCapacity).toBe(500_000_000);
    expect(event.ticketTypes.map(({ name }) => name)).toEqual(
      Array.from({ length: 50 }, (_, i) => `Type ${i}`),
    );
    expect(event.ticketTypes[0]?.priceMinor).toBe(1_000_000_000_000);
  });
});

describe('GET /events', () => {
  let many: TestTenant;
  let events: EventView[];
  const day = (i: number) => `2031-01-${String(i).padStart(2, '0')}T20:00:00.000Z`;
  beforeAll(async () => {
    many = await createTestTenant(ctx, app, 'Many');
    const input = [5, 3, 3, 3, 1, 4, 2].map((i, n) => ({
      title: ['Hamlet', 'hamlet II', '100% Theatre', 'A_B', 'Macbeth', 'Straße', 'Lear'][n],
      venue: n % 2 ? 'The Globe' : 'The Rose',
      startsAt: day(i),
      endsAt: day(i + 1),
      isActive: n !== 5,
    }));
    events = [];
    for (const one of input) events.push(await create(one, many));
  });

  const list = async (query = '', client: Client = many.alice) => {
    const { status, body } = await client.get<List>(`/events${query}`);
    expect([query, status]).toEqual([query, 200]);
    return body;
  };
  const titles = async (query: string, client?: Client) =>
    (await list(query, client)).items.map(({ title }) => title);

  it('goes by start, the same start by age, and knows when it ends', async () => {
    const { items, nextCursor } = await list();
    expect(items.map(({ title }) => title)).toEqual([
      'Macbeth',
      'Lear',
      'hamlet II',
      '100% Theatre',
      'A_B',
      'Hamlet',
    ]);
    expect(nextCursor).toBeNull();
    expect(items[0]).toEqual(events[4]);
  });

  it.each([1, 2, 3, 5, 6, 7, 100])('shows each event once in pages of %i', async (limit) => {
    const seen: string[] = [];
    let cursor: string | null = '';
    let pages = 0;
    while (cursor !== null) {
      const query: string = `?limit=${limit}${cursor ? `&cursor=${cursor}` : ''}`;
      const page: List = await list(query);
      expect(page.items.length).toBeLessThanOrEqual(limit);
      seen.push(...page.items.map(({ id }) => id));
      cursor = page.nextCursor;
      pages++;
    }
    expect(seen).toEqual((await list()).items.map(({ id }) => id));
    expect(pages).toBe(Math.ceil(6 / limit));
  });

  it('goes on where it was, whatever came or went before', async () => {
    const early = await create({ startsAt: day(1), endsAt: day(2), title: 'Early' }, many);
    const first = await list('?limit=3');
    await many.organiser.delete(`/events/${early.id}`);
    const second = await titles(`?limit=3&cursor=${first.nextCursor}`);
    expect(second).toEqual(['hamlet II', '100% Theatre', 'A_B']);
  });

  it.each<[string, string[]]>([
    [`?startsAfter=${day(3)}`, ['hamlet II', '100% Theatre', 'A_B', 'Hamlet']],
    [`?startsBefore=${day(3)}`, ['Macbeth', 'Lear']],
    [`?startsAfter=${day(2)}&startsBefore=${day(4)}`, ['Lear', 'hamlet II', '100% Theatre', 'A_B']],
    ['?venue=The%20Globe', ['hamlet II', 'A_B']],
    ['?venue=the%20globe', []],
    ['?search=HAMLET', ['hamlet II', 'Hamlet']],
    ['?search=%25', ['100% Theatre']],
    ['?search=_', ['A_B']],
    ['?search=%27%20or%201%3D1%20--', []],
    ['?search=ham&venue=The%20Rose', ['Hamlet']],
    [`?startsAfter=${day(9)}`, []],
  ])('finds by %s', async (query, expected) => {
    expect(await titles(query)).toEqual(expected);
  });

  it('shows inactive events to staff who ask for them, and to nobody else', async () => {
    expect(await titles('?includeInactive=true', many.support)).toContain('Straße');
    expect(await titles('?includeInactive=false', many.organiser)).not.toContain('Straße');
    expect(await titles('', many.admin)).not.toContain('Straße');
    for (const client of [many.alice, many.scanner]) {
      expectProblem(await client.get('/events?includeInactive=true'), 403, 'forbidden');
    }
  });

  it('keeps filters in force on later pages only if they are given again', async () => {
    const first = await list('?limit=1&search=hamlet');
    expect(await titles(`?limit=5&search=hamlet&cursor=${first.nextCursor}`)).toEqual(['Hamlet']);
    expect(await titles(`?limit=1&cursor=${first.nextCursor}`)).toEqual(['100% Theatre']);
  });
});

describe('an inactive event', () => {
  it('is there for staff and for nobody else', async () => {
    const { id, ticketTypes } = await create({ isActive: false });
    for (const client of [tenant.organiser, tenant.support, tenant.admin]) {
      expect((await client.get(`/events/${id}`)).status).toBe(200);
      expect((await client.get(`/events/${id}/availability`)).status).toBe(200);
    }
    for (const client of [tenant.alice, tenant.scanner]) {
      expectProblem(await client.get(`/events/${id}`), 404, 'not_found');
      expectProblem(await client.get(`/events/${id}/availability`), 404, 'not_found');
    }
    const [type] = ticketTypes;
    const answer = await tenant.alice.post(
      '/tickets/purchase',
      samplePurchase({ id: type?.id ?? '', eventId: id }),
      {
        key: randomUUID(),
      },
    );
    expectProblem(answer, 404, 'not_found');
  });
});

describe('PUT /events/{id}', () => {
  it('replaces what can be edited, leaves its ticket types alone and counts the version up', async () => {
    const event = await create();
    const input = editable(event, {
      title: 'Macbeth',
      venueAddress: 'Bankside',
      isActive: false,
      transferPolicy: 'locked',
    });
    const { status, body } = await tenant.organiser.put<EventView>(`/events/${event.id}`, input);
    expect(status).toBe(200);
    expect(body).toEqual({
      ...event,
      ...input,
      version: 2,
      updatedAt: body.updatedAt,
    });
    expect(body.updatedAt > event.updatedAt).toBe(true);
    expect((await tenant.organiser.get(`/events/${event.id}`)).body).toEqual(body);
    expect((await audit(event.id)).map(({ action }) => action)).toEqual(['event.created', 'event.updated']);
  });

  it('is refused when the event changed since it was read', async () => {
    const event = await create();
    const put = (version: number | undefined, title: string) =>
      tenant.organiser.put(
        `/events/${event.id}`,
        editable(event, { title, ...(version ? { version } : {}) }),
      );
    expect((await put(1, 'First')).status).toBe(200);
    const answer = await put(1, 'Second');
    expectProblem(answer, 409, 'version_conflict');
    expect(answer.body).toMatchObject({ currentVersion: 2 });
    expect((await put(undefined, 'Whatever was there')).status).toBe(200);
    expect((await tenant.alice.get(`/events/${event.id}`)).body).toMatchObject({
      title: 'Whatever was there',
      version: 3,
    });
  });

  it('loses no change when ten come at once', async () => {
    const event = await create();
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, i) =>
        tenant.organiser.put(`/events/${event.id}`, editable(event, { title: `Title ${i}`, version: 1 })),
      ),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    for (const answer of answers.filter(({ status }) => status !== 200))
      expectProblem(answer, 409, 'version_conflict');
  });

  it('changes the currency while nothing is sold or held, and not afterwards', async () => {
    const { event, type } = await openSale(tenant);
    const put = (currency: string) =>
      tenant.organiser.put<EventView>(`/events/${event.id}`, editable(event, { currency }));
    expect((await put('CHF')).body).toMatchObject({ currency: 'CHF', ticketTypes: [{ currency: 'CHF' }] });
    const held = samplePurchase(type, { payment: { token: 'tok_requires_action' } });
    expect((await tenant.alice.post('/tickets/purchase', held, { key: randomUUID() })).status).toBe(202);
    expectProblem(await put('EUR'), 409, 'terms_fixed');
    await buy(tenant.alice, type);
    expectProblem(await put('EUR'), 409, 'terms_fixed');
    expect((await put('CHF')).status).toBe(200);
  });

  it.each([
    ['ticket types to be made', { ticketTypes: [sampleTicketType()] }],
    ['a count of sold tickets', { sold: 5 }],
    ['a version of 0', { version: 0 }],
    ['a version in quotes', { version: '1' }],
    ['an end before the start', { endsAt: '2001-01-01T00:00:00Z' }],
    ['no title', { title: undefined }],
  ])('refuses %s', async (_name, change) => {
    const event = await create();
    const answer = await tenant.organiser.put(`/events/${event.id}`, editable(event, change));
    expectProblem(answer, 400, 'validation_failed');
    expect((await tenant.organiser.get(`/events/${event.id}`)).body).toEqual(event);
  });
});

/** Until a transaction of this database stands before a lock. */
async function untilSomebodyWaits(): Promise<void> {
  for (;;) {
    const { rowCount } = await ctx.database.owner.query(
      "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
    );
    if (rowCount) return;
  }
}

describe('DELETE /events/{id}', () => {
  const inventory = async (id: string) =>
    (await ctx.database.owner.query('select from inventory where event_id = $1', [id])).rowCount;

  it('removes an event of which nothing was ordered, without a trace but in the audit log', async () => {
    const event = await create();
    await tenant.alice.get(`/events/${event.id}/availability`);
    const { status, body } = await tenant.organiser.delete(`/events/${event.id}`);
    expect([status, body]).toEqual([200, { id: event.id, outcome: 'deleted' }]);
    for (const path of [`/events/${event.id}`, `/events/${event.id}/availability`]) {
      expectProblem(await tenant.organiser.get(path), 404, 'not_found');
    }
    expectProblem(await tenant.organiser.delete(`/events/${event.id}`), 404, 'not_found');
    expect(await inventory(event.id)).toBe(0);
    expect((await audit(event.id)).map(({ action }) => action)).toEqual(['event.created', 'event.deleted']);
  });

  it('only hides an event with tickets, and they stay valid', async () => {
    const { event, type } = await openSale(tenant);
    const order = await buy(tenant.alice, type);
    const ticketId = order.tickets[0]?.id ?? '';
    await putOnChain(ctx, ticketId);
    const { body } = await tenant.organiser.delete(`/events/${event.id}`);
    expect(body).toEqual({ id: event.id, outcome: 'deactivated' });
    expectProblem(await tenant.alice.get(`/events/${event.id}`), 404, 'not_found');
    expect((await tenant.organiser.get(`/events/${event.id}`)).body).toMatchObject({
      isActive: false,
      version: 2,
    });
    const answer = await tenant.alice.post('/tickets/purchase', samplePurchase(type), { key: randomUUID() });
    expectProblem(answer, 404, 'not_found');
    const { code } = (await tenant.alice.get<{ code: string }>(`/tickets/${ticketId}/qr`)).body;
    const scan = { qr: code, eventId: event.id, nonce: randomUUID() };
    expect((await tenant.scanner.post('/tickets/validate', scan)).body).toMatchObject({ status: 'ok' });
    expect((await audit(event.id)).map(({ action }) => action)).toEqual([
      'event.created',
      'event.deactivated',
    ]);
  });

  it('only hides an event for which somebody is paying, and they get their ticket', async () => {
    const { event, type } = await openSale(tenant);
    const key = randomUUID();
    const input = samplePurchase(type, { payment: { token: 'tok_requires_action' } });
    const first = await tenant.alice.post<{ nextAction: { url: string } }>('/tickets/purchase', input, {
      key,
    });
    expect((await tenant.organiser.delete(`/events/${event.id}`)).body).toMatchObject({
      outcome: 'deactivated',
    });
    await tenant.alice.post(new URL(first.body.nextAction.url).pathname.replace('/api', ''));
    expect((await tenant.alice.post('/tickets/purchase', input, { key })).status).toBe(201);
  });

  it('sells nothing of an event that goes in the same moment', async () => {
    for (let i = 0; i < 10; i++) {
      const { event, type } = await openSale(tenant);
      const [sale, deletion] = await Promise.all([
        tenant.alice.post('/tickets/purchase', samplePurchase(type), { key: randomUUID() }),
        tenant.organiser.delete<{ outcome: string }>(`/events/${event.id}`),
      ]);
      expect(deletion.status).toBe(200);
      if (sale.status === 201) expect(deletion.body.outcome).toBe('deactivated');
      else expect([404, 409]).toContain(sale.status);
    }
  });

  it.each([
    ['events', (type: { eventId: string }) => type.eventId],
    ['ticket-types', (type: { id: string }) => type.id],
  ])('waits for a sale that has the places already, and hides what it sold (%s)', async (kind, idOf) => {
    const { type } = await openSale(tenant);
    const order = {
      ...{
        n: 1,
        principal: 'user:ada',
        route: 'POST /tickets/purchase',
        key: randomUUID(),
        request_hash: '\\x00',
      },
      ...{ order_id: randomUUID(), transaction_id: `TXN_${randomUUID()}`, hold_id: randomUUID() },
      ...{ payment_id: randomUUID(), provider: 'test', has_payment: true, user_id: 'ada', quantity: 1 },
      ...{
        event_id: type.eventId,
        ticket_type_id: type.id,
        customer_name: 'Ada',
        customer_email: 'a@example.com',
      },
    };
    const sale = await ctx.database.owner.connect();
    try {
      await sale.query('begin');
      const { rows } = await sale.query(
        `select outcome from place_orders($1, now(), now() + interval '1 hour', now() + interval '1 hour', $2)`,
        [tenant.tenantId, JSON.stringify([order])],
      );
      expect(rows).toEqual([{ outcome: 'placed' }]);
      const deletion = tenant.organiser.delete(`/${kind}/${idOf(type)}`);
      await untilSomebodyWaits();
      await sale.query('commit');
      expect((await deletion).body).toMatchObject({ outcome: 'deactivated' });
      // Nor does a statement that forgets to look delete what was ordered.
      const table = kind === 'events' ? 'events' : 'ticket_types';
      await expect(sale.query(`delete from ${table} where id = $1`, [idOf(type)])).rejects.toMatchObject({
        code: '23503',
        constraint: kind === 'events' ? 'keep_ordered_events' : 'keep_ordered_types',
      });
    } finally {
      await sale.query('rollback');
      sale.release();
    }
  });

  it('has a purchase find nothing that was waiting for the place of an event that went', async () => {
    const { event, type } = await openSale(tenant);
    const deletion = await ctx.database.owner.connect();
    try {
      await deletion.query('begin');
      await deletion.query('delete from events where id = $1', [event.id]);
      const sale = tenant.alice.post('/tickets/purchase', samplePurchase(type), { key: randomUUID() });
      await untilSomebodyWaits();
      await deletion.query('commit');
      expectProblem(await sale, 404, 'not_found');
    } finally {
      deletion.release();
    }
  });
});
