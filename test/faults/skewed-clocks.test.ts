import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { createApp } from '../../src/api/app.ts';
import type { EventView } from '../../src/domain/events/schema.ts';
import type { SeatMapView } from '../../src/domain/seats/schema.ts';
import { findPort } from '../../src/main/embedded/find-port.ts';
import { createDatabaseClock } from '../../src/platform/database-clock.ts';
import { createLogger } from '../../src/platform/logger.ts';
import { createMetrics } from '../../src/platform/metrics.ts';
import { waitFor } from '../../src/platform/retry.ts';
import { deleteTopology } from '../support/delete-topology.ts';
import { type Child, runChild } from '../support/run-child.ts';
import { sampleEvent, sampleTicketType } from '../support/samples.ts';
import { callerOf } from '../support/selling-world.ts';
import { MINUTE } from '../support/test-clock.ts';
import {
  type Client,
  clientOf,
  createTestContext,
  createTestTenant,
  DEAD_RPC,
  identity,
  issueToken,
  LOCAL_PROGRAM_ID,
  type TestContext,
  type TestTenant,
} from '../support/test-context.ts';

const amqp = inject('amqp');
const log = createLogger({ level: 'silent', process: 'test' });
const stop = new AbortController();
const skewedBy = (ms: number) =>
  createDatabaseClock({ wall: () => Date.now() + ms, steady: () => performance.now() });

let ctx: TestContext;
let tenant: TestTenant;

beforeAll(async () => {
  ctx = await createTestContext();
  tenant = await createTestTenant(ctx, createApp(ctx));
});
afterAll(async () => {
  stop.abort();
  await ctx.close();
});

async function openHall(seats: number) {
  const input = sampleEvent({ ticketTypes: [sampleTicketType({ capacity: 1 })] });
  const { body: event } = await tenant.organiser.post<EventView>('/events', input);
  const ticketTypeId = event.ticketTypes[0]?.id as string;
  const row = { label: '1', seats: Array.from({ length: seats }, (_, i) => ({ number: String(i + 1) })) };
  const { body: map } = await tenant.organiser.put<SeatMapView>(`/events/${event.id}/seat-map`, {
    sections: [{ name: 'Stalls', ticketTypeId, rows: [row] }],
  });
  return { event, seatIds: map.sections[0]?.rows[0]?.seats.map(({ id }) => id) ?? [] };
}

describe('the clock of the database', () => {
  it.each([6 * MINUTE, -6 * MINUTE])('is what a machine that is off by %i ms goes by', async (ms) => {
    const clock = skewedBy(ms);
    await clock.follow(ctx.db, { log, metrics: ctx.metrics, signal: stop.signal });
    expect(Math.abs(clock.now().getTime() - Date.now())).toBeLessThan(500);
    expect(Math.abs((clock.skewMs() ?? 0) - ms)).toBeLessThan(500);
  });

  it.each([
    [0, undefined],
    [2_000, 'warn'],
    [-6_000, 'error'],
  ])('is compared with the machine’s: at %i ms the log says %s', async (ms, level) => {
    const told: string[] = [];
    const listen = Object.assign(Object.create(log), {
      info: () => told.push('info'),
      warn: () => told.push('warn'),
      error: () => told.push('error'),
    });
    const metrics = createMetrics();
    const clock = skewedBy(ms);
    await clock.follow(ctx.db, { log: listen, metrics, signal: stop.signal });
    expect(told).toEqual(level === undefined ? [] : [level]);
    const { values } = await metrics.clockSkew.get();
    expect(Math.abs((values[0]?.value ?? 99) - ms / 1_000)).toBeLessThan(0.5);
  });

  it('lets a process that is 4 s off serve, and one that is 6 s off not', async () => {
    for (const [ms, ok] of [
      [4_000, true],
      [-6_000, false],
    ] as const) {
      const clock = skewedBy(ms);
      await clock.follow(ctx.db, { log, metrics: ctx.metrics, signal: stop.signal });
      const answer = await createApp({ ...ctx, clock }).request('/health/ready');
      const { checks } = (await answer.json()) as {
        checks: Record<string, { ok: boolean; detail?: string }>;
      };
      expect(checks.clock?.ok).toBe(ok);
      if (!ok) expect(checks.clock?.detail).toMatch(/^this machine is [56]\.\d s behind the database$/);
    }
  });

  it('is not guessed at while the database has not told it', async () => {
    const clock = createDatabaseClock();
    const dead = {
      ...ctx.db,
      pool: { connect: () => Promise.reject(new Error('down')) },
    } as unknown as typeof ctx.db;
    await clock.follow(dead, { log, metrics: ctx.metrics, signal: AbortSignal.abort() });
    expect(() => clock.now()).toThrow(expect.objectContaining({ code: 'database_unavailable' }));
  });

  it('is not unlearnt by a slow answer, and is taken over when it was set', () => {
    let steady = 0;
    const clock = createDatabaseClock({ wall: () => 0, steady: () => steady });
    const at = (time: number, errorMs: number) => clock.take({ steady, time, errorMs });
    at(1_000_000, 5);
    steady += 10_000;
    at(1_011_500, 2_000);
    expect(clock.now().getTime()).toBe(1_010_000);
    steady += 10_000;
    at(1_020_010, 18);
    expect(clock.now().getTime()).toBe(1_020_000);
    at(1_020_003, 4);
    expect(clock.now().getTime()).toBe(1_020_003);
    at(1_080_000, 500);
    expect(clock.now().getTime()).toBe(1_080_000);
  });
});

describe('APIs whose machines are five minutes and more apart', () => {
  it('give no locked seat away, and let no lock last longer', async () => {
    const { event, seatIds } = await openHall(3);
    const clients: Client[] = [];
    for (const ms of [0, 6 * MINUTE, -6 * MINUTE]) {
      const clock = skewedBy(ms);
      await clock.follow(ctx.db, { log, metrics: ctx.metrics, signal: stop.signal });
      clients.push(await buyerAt(createApp({ ...ctx, clock }), `api-${ms}`));
    }
    const lock = (client: Client, seat: string | undefined) =>
      client.post<{ code?: string; expiresAt: string }>(
        '/seats/lock',
        { eventId: event.id, seatIds: [seat] },
        {
          key: randomUUID(),
        },
      );
    for (const [i, owner] of clients.entries()) {
      const { status, body } = await lock(owner, seatIds[i]);
      expect(status).toBe(201);
      expect(Math.abs(Date.parse(body.expiresAt) - Date.now() - 5 * MINUTE)).toBeLessThan(5_000);
      for (const other of clients.filter((client) => client !== owner))
        expect(await lock(other, seatIds[i])).toMatchObject({
          status: 409,
          body: { code: 'seats_unavailable' },
        });
    }
  });
});

async function buyerAt(app: ReturnType<typeof createApp>, subject: string): Promise<Client> {
  return clientOf(app, await issueToken({ tenantId: tenant.tenantId, subject, role: 'buyer' }));
}

describe.skipIf(amqp === null)(
  `a process on a machine that is six minutes ahead${amqp ? '' : ' (left out: needs RabbitMQ)'}`,
  () => {
    const namespace = `test-${randomBytes(4).toString('hex')}.`;
    const children: Child[] = [];
    let url: string;

    beforeAll(async () => {
      const port = await findPort(18_700);
      url = `http://127.0.0.1:${port}`;
      const env = {
        NODE_ENV: 'test',
        LOG_LEVEL: 'info',
        NODE_OPTIONS: `--import=${new URL('../support/skew-machine.ts', import.meta.url).href}`,
        SKEW_MS: String(6 * MINUTE),
        DATABASE_URL: ctx.database.url('tessera_app'),
        DATABASE_RELAY_URL: ctx.database.url('tessera_relay'),
        AMQP_URL: amqp ?? '',
        AMQP_NAMESPACE: namespace,
        CHAIN_RPC_URL: DEAD_RPC,
        CHAIN_PROGRAM_ID: LOCAL_PROGRAM_ID,
        MAIL_FOLDER: '/tmp/tessera-no-mail',
        QR_MASTER_KEYS: `1:${randomBytes(32).toString('base64')}`,
        ...identity,
      };
      children.push(runChild('src/main/api.ts', { ...env, HTTP_PORT: String(port) }));
      children.push(runChild('src/main/background.ts', env));
      const up = await waitFor(async () => (await fetch(`${url}/health/live`).catch(() => undefined))?.ok, {
        timeoutMs: 30_000,
      });
      if (!up) throw new Error(children.map((child) => child.output()).join('\n'));
    }, 60_000);
    afterAll(async () => {
      await Promise.all(children.map((child) => child.stop()));
      if (amqp) await deleteTopology(amqp, namespace);
    }, 30_000);

    it('gives no locked seat away, says that it is off, and is not ready; nor is a worker there', async () => {
      const { event, seatIds } = await openHall(1);
      const body = { eventId: event.id, seatIds };
      expect((await tenant.alice.post('/seats/lock', body, { key: randomUUID() })).status).toBe(201);
      const token = await issueToken({ tenantId: tenant.tenantId, subject: 'late', role: 'buyer' });
      const answer = await callerOf(url, token)('POST', '/seats/lock', body);
      expect(answer).toMatchObject({ status: 409, body: { code: 'seats_unavailable' } });
      const ready = await fetch(`${url}/health/ready`);
      expect(ready.status).toBe(503);
      const { checks } = (await ready.json()) as { checks: Record<string, { ok: boolean; detail?: string }> };
      expect(checks.clock).toEqual({
        ok: false,
        detail: expect.stringMatching(/^this machine is 3(59|60)\.\d s ahead/),
      });
      for (const child of children)
        await waitFor(async () => child.output().includes("far from the database's"), { timeoutMs: 20_000 });
      expect(children.map((child) => child.output().includes("far from the database's"))).toEqual([
        true,
        true,
      ]);
      const { rows } = await ctx.database.owner.query(
        "select * from worker_heartbeats where worker = 'background'",
      );
      expect(rows).toEqual([]);
    }, 60_000);
  },
);
