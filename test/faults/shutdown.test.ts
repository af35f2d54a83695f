import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { Hono } from 'hono';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type App, createApp } from '../../src/api/app.ts';
import { findPort } from '../../src/main/embedded/find-port.ts';
import { serveHttp } from '../../src/main/serve-http.ts';
import { sleep, waitFor } from '../../src/platform/retry.ts';
import { deleteTopology } from '../support/delete-topology.ts';
import { runChild } from '../support/run-child.ts';
import { buy, openSale, samplePurchase } from '../support/samples.ts';
import { callerOf } from '../support/selling-world.ts';
import {
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

/** A server whose answers take as long as their path says, in milliseconds. */
async function serve(drainMs?: number) {
  const stop = new AbortController();
  const app = new Hono();
  app.get('/:ms', async (c) => {
    await sleep(Number(c.req.param('ms')));
    return c.text('done');
  });
  const options = { host: '127.0.0.1', port: 0, signal: stop.signal, ...(drainMs ? { drainMs } : {}) };
  const { url, closed } = await serveHttp(app as unknown as App, options);
  return { url, closed, stop };
}

type Outcome = {
  status?: number;
  error?: string;
  retryAfter?: string | undefined;
  connection?: string | undefined;
};

function get(url: string, agent?: Agent): Promise<Outcome> {
  return new Promise((resolve) => {
    const asked = request(url, { agent: agent ?? false }, (answer) => {
      answer.resume().on('end', () =>
        resolve({
          status: answer.statusCode ?? 0,
          retryAfter: answer.headers['retry-after'],
          connection: answer.headers.connection,
        }),
      );
    });
    asked.on('error', (error: NodeJS.ErrnoException) => resolve({ error: error.code ?? error.message }));
    asked.end();
  });
}

describe('a server that is told to end', () => {
  it('finishes a request of six seconds, and takes no new connection meanwhile', async () => {
    const { url, closed, stop } = await serve();
    const slow = get(`${url}/6000`);
    await sleep(200);
    stop.abort();
    await sleep(50);
    expect(await get(`${url}/0`)).toEqual({ error: 'ECONNREFUSED' });
    expect(await slow).toMatchObject({ status: 200, connection: 'close' });
    await closed;
  }, 20_000);

  it('tells 503 and Retry-After to what it cannot finish, and ends all the same', async () => {
    const { url, closed, stop } = await serve(700);
    const hanging = get(`${url}/60000`);
    await sleep(200);
    const began = performance.now();
    stop.abort();
    expect(await hanging).toEqual({ status: 503, retryAfter: '1', connection: 'close' });
    await closed;
    expect(performance.now() - began).toBeLessThan(2_000);
  });

  it('resets no request that comes on a connection there is', async () => {
    const { url, closed, stop } = await serve();
    const outcomes: Outcome[] = [];
    const clients = Array.from({ length: 30 }, async (_, i) => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      for (;;) {
        const outcome = await get(`${url}/${i % 5}`, agent);
        outcomes.push(outcome);
        if (outcome.error) break;
        await sleep(i % 7);
      }
      agent.destroy();
    });
    await sleep(300);
    const before = outcomes.length;
    stop.abort();
    await Promise.all(clients);
    await closed;
    const after = outcomes.slice(before);
    expect(before).toBeGreaterThan(100);
    expect(new Set(after.map(({ status, error }) => status ?? error))).toEqual(
      new Set([200, 'ECONNREFUSED']),
    );
  });
});

describe.skipIf(amqp === null)(`SIGTERM under load${amqp ? '' : ' (left out: needs RabbitMQ)'}`, () => {
  const namespace = `test-${randomBytes(4).toString('hex')}.`;
  /** Takes connections and never says a word. */
  const silent = createServer((socket) => socket.on('error', () => undefined));
  let ctx: TestContext;
  let tenant: TestTenant;
  let env: Record<string, string>;

  beforeAll(async () => {
    ctx = await createTestContext();
    tenant = await createTestTenant(ctx, createApp(ctx));
    await once(silent.listen(0, '127.0.0.1'), 'listening');
    env = {
      NODE_ENV: 'test',
      LOG_LEVEL: 'info',
      DATABASE_URL: ctx.database.url('tessera_app'),
      DATABASE_RELAY_URL: ctx.database.url('tessera_relay'),
      AMQP_URL: amqp ?? '',
      AMQP_NAMESPACE: namespace,
      SMTP_URL: `smtp://127.0.0.1:${(silent.address() as AddressInfo).port}`,
      CHAIN_RPC_URL: DEAD_RPC,
      CHAIN_PROGRAM_ID: LOCAL_PROGRAM_ID,
      QR_MASTER_KEYS: `1:${randomBytes(32).toString('base64')}`,
      ...identity,
    };
  });
  afterAll(async () => {
    silent.close();
    await ctx.close();
    if (amqp) await deleteTopology(amqp, namespace);
  });

  it('ends a worker with 0 within 10 s, though what it holds never ends', async () => {
    const { type } = await openSale(tenant);
    for (let i = 0; i < 20; i++) await buy(tenant.alice, type);
    const held = once(silent, 'connection');
    const child = runChild('src/main/background.ts', env);
    await held;
    await sleep(1_000);
    const began = performance.now();
    expect(await child.stop(), child.output()).toBe(0);
    expect(performance.now() - began).toBeLessThan(10_000);
  }, 60_000);

  it('ends an API with 0 within 10 s, every buyer answered, while the database holds them up', async () => {
    const { type } = await openSale(tenant);
    const port = await findPort(18_800);
    const url = `http://127.0.0.1:${port}`;
    const child = runChild('src/main/api.ts', { ...env, HTTP_PORT: String(port) });
    const up = await waitFor(async () => (await fetch(`${url}/health/live`).catch(() => undefined))?.ok, {
      timeoutMs: 30_000,
    });
    if (!up) throw new Error(child.output());
    const caller = callerOf(
      url,
      await issueToken({ tenantId: tenant.tenantId, subject: 'ann', role: 'buyer' }),
    );
    const lock = await ctx.database.owner.connect();
    await lock.query('begin');
    await lock.query('select from inventory where ticket_type_id = $1 for update', [type.id]);
    const answers = Array.from({ length: 50 }, () =>
      caller('POST', '/tickets/purchase', samplePurchase(type)),
    );
    await sleep(1_000);
    const began = performance.now();
    const ended = child.stop();
    await sleep(1_500);
    await lock.query('rollback');
    lock.release();
    const settled = await Promise.allSettled(answers);
    expect(await ended, child.output()).toBe(0);
    expect(performance.now() - began).toBeLessThan(10_000);
    const statuses = settled.map((one) =>
      one.status === 'fulfilled' ? one.value.status : String(one.reason.cause),
    );
    expect(new Set(statuses)).toEqual(new Set([201]));
  }, 60_000);
});
