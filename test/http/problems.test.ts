import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type App, createApp } from '../../src/api/app.ts';
import { createDb } from '../../src/platform/db.ts';
import { createLogger } from '../../src/platform/logger.ts';
import { openSale, samplePurchase, sampleTicketType } from '../support/samples.ts';
import {
  type Client,
  clientOf,
  createTestContext,
  createTestTenant,
  issueToken,
  type TestContext,
  type TestTenant,
  testConfig,
} from '../support/test-context.ts';
import { openWorld, request, type World } from './support/operations.ts';
import { expectProblem } from './support/problems.ts';

let ctx: TestContext;
let app: App;
let tenant: TestTenant;
let world: World;

beforeAll(async () => {
  ctx = await createTestContext();
  app = createApp(ctx);
  tenant = await createTestTenant(ctx, app);
  world = await openWorld(ctx, tenant);
});
afterAll(() => ctx.close());

/** Alice's client of another app on the same database. */
async function aliceOf(target: App): Promise<Client> {
  return clientOf(target, await issueToken({ tenantId: tenant.tenantId, subject: 'alice', role: 'buyer' }));
}

describe('a problem', () => {
  it.each<[number, string, () => Promise<{ status: number; body: object; headers: Headers }>]>([
    [400, 'validation_failed', () => tenant.alice.get('/events?limit=0')],
    [400, 'malformed_body', () => tenant.organiser.post('/events', '{')],
    [400, 'bad_cursor', () => tenant.alice.get('/events?cursor=x')],
    [400, 'bad_address', () => tenant.alice.post('/wallets/challenge', { address: '0'.repeat(40) })],
    [401, 'unauthenticated', () => clientOf(app).get('/events')],
    [402, 'payment_failed', () => buyWith({ payment: { token: 'tok_declined' } })],
    [403, 'forbidden', () => tenant.alice.get('/api-keys')],
    [403, 'scope_missing', () => tenant.alice.get('/events', { headers: { 'on-behalf-of': 'bob' } })],
    [404, 'not_found', () => tenant.alice.get(`/events/${randomUUID()}`)],
    [404, 'not_found', () => tenant.alice.get('/nothing')],
    [404, 'not_found', () => clientOf(app).get('/../nothing')],
    [405, 'method_not_allowed', () => tenant.alice.put('/events', {})],
    [409, 'order_limit_exceeded', () => buyWith({ quantity: 3 })],
    [413, 'body_too_large', () => tenant.organiser.post('/events', ' '.repeat(70_000))],
    [
      415,
      'unsupported_media_type',
      () => tenant.organiser.post('/events', 'x', { headers: { 'content-type': 'text/plain' } }),
    ],
    [
      422,
      'wallet_not_proven',
      () => tenant.alice.post('/wallets', { challengeId: randomUUID(), signature: 'AAAA' }),
    ],
  ])('is complete: %i %s', async (status, code, ask) => {
    expectProblem(await ask(), status, code);
  });

  const buyWith = async (change: object) => {
    const { type } = await openSale(tenant, { type: { perOrderLimit: 2 } });
    return tenant.alice.post('/tickets/purchase', samplePurchase(type, { ...change }), { key: randomUUID() });
  };

  it('names the fields at fault, twenty at most, and repeats none of their content', async () => {
    const input = sampleTicketType({ priceMinor: 'canary-1', [`x${'y'.repeat(5_000)}`]: 1, capacity: -5 });
    const answer = await tenant.organiser.post<{ errors: { path: string; message: string }[] }>(
      `/events/${world.eventId}/ticket-types`,
      input,
    );
    expectProblem(answer, 400, 'validation_failed');
    expect(answer.body.errors.map(({ path }) => path)).toEqual(
      expect.arrayContaining(['json/priceMinor', 'json/capacity', `json/x${'y'.repeat(199)}`]),
    );
    const text = JSON.stringify(answer.body);
    expect(text).not.toContain('canary-1');
    expect(text.length).toBeLessThan(2_000);

    const many = { ticketTypes: Array.from({ length: 50 }, () => ({})) };
    const long = await tenant.organiser.post<{ errors: unknown[] }>('/events', many);
    expect(long.body.errors).toHaveLength(20);
  });

  it.each<[string, Record<string, unknown>, string, string]>([
    ['no ticket', { quantity: 0 }, 'json/quantity', 'too_small'],
    ['more than ten', { quantity: 11 }, 'json/quantity', 'too_big'],
    ['half a ticket', { quantity: 1.5 }, 'json/quantity', 'invalid_type'],
    ['a number in quotes', { quantity: '2' }, 'json/quantity', 'invalid_type'],
    ['a price', { priceMinor: 1 }, 'json/priceMinor', 'unknown_field'],
    [
      'two answers to one question',
      { reservationId: 'RES_20260101000000_ABCDEFGH' },
      'json/eventId',
      'not_allowed',
    ],
  ])(
    'says of %s where it stands and what is wrong with it, for programs',
    async (_name, wish, path, code) => {
      const { type } = await openSale(tenant);
      const answer = await tenant.alice.post<{ errors: unknown[] }>(
        '/tickets/purchase',
        samplePurchase(type, wish),
        { key: randomUUID() },
      );
      expectProblem(answer, 400, 'validation_failed');
      expect(answer.body.errors).toContainEqual({ path, code, message: expect.any(String) });
    },
  );

  it('may say more, but never in the place of what every problem says', async () => {
    const { type } = await openSale(tenant, { type: { capacity: 1 } });
    const answer = await tenant.alice.post('/tickets/purchase', samplePurchase(type, { quantity: 2 }), {
      key: randomUUID(),
    });
    expectProblem(answer, 409, 'sold_out');
    expect(answer.body).toMatchObject({ available: 1 });
  });
});

describe('an error that nobody foresaw', () => {
  it('in the database is a 500 without a word of SQL', async () => {
    const { owner } = ctx.database;
    await owner.query('alter table wallets rename column custody to canary_column');
    try {
      const answer = await tenant.alice.get('/wallets');
      expectProblem(answer, 500, 'internal_error');
      expect(answer.body).toEqual({
        type: 'about:blank',
        title: 'Internal server error',
        status: 500,
        code: 'internal_error',
        detail: 'Something went wrong on our side.',
        requestId: answer.headers.get('x-request-id'),
      });
    } finally {
      await owner.query('alter table wallets rename column canary_column to custody');
    }
    expect((await tenant.alice.get('/wallets')).status).toBe(200);
  });

  it('in another service shows neither its message nor where it was', async () => {
    const chain = {
      ...ctx.chain,
      isAddress: () => {
        throw new Error('canary: password=hunter2');
      },
    };
    const alice = await aliceOf(createApp({ ...ctx, chain }));
    const answer = await alice.post('/wallets/challenge', { address: world.address });
    expectProblem(answer, 500, 'internal_error');
    expect(JSON.stringify(answer.body) + JSON.stringify([...answer.headers])).not.toMatch(
      /canary|hunter2|\.ts/,
    );
  });

  it('of a route without a token is a problem too', async () => {
    const broken = {
      ...ctx,
      db: {
        pool: {
          connect: async () => ({
            query: () => {
              throw new Error('canary');
            },
          }),
        },
      },
    };
    const answer = await clientOf(createApp(broken as unknown as TestContext)).get(
      `/nft/${world.mint}/metadata.json`,
    );
    expectProblem(answer, 500, 'internal_error');
    expect(JSON.stringify(answer.body)).not.toContain('canary');
  });
});

describe('a database that does not answer', () => {
  it('is a 503 that says when to come again, and names no host', async () => {
    const { log } = ctx;
    const db = createDb({
      url: 'postgres://tessera_app:hunter2@127.0.0.1:1/x',
      poolSize: 1,
      log,
      applicationName: 'test',
    });
    const target = createApp({ ...ctx, db });
    const clients = [await aliceOf(target), clientOf(target, tenant.apiKey)];
    for (const answer of [
      await clients[0]?.get('/events'),
      await clients[1]?.get('/events'),
      await clientOf(target).get(`/nft/${world.mint}/metadata.json`),
    ]) {
      if (!answer) throw new Error('there are clients');
      expectProblem(answer, 503, 'database_unavailable');
      expect(answer.headers.get('retry-after')).toMatch(/^[1-9]\d*$/);
      expect(JSON.stringify(answer.body)).not.toMatch(/127\.0\.0\.1|ECONNREFUSED|hunter2|postgres/);
    }
    await db.close();
  });

  it('is found again without a restart, after all its connections were cut', async () => {
    const db = ctx.database.open('tessera_app', 2);
    const alice = await aliceOf(createApp({ ...ctx, db }));
    expect((await alice.get('/wallets')).status).toBe(200);
    await ctx.database.owner.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where usename like 'tessera\\_app%' and datname = current_database()",
    );
    const { status } = await alice.get('/wallets');
    expect([200, 503]).toContain(status);
    expect((await alice.get('/wallets')).status).toBe(200);
  });
});

describe('the id of a request', () => {
  it.each(['abcdefgh', 'A-Za-z0-9._', '0199f000-0000-7000-8000-000000000000', 'x'.repeat(64)])(
    'is taken over when it is plain: %s',
    async (id) => {
      const answer = await tenant.alice.get('/nothing', { headers: { 'x-request-id': id } });
      expect([answer.headers.get('x-request-id'), answer.body.requestId]).toEqual([id, id]);
    },
  );

  it.each([
    ['an empty one', ''],
    ['a short one', 'abcdefg'],
    ['a long one', 'x'.repeat(65)],
    ['one with a space', 'abcd efgh'],
    ['one with markup', '<script>alert(1)</script>'],
    ['one with JSON', 'abcdefgh","admin":"true'],
    ['one with letters beyond ASCII', 'abcdéfghi'],
    ['two', 'abcdefgh, ijklmnop'],
  ])('is our own instead of %s', async (_name, id) => {
    const answer = await tenant.alice.get('/nothing', { headers: { 'x-request-id': id } });
    const own = answer.headers.get('x-request-id');
    expect(own).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7/);
    expect(own).not.toBe(id);
    expect(answer.body.requestId).toBe(own);
  });

  it('differs from request to request, and stands on good answers too', async () => {
    const ids = await Promise.all(
      Array.from({ length: 20 }, async () => (await tenant.alice.get('/events')).headers.get('x-request-id')),
    );
    expect(new Set(ids).size).toBe(20);
    expect(ids).not.toContain(null);
  });

  it('goes with the messages of a purchase', async () => {
    const id = `purchase-${randomUUID()}`;
    await request(tenant.alice, 'POST /api/tickets/purchase', world, {
      key: randomUUID(),
      headers: { 'x-request-id': id },
    });
    const { rows } = await ctx.database.owner.query(
      "select count(*)::int as count from outbox where messages::jsonb @> jsonb_build_array(jsonb_build_object('requestId', $1::text))",
      [id],
    );
    expect(rows[0].count).toBe(1);
  });
});

describe('the log', () => {
  it('holds no secret and no person, whatever was asked and whatever failed', async () => {
    const folder = await mkdtemp(`${tmpdir()}/tessera-log-`);
    const destination = `${folder}/api.log`;
    const log = createLogger({ level: 'trace', process: 'api', destination });
    const target = createApp({ ...ctx, log, config: testConfig({ LOG_LEVEL: 'trace' }) });
    const alice = await aliceOf(target);
    const admin = clientOf(target, tenant.apiKey);
    const person = {
      customerName: 'Canary Name',
      customerEmail: 'canary@example.com',
      customerPhone: '+49 555 canary',
      notes: 'canary note',
      payment: { token: 'canary-token' },
    };
    const { type } = await openSale(tenant);
    await alice.post('/tickets/purchase', samplePurchase(type, person), { key: 'canary-idempotency' });
    await alice.post(
      '/tickets/purchase',
      samplePurchase(type, { ...person, payment: { token: 'tok_timeout' } }),
      {
        key: 'canary-idempotency-2',
      },
    );
    await admin.post('/api-keys', { name: 'canary key', role: 'buyer' });
    await clientOf(target, 'tk_live_canary').get('/events');
    await clientOf(target, 'canary.jwt.x').get('/events');
    await alice.post('/tickets/validate', { qr: 'canary-code', eventId: type.eventId, nonce: randomUUID() });
    const { owner } = ctx.database;
    await owner.query('alter table wallets rename column custody to gone');
    await alice.get('/wallets');
    await owner.query('alter table wallets rename column gone to custody');
    // A database that did not guard its rows would tell the whole row that it refuses.
    await owner.query('alter table orders add constraint refused check (quantity < 0) not valid');
    const refused = await alice.post('/tickets/purchase', samplePurchase(type, person), {
      key: randomUUID(),
    });
    expectProblem(refused, 500, 'internal_error');
    await owner.query('alter table orders drop constraint refused');

    const text = await readFile(destination, 'utf8');
    await rm(folder, { recursive: true });
    expect(text.split('\n').length).toBeGreaterThanOrEqual(8);
    expect(text).toContain('request failed');
    expect(text).toContain('violates check constraint');
    expect(text).not.toMatch(/canary/i);
    expect(text).not.toContain(tenant.apiKey);
    expect(text).not.toMatch(/eyJ[\w-]+\.eyJ/);
  });
});
