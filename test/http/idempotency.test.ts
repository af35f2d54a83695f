import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type App, createApp } from '../../src/api/app.ts';
import {
  createTestContext,
  createTestTenant,
  type TestContext,
  type TestTenant,
} from '../support/test-context.ts';
import {
  clientFor,
  listOperations,
  missingWorld,
  openWorld,
  operation,
  operations,
  request,
} from './support/operations.ts';
import { digestDatabase, expectProblem } from './support/problems.ts';

let ctx: TestContext;
let app: App;
let tenant: TestTenant;

beforeAll(async () => {
  ctx = await createTestContext();
  app = createApp(ctx);
  tenant = await createTestTenant(ctx, app);
});
afterAll(() => ctx.close());

const keyed = Object.keys(operations).filter((name) => operation(name).changed !== undefined);
const owner = (name: string) => clientFor(tenant, name, tenant.alice);

it('is asked for by all that sell, revoke or transfer, and by nothing else', async () => {
  const documented = (await listOperations(app)).filter((one) => one.keyed).map(({ name }) => name);
  expect(documented.toSorted()).toEqual(keyed.toSorted());
  expect(keyed.length).toBeGreaterThanOrEqual(5);
});

describe.each(keyed)('%s', (name) => {
  it('takes no request without a key', async () => {
    const world = await openWorld(ctx, tenant);
    const before = await digestDatabase(ctx);
    const answer = await request(owner(name), name, world);
    expectProblem(answer, 400, 'validation_failed');
    expect(answer.body).toMatchObject({ errors: [{ path: 'header/idempotency-key' }] });
    expect(await digestDatabase(ctx)).toBe(before);
  });

  it.each([
    ['an empty one', ''],
    ['one with a space', 'a b'],
    ['one of 256 characters', 'k'.repeat(256)],
    ['one with letters beyond ASCII', 'clé'],
    ['one with a control character', 'a\u007fb'],
  ])('takes no weak key: %s', async (_name, key) => {
    const world = await openWorld(ctx, tenant);
    expectProblem(await request(owner(name), name, world, { key }), 400, 'validation_failed');
  });

  it('answers a repetition with the stored answer and does nothing more', async () => {
    const world = await openWorld(ctx, tenant);
    const key = `${'k'.repeat(200)}-${randomUUID()}`;
    const first = await request(owner(name), name, world, { key });
    expect(first.status).toBeLessThan(300);
    const between = await digestDatabase(ctx);
    for (let i = 0; i < 2; i++) {
      const again = await request(owner(name), name, world, { key });
      expect(again.status).toBe(first.status);
      expect(again.body).toEqual(first.body);
    }
    expect(await digestDatabase(ctx)).toBe(between);
  });

  it('refuses the key with another request', async () => {
    const world = await openWorld(ctx, tenant);
    const key = randomUUID();
    const first = await request(owner(name), name, world, { key });
    const between = await digestDatabase(ctx);
    const changed = await request(owner(name), name, world, { key, ...operation(name).changed?.(world) });
    expectProblem(changed, 422, 'idempotency_key_reused');
    expect(await digestDatabase(ctx)).toBe(between);
    expect((await request(owner(name), name, world, { key })).body).toEqual(first.body);
  });

  it('does not keep a refusal under the key, so that the next attempt is a new one', async () => {
    const world = await openWorld(ctx, tenant);
    const key = randomUUID();
    expectProblem(await request(owner(name), name, missingWorld(world), { key }), 404, 'not_found');
    expect((await request(owner(name), name, world, { key })).status).toBeLessThan(300);
  });

  it('never gives one client the answer of another', async () => {
    const other = await createTestTenant(ctx, app, 'Other');
    const [world, foreign] = [await openWorld(ctx, tenant), await openWorld(ctx, other)];
    const key = randomUUID();
    const first = await request(owner(name), name, world, { key });
    // Of the same tenant, about the same thing: decided as if the key were new.
    const mallory = await tenant.as('mallory', 'buyer');
    const stranger = await request(mallory, name, world, { key });
    expect(stranger.body).not.toEqual(first.body);
    // Of another tenant, about their own.
    const elsewhere = await request(clientFor(other, name, other.alice), name, foreign, { key });
    expect(elsewhere.status).toBe(first.status);
    expect(elsewhere.body).not.toEqual(first.body);
  });

  it('takes effect once when the same request comes ten times at once', async () => {
    const world = await openWorld(ctx, tenant);
    const key = randomUUID();
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => request(owner(name), name, world, { key })),
    );
    const good = answers.filter(({ status }) => status < 300);
    expect(good.length).toBeGreaterThan(0);
    for (const answer of good) expect(answer.body).toEqual(good[0]?.body);
    for (const answer of answers.filter(({ status }) => status >= 300)) {
      expectProblem(answer, 409, 'idempotency_in_flight');
      expect(answer.headers.get('retry-after')).toMatch(/^\d+$/);
    }
    expect((await request(owner(name), name, world, { key })).body).toEqual(good[0]?.body);
  });
});

it('tells who comes while the first request runs to wait, and then gives them its answer', async () => {
  const world = await openWorld(ctx, tenant);
  const key = randomUUID();
  const blocker = await ctx.database.owner.connect();
  try {
    // Somebody holds the ticket, so the first request cannot finish.
    await blocker.query('begin');
    await blocker.query('select from tickets where id = $1 for update', [world.ticketId]);
    const first = tenant.organiser.post(`/tickets/${world.ticketId}/revoke`, { reason: 'fraud' }, { key });
    await untilSomebodyWaits();
    const second = await tenant.organiser.post(
      `/tickets/${world.ticketId}/revoke`,
      { reason: 'fraud' },
      { key },
    );
    expectProblem(second, 409, 'idempotency_in_flight');
    expect(second.headers.get('retry-after')).toBe('1');
    await blocker.query('rollback');
    expect((await first).status).toBe(200);
    const third = await tenant.organiser.post(
      `/tickets/${world.ticketId}/revoke`,
      { reason: 'fraud' },
      { key },
    );
    expect(third.body).toEqual((await first).body);
  } finally {
    blocker.release();
  }
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

it('takes the same key for another route as another request', async () => {
  const world = await openWorld(ctx, tenant);
  const key = randomUUID();
  const { alice } = tenant;
  expect((await alice.post(`/transfers/${world.offerId}/cancel`, undefined, { key })).status).toBe(200);
  expect((await alice.post(`/tickets/${world.ticketId}/transfer`, { toUserId: 'bob' }, { key })).status).toBe(
    202,
  );
});

it('does not mind in which order the members of a request come', async () => {
  const world = await openWorld(ctx, tenant);
  const key = randomUUID();
  const path = `/tickets/${world.ticketId}/revoke`;
  const first = await tenant.support.post(path, '{"reason":"fraud","note":"n"}', { key });
  const again = await tenant.support.post(path, '{ "note": "n", "reason": "fraud" }', { key });
  expect(again.body).toEqual(first.body);
  expect(again.status).toBe(200);
});
