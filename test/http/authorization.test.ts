import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type App, createApp } from '../../src/api/app.ts';
import { openSale, samplePurchase } from '../support/samples.ts';
import {
  type Client,
  clientOf,
  createTestContext,
  createTestTenant,
  type TestContext,
  type TestTenant,
} from '../support/test-context.ts';
import {
  type Answers,
  listOperations,
  missingWorld,
  type Operation,
  openWorld,
  operation,
  operations,
  request,
  type World,
} from './support/operations.ts';
import { digestDatabase, expectProblem, withoutRequestId } from './support/problems.ts';

let ctx: TestContext;
let app: App;
let tenant: TestTenant;
let other: TestTenant;
let world: World;
let foreign: World;

beforeAll(async () => {
  ctx = await createTestContext();
  app = createApp(ctx);
  tenant = await createTestTenant(ctx, app);
  other = await createTestTenant(ctx, app, 'Other');
  [world, foreign] = [await openWorld(ctx, tenant), await openWorld(ctx, other)];
});
afterAll(() => ctx.close());

const codes: Record<number, string> = {
  401: 'unauthenticated',
  403: 'forbidden',
  404: 'not_found',
  422: 'wallet_not_proven',
};

/** Somebody of each kind; the buyer is the one whom the operation concerns. */
async function people({ as }: Operation): Promise<Record<keyof Answers, Client>> {
  return {
    admin: await tenant.as('ada', 'admin'),
    organiser: tenant.organiser,
    support: tenant.support,
    buyer: as === 'bob' ? tenant.bob : tenant.alice,
    stranger: await tenant.as('mallory', 'buyer'),
    scanner: tenant.scanner,
  };
}

it('is asked of every operation of the document', async () => {
  const documented = (await listOperations(app)).map(({ name }) => name);
  expect(Object.keys(operations).toSorted()).toEqual(documented.toSorted());
});

describe('a role', () => {
  it.each(Object.keys(operations))('that may not is refused without effect: %s', async (name) => {
    const clients = await people(operation(name));
    const before = await digestDatabase(ctx);
    for (const [role, status] of Object.entries(operation(name).answers)) {
      if (status < 400 || status >= 500) continue;
      const answer = await request(clients[role as keyof Answers], name, world, { key: randomUUID() });
      expect([role, answer.status]).toEqual([role, status]);
      expectProblem(answer, status, codes[status] ?? '');
    }
    expect(await digestDatabase(ctx)).toBe(before);
  });

  it.each(Object.keys(operations))('that may is served: %s', async (name) => {
    const clients = await people(operation(name));
    const repeatable = name.startsWith('GET');
    for (const [role, status] of Object.entries(operation(name).answers)) {
      if (status >= 400 && status < 500) continue;
      const place = repeatable ? world : await openWorld(ctx, tenant);
      const answer = await request(clients[role as keyof Answers], name, place, { key: randomUUID() });
      expect([role, answer.status, answer.status >= 400 && status < 400 ? answer.body : '']).toEqual([
        role,
        status,
        '',
      ]);
    }
  });
});

describe('the ids of another tenant', () => {
  it.each(Object.keys(operations).filter((name) => operation(name).foreign !== 'none'))(
    'are like ids that nobody has: %s',
    async (name) => {
      const { as, foreign: status } = operation(name);
      // Staff see all of their tenant, so they show best that it ends there.
      const clients = [as === 'nobody' ? clientOf(app) : tenant[as], tenant.admin];
      const before = await digestDatabase(ctx);
      for (const client of clients) {
        const answer = await request(client, name, foreign, { key: randomUUID() });
        const missing = await request(client, name, missingWorld(foreign), { key: randomUUID() });
        expect(withoutRequestId(answer)).toEqual(withoutRequestId(missing));
        if (client === clients[0]) expectProblem(answer, Number(status), codes[Number(status)] ?? '');
        else expect([403, status]).toContain(answer.status);
      }
      expect(await digestDatabase(ctx)).toBe(before);
    },
  );

  it('are like ids that nobody has, after the owner warmed the cache with them', async () => {
    for (const path of [
      `/tickets/${foreign.ticketId}`,
      `/events/${foreign.eventId}/availability`,
      `/transactions/${foreign.transactionId}`,
    ]) {
      expect((await other.alice.get(path)).status).toBe(200);
      expectProblem(await tenant.admin.get(path), 404, 'not_found');
    }
  });

  it('cannot be mixed with our own in a purchase', async () => {
    const { event, type } = await openSale(tenant);
    const before = await digestDatabase(ctx);
    for (const ids of [
      { id: foreign.ticketTypeId, eventId: event.id },
      { id: type.id, eventId: foreign.eventId },
      { id: type.id, eventId: world.eventId },
    ]) {
      const answer = await tenant.alice.post('/tickets/purchase', samplePurchase(ids), { key: randomUUID() });
      expectProblem(answer, 404, 'not_found');
    }
    expect(await digestDatabase(ctx)).toBe(before);
  });

  it('filter lists to nothing', async () => {
    const { admin } = tenant;
    expect((await admin.get(`/tickets?eventId=${foreign.eventId}`)).body).toEqual({
      items: [],
      nextCursor: null,
    });
    expect((await tenant.scanner.get(`/tickets?eventId=${foreign.eventId}`)).body).toMatchObject({
      items: [],
    });
  });

  it('are not said to be of the wrong kind either', async () => {
    // An id that exists, in a place for the ids of something else.
    for (const path of [
      `/tickets/${world.eventId}`,
      `/events/${world.ticketId}`,
      `/transfers/${world.ticketId}`,
      `/tickets/${world.offerId}/chain`,
    ]) {
      expectProblem(await tenant.admin.get(path), 404, 'not_found');
    }
  });
});
