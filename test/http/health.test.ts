import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type App, createApp } from '../../src/api/app.ts';
import { createDb } from '../../src/platform/db.ts';
import { workers } from '../../src/platform/heartbeat.ts';
import { serveMetrics } from '../../src/process/serve-metrics.ts';
import { clientOf, createTestContext, createTestTenant, type TestContext } from '../support/test-context.ts';

let ctx: TestContext;
let app: App;

beforeAll(async () => {
  ctx = await createTestContext();
  app = createApp(ctx);
});
afterAll(() => ctx.close());

/** Every worker beat so many milliseconds ago, but for those that are given another age or none. */
async function beat(ages: Partial<Record<(typeof workers)[number], number | null>> = {}): Promise<void> {
  const { owner } = ctx.database;
  await owner.query('delete from worker_heartbeats');
  for (const worker of workers) {
    const age = worker in ages ? ages[worker] : 1_000;
    if (age === null || age === undefined) continue;
    await owner.query(
      "insert into worker_heartbeats (worker, instance, beat_at) values ($1, 'a', now() - $2 * interval '1 ms')",
      [worker, age],
    );
  }
}

type Readiness = { status: string; checks: Record<string, { ok: boolean; detail?: string }> };
const ready = (target: App = app) => clientOf(target).get<Readiness>('/../health/ready');

describe('GET /health/live', () => {
  it('answers as long as the process does, whatever it depends on', async () => {
    const { log } = ctx;
    const db = createDb({ url: 'postgres://x@127.0.0.1:1/x', poolSize: 1, log, applicationName: 'test' });
    const { status, body } = await clientOf(createApp({ ...ctx, db })).get('/../health/live');
    expect([status, body]).toEqual([200, { status: 'live' }]);
    await db.close();
  });
});

describe('GET /health/ready', () => {
  beforeEach(() => beat());

  it('is green when database, bus, cache and every worker are fresh', async () => {
    const { status, body } = await ready();
    expect(status).toBe(200);
    expect(body.status).toBe('ready');
    expect(Object.keys(body.checks).toSorted()).toEqual(['bus', 'cache', 'database', ...workers].toSorted());
    expect(Object.values(body.checks).every(({ ok }) => ok)).toBe(true);
  });

  it('is red when no worker ever beat', async () => {
    await ctx.database.owner.query('delete from worker_heartbeats');
    const { status, body } = await ready();
    expect([status, body.status]).toEqual([503, 'not_ready']);
    for (const worker of workers) expect(body.checks[worker]?.ok).toBe(false);
    expect(body.checks.database).toEqual({ ok: true });
  });

  it.each(workers)('is red when %s is missing or silent for ten seconds, and says so', async (worker) => {
    for (const age of [null, 10_000, 86_400_000]) {
      await beat({ [worker]: age });
      const { status, body } = await ready();
      expect([status, body.checks[worker]]).toEqual([503, { ok: false, detail: 'no recent heartbeat' }]);
      const others = workers.filter((one) => one !== worker);
      expect(others.every((one) => body.checks[one]?.ok)).toBe(true);
    }
    await beat({ [worker]: 8_000 });
    expect((await ready()).status).toBe(200);
  });

  it('is green when one instance of a worker died and another beats', async () => {
    await ctx.database.owner.query(
      "insert into worker_heartbeats (worker, instance, beat_at) values ('listener', 'dead', now() - interval '1 hour')",
    );
    expect((await ready()).status).toBe(200);
  });

  it('is red without the bus', async () => {
    const { status, body } = await ready(createApp({ ...ctx, bus: { ...ctx.bus, ready: () => false } }));
    expect([status, body.checks.bus?.ok]).toEqual([503, false]);
  });

  it('is green without the cache, and tells of it', async () => {
    const cache = { ...ctx.cache, ping: async () => false };
    const { status, body } = await ready(createApp({ ...ctx, cache }));
    expect([status, body.checks.cache?.ok]).toEqual([200, false]);
  });

  it('is red without the database, and names no host and no user', async () => {
    const { log } = ctx;
    const url = 'postgres://canary:canary@127.0.0.1:1/canary';
    const db = createDb({ url, poolSize: 1, log, applicationName: 'test' });
    const { status, body } = await ready(createApp({ ...ctx, db }));
    expect([status, body.checks.database]).toEqual([503, { ok: false, detail: 'does not answer' }]);
    expect(JSON.stringify(body)).not.toMatch(/canary|127\.0\.0\.1|ECONN/);
    await db.close();
  });
});

describe('the measurements', () => {
  it('are not on the port that the world reaches', async () => {
    for (const path of ['/metrics', '/metrics/', '/api/metrics']) {
      const response = await app.request(path);
      expect([path, response.status]).toEqual([path, path.startsWith('/api') ? 401 : 404]);
      expect(await response.text()).not.toContain('tessera_');
    }
  });

  it('counts requests by route, and names no tenant, no id and nothing that a caller made up', async () => {
    const tenant = await createTestTenant(ctx, app);
    const id = '0199f000-0000-7000-8000-00000000cafe';
    await tenant.alice.get(`/events/${id}`);
    await tenant.alice.get(`/made-up-${id}`);
    await clientOf(app).get(`/../made-up-${id}`);
    const server = await serveMetrics(ctx.metrics, { host: '127.0.0.1', port: 0 });
    const response = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/metrics`);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toContain('text/plain');
    const text = await response.text();
    server.close();
    expect(text).toMatch(
      /^tessera_http_request_duration_seconds_count\{[^}]*route="\/api\/events\/:id"[^}]*status="404"[^}]*\} 1$/m,
    );
    expect(text).not.toContain(id);
    expect(text).not.toContain(tenant.tenantId);
    expect(text).not.toMatch(/alice|made-up/);
    for (const [, name] of text.matchAll(/^# TYPE (\S+)/gm)) expect(name).toMatch(/^tessera_/);
  });
});
