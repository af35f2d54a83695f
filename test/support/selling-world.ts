import { randomBytes, randomUUID } from 'node:crypto';
import { connect } from 'amqplib';
import { inject } from 'vitest';
import { createApp } from '../../src/api/app.ts';
import { createStripeProvider } from '../../src/domain/payments/stripe-provider.ts';
import { createTenant } from '../../src/domain/tenants/create-tenant.ts';
import { serveHttp } from '../../src/main/serve-http.ts';
import { topology } from '../../src/messages.ts';
import type { Role } from '../../src/platform/actor.ts';
import { createRabbitBus } from '../../src/platform/bus-rabbit.ts';
import { createRedisCache } from '../../src/platform/cache-redis.ts';
import { createLogger } from '../../src/platform/logger.ts';
import { createMetrics } from '../../src/platform/metrics.ts';
import { STRIPE_KEY, STRIPE_WEBHOOK_SECRET, type StripeServer, startStripeServer } from './stripe-server.ts';
import { createTestClock, type TestClock } from './test-clock.ts';
import { createTestContext, issueToken, type TestContext, testConfig } from './test-context.ts';
import { startWorkers, type TestWorkers } from './test-workers.ts';

type Answer<T> = { status: number; headers: Headers; body: T };
export type Caller = <T = Record<string, unknown>>(
  method: string,
  path: string,
  body?: unknown,
  options?: { key?: string; headers?: Record<string, string> },
) => Promise<Answer<T>>;

/** An API behind a socket and the background service, on RabbitMQ, Redis and a Stripe of our own; only time is ours. */
export type SellingWorld = {
  ctx: TestContext;
  clock: TestClock;
  stripe: StripeServer;
  workers: TestWorkers;
  url: string;
  tenantId: string;
  as(subject: string, role?: Role): Promise<Caller>;
  close(): Promise<void>;
};

export async function createSellingWorld(): Promise<SellingWorld> {
  const [amqp, redis] = [inject('amqp'), inject('redis')];
  if (!amqp || !redis) throw new Error('needs RabbitMQ and Redis');
  const namespace = `test-${randomBytes(4).toString('hex')}.`;
  const stripe = await startStripeServer();
  const clock = createTestClock();
  const config = testConfig({
    PAYMENT_PROVIDER: 'stripe',
    STRIPE_SECRET_KEY: STRIPE_KEY,
    STRIPE_WEBHOOK_SECRET,
    STRIPE_API_URL: stripe.url,
  });
  const log = createLogger({ level: 'silent', process: 'test' });
  const cache = createRedisCache({ url: redis, prefix: namespace, log, metrics: createMetrics() });
  const bus = await createRabbitBus({ url: amqp, namespace, topology, log });
  const payments = createStripeProvider({ config, log, clock }, { timeoutMs: 300 });
  const ctx = await createTestContext({ config, clock, cache, bus, payments });
  const workers = await startWorkers(ctx);
  const stop = new AbortController();
  const { url, closed } = await serveHttp(createApp(ctx), {
    host: '127.0.0.1',
    port: 0,
    signal: stop.signal,
  });
  const { tenantId } = await createTenant(ctx, { name: 'End to end' });
  return {
    ctx,
    clock,
    stripe,
    workers,
    url,
    tenantId,
    async as(subject, role = 'buyer') {
      return callerOf(url, await issueToken({ tenantId, subject, role }));
    },
    async close() {
      stop.abort();
      await closed;
      await workers.stop();
      await ctx.close();
      await stripe.close();
      await deleteTopology(amqp, namespace);
    },
  };
}

/** A client over the socket; every request has a key of its own unless it is given one. */
export function callerOf(url: string, token?: string): Caller {
  return async (method, path, body, { key = randomUUID(), headers = {} } = {}) => {
    const response = await fetch(`${url}/api${path}`, {
      method,
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        'idempotency-key': key,
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      body: text === '' ? undefined : JSON.parse(text),
    };
  };
}

async function deleteTopology(url: string, namespace: string): Promise<void> {
  const connection = await connect(url);
  const channel = await connection.createChannel();
  for (const queue of Object.keys(topology)) {
    await channel.deleteQueue(`${namespace}${queue}`);
    await channel.deleteQueue(`${namespace}${queue}.dlq`);
  }
  await channel.deleteExchange(`${namespace}tessera`);
  await channel.deleteExchange(`${namespace}tessera.dead`);
  await connection.close();
}
