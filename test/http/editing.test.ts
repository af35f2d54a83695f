import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type App, createApp } from '../../src/api/app.ts';
import type { EventView, TicketTypeView } from '../../src/domain/events/schema.ts';
import { buy, openSale, sampleEvent, sampleTicketType } from '../support/samples.ts';
import { createTestClock, HOUR, type TestClock } from '../support/test-clock.ts';
import {
  createTestContext,
  createTestTenant,
  type TestContext,
  type TestTenant,
} from '../support/test-context.ts';
import { digestDatabase, expectProblem } from './support/problems.ts';

type View = EventView | TicketTypeView;

let ctx: TestContext;
let app: App;
let clock: TestClock;
let tenant: TestTenant;
let other: TestTenant;

beforeAll(async () => {
  clock = createTestClock();
  ctx = await createTestContext({ clock });
  app = createApp(ctx);
  tenant = await createTestTenant(ctx, app);
  other = await createTestTenant(ctx, app, 'Other');
});
afterAll(() => ctx.close());

/** An event with everything that can be set, and a type that is limited in every way. */
async function openLimited(): Promise<{ event: EventView; type: TicketTypeView }> {
  const type = {
    description: 'At the front',
    salesStartAt: '2020-01-01T00:00:00.000Z',
    salesEndAt: '2190-01-01T00:00:00.000Z',
    perOrderLimit: 4,
    perCustomerLimit: 6,
    maxEntries: 3,
  };
  const event = {
    description: 'A tragedy',
    venueAddress: '21 New Globe Walk',
    doorsOpenAt: new Date(clock.now().getTime() + HOUR).toISOString(),
    transferPolicy: 'organiser_approved',
    resaleCapBps: 11_000,
    isActive: false,
  };
  return openSale(tenant, { event: { ...event, ticketTypes: [sampleTicketType(type)] } });
}

/** What is edited: an event and a ticket type, each by its address. */
const things: [string, () => Promise<{ path: string; name: string; limits: object }>][] = [
  [
    'an event',
    async () => {
      const { event } = await openLimited();
      const limits = {
        isActive: false,
        doorsOpenAt: event.doorsOpenAt,
        transferPolicy: 'organiser_approved',
      };
      return { path: `/events/${event.id}`, name: 'title', limits };
    },
  ],
  [
    'a ticket type',
    async () => {
      const { type } = await openLimited();
      const { salesStartAt, salesEndAt, perOrderLimit, perCustomerLimit, maxEntries } = type;
      const limits = { salesStartAt, salesEndAt, perOrderLimit, perCustomerLimit, maxEntries };
      return { path: `/ticket-types/${type.id}`, name: 'name', limits };
    },
  ],
];

const read = async (path: string) => {
  const { status, body, headers } = await tenant.organiser.get<View>(path);
  expect(status).toBe(200);
  return { shown: body, etag: headers.get('etag') ?? '' };
};

describe.each(things)('%s', (_kind, open) => {
  it('changes in what a patch names, and in nothing else', async () => {
    const { path, name, limits } = await open();
    const { shown } = await read(path);
    const answer = await tenant.organiser.patch<View>(path, { [name]: 'Macbeth' });
    expect([answer.status, answer.body]).toEqual([
      200,
      expect.objectContaining({ [name]: 'Macbeth', ...limits }),
    ]);
    const { updatedAt: _after, ...after } = (await read(path)).shown as EventView;
    const { updatedAt: _before, ...before } = shown as EventView;
    expect(after).toEqual({ ...before, [name]: 'Macbeth', version: shown.version + 1 });
  });

  it.each([
    'application/json',
    'application/merge-patch+json',
    'application/merge-patch+json; charset=utf-8',
  ])('takes a patch as %s', async (type) => {
    const { path, name } = await open();
    const answer = await tenant.organiser.patch<View>(
      path,
      { [name]: 'Lear' },
      { headers: { 'content-type': type } },
    );
    expect([answer.status, answer.body]).toEqual([200, expect.objectContaining({ [name]: 'Lear' })]);
  });

  it('takes no merge patch for a PUT, and no list of operations for a PATCH', async () => {
    const { path, name } = await open();
    const { shown } = await read(path);
    const put = await tenant.organiser.put(path, shown, {
      headers: { 'content-type': 'application/merge-patch+json' },
    });
    expectProblem(put, 415, 'unsupported_media_type');
    const operations = [{ op: 'replace', path: `/${name}`, value: 'x' }];
    const headers = { 'content-type': 'application/json-patch+json' };
    expectProblem(await tenant.organiser.patch(path, operations, { headers }), 415, 'unsupported_media_type');
  });

  it('takes the body of a GET as the body of a PUT, and of a PATCH', async () => {
    const { path } = await open();
    for (const method of ['put', 'patch'] as const) {
      const { shown } = await read(path);
      const answer = await tenant.organiser[method]<View>(path, shown);
      expect(answer.status).toBe(200);
      const { version, updatedAt: _after, ...after } = answer.body as EventView;
      const { version: seen, updatedAt: _before, ...before } = shown as EventView;
      expect(after).toEqual(before);
      expect(version).toBe(seen + 1);
    }
  });

  it('demands the whole of a PUT: each field that can be edited, one by one', async () => {
    const { path } = await open();
    const { shown } = await read(path);
    const readOnly = [
      'id',
      'eventId',
      'currency',
      'isSeated',
      'version',
      'totalCapacity',
      'createdAt',
      'updatedAt',
      'ticketTypes',
    ];
    const editable = Object.keys(shown).filter(
      (field) => !readOnly.includes(field) || (field === 'currency' && 'title' in shown),
    );
    expect(editable).toHaveLength('title' in shown ? 11 : 10);
    const before = await digestDatabase(ctx);
    for (const field of editable) {
      const answer = await tenant.organiser.put<{ errors: object[] }>(path, { ...shown, [field]: undefined });
      expectProblem(answer, 400, 'validation_failed');
      expect(answer.body.errors).toMatchObject([{ path: `json/${field}` }]);
    }
    expect(await digestDatabase(ctx)).toBe(before);
    for (const field of Object.keys(shown).filter((one) => !editable.includes(one))) {
      const { [field as 'id']: _left, ...rest } = (await read(path)).shown;
      expect([field, (await tenant.organiser.put(path, rest)).status]).toEqual([field, 200]);
    }
  });

  it('takes null away what may be missing, and refuses it for the rest', async () => {
    const { path, name } = await open();
    for (const field of path.startsWith('/events')
      ? ['doorsOpenAt']
      : ['salesStartAt', 'salesEndAt', 'perCustomerLimit']) {
      const { status, body } = await tenant.organiser.patch(path, { [field]: null });
      expect([status, body[field]]).toEqual([200, null]);
    }
    for (const field of [name, 'description', 'isActive']) {
      expectProblem(await tenant.organiser.patch(path, { [field]: null }), 400, 'validation_failed');
    }
  });

  it('stays as it is under an empty patch, version and all', async () => {
    const { path } = await open();
    const { shown } = await read(path);
    expect((await tenant.organiser.patch(path, {})).body).toEqual(shown);
    expect((await tenant.organiser.patch(path, { version: shown.version })).body).toEqual(shown);
    expectProblem(
      await tenant.organiser.patch(path, { version: shown.version + 1 }),
      409,
      'version_conflict',
    );
  });

  it('is not changed by who saw another version, whether they say so by version or by tag', async () => {
    const { path, name } = await open();
    const first = await read(path);
    const whole = first.shown;
    expect((await tenant.organiser.patch(path, { [name]: 'Lear', version: whole.version })).status).toBe(200);
    const before = await digestDatabase(ctx);
    for (const ask of [
      tenant.organiser.patch(path, { [name]: 'Late', version: whole.version }),
      tenant.organiser.put(path, { ...whole, [name]: 'Late' }),
    ]) {
      const answer = await ask;
      expectProblem(answer, 409, 'version_conflict');
      expect(answer.body).toMatchObject({ currentVersion: whole.version + 1 });
    }
    const { version: _version, updatedAt: _at, ...unversioned } = whole as EventView;
    for (const ask of [
      tenant.organiser.patch(path, { [name]: 'Late' }, { headers: { 'if-match': first.etag } }),
      tenant.organiser.put(path, { ...unversioned, [name]: 'Late' }, { headers: { 'if-match': first.etag } }),
      tenant.organiser.patch(
        path,
        { [name]: 'Late', version: whole.version + 1 },
        { headers: { 'if-match': first.etag } },
      ),
    ]) {
      const answer = await ask;
      expectProblem(answer, 412, 'precondition_failed');
      expect(answer.body).toMatchObject({ currentVersion: whole.version + 1 });
    }
    expect(await digestDatabase(ctx)).toBe(before);
  });

  it('changes by the tag that GET, PUT and PATCH give', async () => {
    const { path, name } = await open();
    let { etag } = await read(path);
    for (const method of ['patch', 'put'] as const) {
      const { shown } = await read(path);
      const answer = await tenant.organiser[method](
        path,
        { ...shown, [name]: `By ${method}` },
        { headers: { 'if-match': etag } },
      );
      expect(answer.status).toBe(200);
      expect(answer.headers.get('etag')).not.toBe(etag);
      etag = answer.headers.get('etag') ?? '';
      expect((await read(path)).etag).toBe(etag);
    }
  });

  it.each([
    ['any', '*', 200],
    ['one of several', '"x", TAG', 200],
    ['a weak one', 'W/TAG', 412],
    ['one without quotes', '1', 412],
    ['another one', '"AAAAAAAAAAAAAAAAAAAAAA"', 412],
    ['none', '', 412],
  ])('is compared with a tag as RFC 9110 says: %s', async (_name, tag, status) => {
    const { path, name } = await open();
    const { etag } = await read(path);
    const headers = { 'if-match': tag.replace('TAG', etag) };
    expect((await tenant.organiser.patch(path, { [name]: 'x' }, { headers })).status).toBe(status);
  });

  it('is changed over all others by who names neither, as they asked', async () => {
    const { path, name } = await open();
    const { version, ...whole } = (await read(path)).shown;
    await tenant.organiser.patch(path, { [name]: 'Lear' });
    const { updatedAt: _at, ...terms } = whole as EventView;
    const answer = await tenant.organiser.put(path, { ...terms, [name]: 'Over all' });
    expect([answer.status, answer.body]).toEqual([
      200,
      expect.objectContaining({ [name]: 'Over all', version: version + 2 }),
    ]);
  });

  it.each(['version', 'If-Match'])('has one winner of ten who saw the same (%s)', async (by) => {
    const { path, name } = await open();
    const { shown, etag } = await read(path);
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, i) => {
        const headers = by === 'If-Match' ? { 'if-match': etag } : {};
        const method = i % 2 === 0 ? 'patch' : 'put';
        const { version, updatedAt: _at, ...rest } = shown as EventView;
        const body = {
          ...(method === 'put' ? rest : {}),
          [name]: `Title ${i}`,
          ...(by === 'version' ? { version } : {}),
        };
        return tenant.organiser[method]<View>(path, body, { headers });
      }),
    );
    const [won, ...more] = answers.filter(({ status }) => status === 200);
    expect(more).toEqual([]);
    for (const answer of answers.filter((one) => one !== won)) {
      if (by === 'version') expectProblem(answer, 409, 'version_conflict');
      else expectProblem(answer, 412, 'precondition_failed');
    }
    expect((await read(path)).shown).toEqual(won?.body);
  });

  it('loses no patch when two people change different fields at once', async () => {
    const { path, name } = await open();
    const answers = await Promise.all([
      tenant.organiser.patch(path, { [name]: 'Lear' }),
      tenant.organiser.patch(path, { description: 'Five acts' }),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    expect((await read(path)).shown).toMatchObject({ [name]: 'Lear', description: 'Five acts' });
  });

  it('does not exist for another tenant, whatever they say they saw', async () => {
    const { path, name } = await open();
    const { shown, etag } = await read(path);
    const before = await digestDatabase(ctx);
    for (const headers of [{}, { 'if-match': etag }, { 'if-match': '*' }] as Record<string, string>[]) {
      expectProblem(await other.organiser.get(path), 404, 'not_found');
      expectProblem(await other.organiser.put(path, shown, { headers }), 404, 'not_found');
      expectProblem(
        await other.organiser.patch(path, { [name]: 'x', version: 1 }, { headers }),
        404,
        'not_found',
      );
    }
    expect(await digestDatabase(ctx)).toBe(before);
  });

  it.each([
    ['an id of another', { id: randomUUID() }, ['id']],
    ['ticket types that differ', { ticketTypes: [] }, ['ticketTypes']],
    ['another capacity in all', { totalCapacity: 5 }, ['totalCapacity']],
    ['another time of creation', { createdAt: '2020-01-01T00:00:00Z' }, ['createdAt']],
    ['another event', { eventId: randomUUID() }, ['eventId']],
    ['being seated', { isSeated: true }, ['isSeated']],
  ])('is not changed in what is not set here: %s', async (_name, change, fields) => {
    const { path } = await open();
    const { shown } = await read(path);
    const [field = ''] = fields;
    const before = await digestDatabase(ctx);
    for (const method of ['put', 'patch'] as const) {
      const answer = await tenant.organiser[method](path, { ...shown, ...change });
      if (field in shown) {
        expectProblem(answer, 409, 'read_only_fields');
        expect(answer.body).toMatchObject({ fields });
      } else expectProblem(answer, 400, 'validation_failed');
    }
    expect(await digestDatabase(ctx)).toBe(before);
  });
});

describe('an event', () => {
  it('that is hidden is not published again by who only renames it', async () => {
    const { event } = await openLimited();
    await tenant.organiser.patch(`/events/${event.id}`, { title: 'Macbeth' });
    expectProblem(await tenant.alice.get(`/events/${event.id}`), 404, 'not_found');
    expect((await tenant.organiser.patch(`/events/${event.id}`, { isActive: true })).status).toBe(200);
    expect((await tenant.alice.get(`/events/${event.id}`)).body).toMatchObject({ title: 'Macbeth' });
  });

  it('has another tag when one of its ticket types changed, since it shows them', async () => {
    const { event, type } = await openLimited();
    const { etag } = await read(`/events/${event.id}`);
    await tenant.organiser.patch(`/ticket-types/${type.id}`, { capacity: 7 });
    const headers = { 'if-match': etag };
    expectProblem(
      await tenant.organiser.patch(`/events/${event.id}`, { title: 'x' }, { headers }),
      412,
      'precondition_failed',
    );
  });

  it('is checked as it will be, not as the patch is by itself', async () => {
    const { event } = await openLimited();
    const before = await digestDatabase(ctx);
    for (const change of [
      { endsAt: event.startsAt },
      { doorsOpenAt: event.endsAt },
      { startsAt: event.endsAt },
    ]) {
      const answer = await tenant.organiser.patch<{ errors: object[] }>(`/events/${event.id}`, change);
      expectProblem(answer, 400, 'validation_failed');
      expect(answer.body.errors).toMatchObject([{ path: 'body', code: 'not_allowed' }]);
    }
    expect(await digestDatabase(ctx)).toBe(before);
  });

  it('keeps the terms that were sold, whichever way they are changed', async () => {
    const { event, type } = await openSale(tenant);
    await buy(tenant.alice, type);
    expectProblem(
      await tenant.organiser.patch(`/events/${event.id}`, { currency: 'CHF' }),
      409,
      'terms_fixed',
    );
    expect((await tenant.organiser.patch(`/events/${event.id}`, { currency: 'EUR' })).status).toBe(200);
  });

  const at = (hours: number) => new Date(clock.now().getTime() + hours * HOUR).toISOString();

  it.each([
    ['an hour ago', -1, 1],
    ['last year', -8_760, -8_759],
    ['now', 0, 1],
  ])('cannot be made when it would start %s', async (_when, start, end) => {
    const before = await digestDatabase(ctx);
    const input = sampleEvent({ startsAt: at(start), endsAt: at(end) });
    expectProblem(await tenant.organiser.post('/events', input), 400, 'starts_in_past');
    expect(await digestDatabase(ctx)).toBe(before);
  });

  it('that is over can still be described better, and put off, but not moved to another time in the past', async () => {
    const { event } = await openSale(tenant, { event: { startsAt: at(1), endsAt: at(2) } });
    const path = `/events/${event.id}`;
    clock.advance(3 * HOUR);
    try {
      expect((await tenant.organiser.patch(path, { description: 'A great night' })).status).toBe(200);
      const { shown } = await read(path);
      expect((await tenant.organiser.put(path, shown)).status).toBe(200);
      expectProblem(await tenant.organiser.patch(path, { startsAt: at(-2.5) }), 400, 'starts_in_past');
      const later = { startsAt: at(5), endsAt: at(6) };
      expect((await tenant.organiser.patch(path, later)).body).toMatchObject(later);
    } finally {
      clock.advance(-3 * HOUR);
    }
  });

  it('that runs can end earlier', async () => {
    const { event } = await openSale(tenant, { event: { startsAt: at(1), endsAt: at(9) } });
    clock.advance(2 * HOUR);
    try {
      const answer = await tenant.organiser.patch(`/events/${event.id}`, { endsAt: at(-0.5) });
      expect(answer.status).toBe(200);
    } finally {
      clock.advance(-2 * HOUR);
    }
  });
});

describe('a ticket type', () => {
  it('is shown by itself as it stands in its event, to whom the event is shown', async () => {
    const { event, type } = await openLimited();
    const path = `/ticket-types/${type.id}`;
    expect((await tenant.support.get(path)).body).toEqual(type);
    expectProblem(await tenant.alice.get(path), 404, 'not_found');
    await tenant.organiser.patch(`/events/${event.id}`, { isActive: true });
    expect((await tenant.alice.get(path)).body).toEqual(type);
    expectProblem(await tenant.alice.get(`/ticket-types/${randomUUID()}`), 404, 'not_found');
  });

  it('is checked as it will be, not as the patch is by itself', async () => {
    const { type } = await openLimited();
    const answer = await tenant.organiser.patch<{ errors: object[] }>(`/ticket-types/${type.id}`, {
      salesEndAt: '2019-01-01T00:00:00Z',
    });
    expectProblem(answer, 400, 'validation_failed');
    expect(answer.body.errors).toMatchObject([{ path: 'body', code: 'not_allowed' }]);
  });

  it('keeps its capacity when it is not named, and above what is sold when it is', async () => {
    const { type } = await openSale(tenant, { type: { capacity: 10 } });
    await buy(tenant.alice, type, { quantity: 3 });
    const path = `/ticket-types/${type.id}`;
    expect((await tenant.organiser.patch(path, { priceMinor: 1 })).body).toMatchObject({ capacity: 10 });
    expectProblem(await tenant.organiser.patch(path, { capacity: 2 }), 409, 'capacity_below_sold');
    expect((await tenant.organiser.patch(path, { capacity: 3 })).body).toMatchObject({
      capacity: 3,
      priceMinor: 1,
    });
  });
});
