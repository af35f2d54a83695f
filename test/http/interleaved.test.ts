import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createApp } from '../../src/api/app.ts';
import { createTestProvider } from '../../src/domain/payments/test-provider.ts';
import { serveHttp } from '../../src/main/serve-http.ts';
import type { Role } from '../../src/platform/actor.ts';
import { createDb, type Db } from '../../src/platform/db.ts';
import { openSale, sampleEvent, samplePurchase } from '../support/samples.ts';
import {
  createTestContext,
  createTestTenant,
  issueToken,
  type TestContext,
} from '../support/test-context.ts';
import { expectProblem } from './support/problems.ts';

const REQUESTS = 1_000;
const AT_ONCE = 24;

type Answer = { status: number; text: string; headers: Headers };
type Ask = (
  role: Role,
  method: string,
  path: string,
  body?: unknown,
  options?: { key?: string; abortAfterMs?: number },
) => Promise<Answer | undefined>;

/** One tenant with what it sells, its word that appears in nobody else's data, and everything it was answered. */
type Side = {
  tenantId: string;
  word: string;
  event: { id: string };
  type: { id: string; eventId: string };
  ticketId: string;
  answers: Answer[];
  sold: number;
  ask: Ask;
};

let ctx: TestContext;
const closing: (() => Promise<void>)[] = [];

beforeAll(async () => {
  ctx = await createTestContext();
});
afterAll(async () => {
  for (const close of closing.toReversed()) await close();
  await ctx.close();
});

it('leaks nothing over 1,000 interleaved requests of two tenants on two connections', async () => {
  const db = ctx.database.open('tessera_app', 2);
  const [one, other] = await openSides(db);
  await interleave(REQUESTS, (i) =>
    i % 2 === 0 ? anyRequest(one, other, i / 2) : anyRequest(other, one, (i - 1) / 2),
  );

  await expectNothingLeaked(one, other);
  const answered = one.answers.length + other.answers.length;
  expect(answered).toBeGreaterThan(REQUESTS * 0.8);
  expect(new Set([...one.answers, ...other.answers].map(({ status }) => status))).toEqual(
    new Set([200, 201, 400, 402, 403, 404]),
  );
  await expectPoolClean(db, 2);
});

it('leaks nothing while statements run out of time', async () => {
  const db = openImpatient('-c statement_timeout=250 -c lock_timeout=120');
  const [one, other] = await openSides(db);
  const blocker = await ctx.database.owner.connect();
  try {
    await blocker.query('begin');
    await blocker.query('select from inventory where tenant_id = $1 for update', [one.tenantId]);
    await interleave(60, async (i) => {
      if (i % 3 > 0) return anyRequest(other, one, i);
      const answer = await purchase(one, 'tok_success');
      expect(answer?.status).toBe(503);
      expect(Number(answer?.headers.get('retry-after'))).toBeGreaterThan(0);
    });
  } finally {
    await blocker.query('rollback');
    blocker.release();
  }
  expect(one.answers.map(({ status }) => status)).toEqual(Array(20).fill(503));
  expect(other.answers.filter(({ status }) => status === 201).length).toBeGreaterThan(0);
  expect((await purchase(one, 'tok_success'))?.status).toBe(201);
  await expectNothingLeaked(one, other);
  await expectPoolClean(db, 2);
});

it('leaks nothing while connections break, and goes on afterwards', async () => {
  const db = ctx.database.open('tessera_app', 2);
  const [one, other] = await openSides(db);
  let breaking = true;
  let broken = 0;
  const breaker = (async () => {
    while (breaking) {
      const { rowCount } = await ctx.database.owner.query(
        `select pg_terminate_backend(pid) from pg_stat_activity
         where datname = current_database() and usename like 'tessera\\_app%' and state <> 'idle'`,
      );
      broken += rowCount ?? 0;
      await delay(8);
    }
  })();
  await interleave(300, (i) =>
    i % 2 === 0 ? anyRequest(one, other, i / 2, [503]) : anyRequest(other, one, (i - 1) / 2, [503]),
  );
  breaking = false;
  await breaker;

  expect(broken).toBeGreaterThan(10);
  const unavailable = [...one.answers, ...other.answers].filter(({ status }) => status === 503);
  expect(unavailable.length).toBeGreaterThan(0);
  for (const { headers } of unavailable) expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
  for (const side of [one, other]) expect((await purchase(side, 'tok_success'))?.status).toBe(201);
  await expectNothingLeaked(one, other);
  await expectPoolClean(db, 2);
});

/** The test pool with limits of its own; what the URL says goes before what the code asks for. */
function openImpatient(options: string): Db {
  const url = `${ctx.database.url('tessera_app')}?options=${encodeURIComponent(options)}`;
  const db = createDb({ url, poolSize: 2, log: ctx.log, applicationName: 'test' });
  closing.push(() => db.close());
  return db;
}

/** Two tenants behind one API on a real socket, so that a request can be broken off. */
async function openSides(db: Db): Promise<[Side, Side]> {
  const own = { ...ctx, db };
  const app = createApp({ ...own, payments: createTestProvider(own) });
  const stop = new AbortController();
  const { url, closed } = await serveHttp(app, { host: '127.0.0.1', port: 0, signal: stop.signal });
  closing.push(() => {
    stop.abort();
    return closed;
  });
  return [await openSide(url), await openSide(url)];
}

async function openSide(url: string): Promise<Side> {
  const word = `word${randomUUID().replaceAll('-', '')}`;
  // Set up over a pool of the usual size: what is tested comes after.
  const tenant = await createTestTenant(ctx, createApp(ctx), word);
  const { event, type } = await openSale(tenant, {
    event: { title: word },
    type: { capacity: 10_000, name: word },
  });
  const tokens = new Map<Role, string>();
  for (const role of ['organiser', 'buyer', 'scanner'] as const)
    tokens.set(role, await issueToken({ tenantId: tenant.tenantId, subject: `${role}-${word}`, role }));
  const answers: Answer[] = [];
  const side: Side = {
    tenantId: tenant.tenantId,
    word,
    event,
    type,
    ticketId: '',
    answers,
    sold: 0,
    async ask(role, method, path, body, { key, abortAfterMs } = {}) {
      const signal = abortAfterMs === undefined ? undefined : AbortSignal.timeout(abortAfterMs);
      try {
        const response = await fetch(`${url}/api${path}`, {
          method,
          headers: {
            connection: 'close',
            authorization: `Bearer ${tokens.get(role)}`,
            ...(body === undefined ? {} : { 'content-type': 'application/json' }),
            ...(key === undefined ? {} : { 'idempotency-key': key }),
          },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
          ...(signal ? { signal } : {}),
        });
        const answer = { status: response.status, text: await response.text(), headers: response.headers };
        answers.push(answer);
        return answer;
      } catch (error) {
        if (signal?.aborted) return undefined;
        throw error;
      }
    },
  };
  const first = await purchase(side, 'tok_success');
  side.ticketId = JSON.parse(first?.text ?? '').tickets[0].id;
  answers.length = 0;
  return side;
}

async function purchase(side: Side, token: string, key: string = randomUUID()): Promise<Answer | undefined> {
  const answer = await side.ask('buyer', 'POST', '/tickets/purchase', purchaseOf(side, side.type, token), {
    key,
  });
  if (answer?.status === 201) side.sold++;
  return answer;
}

function purchaseOf(side: Side, type: { id: string; eventId: string }, token = 'tok_success') {
  return samplePurchase(type, { customerName: side.word, payment: { token } });
}

/** A request of `side`, the same at every `turn` of every run. `also` are statuses that are no fault here. */
async function anyRequest(side: Side, foreign: Side, turn: number, also: number[] = []): Promise<void> {
  // Both tenants use the same keys.
  const key = `request-${turn}-of-this-run`;
  const expectStatus = (answer: Answer | undefined, ...statuses: number[]) => {
    expect([...statuses, ...also], answer?.text).toContain(answer?.status);
    return answer;
  };
  switch (turn % 14) {
    case 0:
      return void expectStatus(await purchase(side, 'tok_success', key), 201);
    case 1: {
      const answer = expectStatus(await side.ask('buyer', 'GET', '/events?limit=100'), 200);
      if (answer?.status === 200) expect(answer.text).toContain(side.event.id);
      return;
    }
    case 2: {
      const answer = expectStatus(await side.ask('buyer', 'GET', `/events/${foreign.event.id}`), 404);
      if (answer?.status === 404) expectProblemOf(answer, 'not_found');
      return;
    }
    case 3: {
      const answer = expectStatus(await side.ask('buyer', 'GET', `/tickets/${side.ticketId}`), 200);
      if (answer?.status === 200) expect(JSON.parse(answer.text).id).toBe(side.ticketId);
      return;
    }
    case 4:
      return void expectStatus(await side.ask('organiser', 'GET', `/tickets/${foreign.ticketId}`), 404);
    case 5:
      return void expectStatus(
        await side.ask('buyer', 'POST', '/tickets/purchase', purchaseOf(side, foreign.type), { key }),
        404,
      );
    case 6:
      return void expectStatus(await purchase(side, 'tok_declined', key), 402);
    case 7:
      return void expectStatus(await side.ask('organiser', 'POST', '/events', { title: side.word }), 400);
    case 8:
      return void expectStatus(
        await side.ask('organiser', 'POST', '/events', sampleEvent({ title: side.word })),
        201,
      );
    case 9:
      return void expectStatus(
        await side.ask('scanner', 'POST', '/tickets/purchase', purchaseOf(side, side.type), { key }),
        403,
      );
    case 10: {
      const body = { reason: 'fraud', note: side.word };
      const path = `/tickets/${foreign.ticketId}/revoke`;
      return void expectStatus(await side.ask('organiser', 'POST', path, body, { key }), 404);
    }
    case 11: {
      const { payment, ...wanted } = purchaseOf(side, side.type);
      return void expectStatus(
        await side.ask('buyer', 'POST', '/tickets/reserve', wanted, { key: randomUUID() }),
        201,
      );
    }
    case 12: {
      const body = purchaseOf(side, side.type);
      await side.ask('buyer', 'POST', '/tickets/purchase', body, {
        key: randomUUID(),
        abortAfterMs: turn % 20,
      });
      return;
    }
    default: {
      await side.ask('buyer', 'GET', '/tickets?limit=100', undefined, { abortAfterMs: turn % 10 });
    }
  }
}

function expectProblemOf(answer: Answer, code: string): void {
  const { status, headers } = answer;
  expectProblem({ status, headers, body: JSON.parse(answer.text) }, status, code);
}

/** Runs `count` requests, AT_ONCE at a time; each takes the next turn when one ended. */
async function interleave(count: number, request: (i: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < count) await request(next++);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;

/** No answer names anything of the other tenant, and no row of one mentions the other. */
async function expectNothingLeaked(...sides: [Side, Side]): Promise<void> {
  const [one, other] = sides;
  for (const [side, foreign] of [
    [one, other],
    [other, one],
  ] as const) {
    const theirs = await rowsOf(foreign.tenantId);
    const own = await rowsOf(side.tenantId);
    expect(theirs).toContain(foreign.word);
    expect(own).not.toContain(foreign.word);
    const foreignIds = new Set(theirs.match(UUID));
    for (const id of own.match(UUID) ?? []) foreignIds.delete(id);
    expect(foreignIds).toContain(foreign.ticketId);
    for (const { text } of side.answers) {
      expect(text).not.toContain(foreign.word);
      for (const id of text.match(UUID) ?? []) expect(foreignIds).not.toContain(id);
    }
    const { rows } = await ctx.database.owner.query(
      "select count(*)::integer as n from orders where tenant_id = $1 and status = 'paid'",
      [side.tenantId],
    );
    // A request that was broken off may still have bought.
    expect(rows[0].n).toBeGreaterThanOrEqual(side.sold);
  }
}

/** Everything that the database has of a tenant, as text. */
async function rowsOf(tenantId: string): Promise<string> {
  const { owner } = ctx.database;
  const tables = await owner.query<{ name: string }>(
    `select table_name as name from information_schema.columns
     where table_schema = 'public' and column_name = 'tenant_id'`,
  );
  let text = '';
  for (const { name } of tables.rows) {
    const { rows } = await owner.query<{ all: string }>(
      `select coalesce(string_agg(t::text, ' '), '') as all from ${name} t where tenant_id = $1`,
      [tenantId],
    );
    text += `${rows[0]?.all} `;
  }
  return text;
}

/** Every connection is back, none knows a tenant, and none is in a transaction. */
async function expectPoolClean({ pool }: Db, size: number): Promise<void> {
  await expect.poll(() => pool.totalCount - pool.idleCount, { timeout: 5_000 }).toBe(0);
  expect(pool.waitingCount).toBe(0);
  const clients = await Promise.all(Array.from({ length: size }, () => pool.connect()));
  for (const client of clients) {
    const { rows } = await client.query(
      "select coalesce(current_setting('app.tenant_id', true), '') as tenant, (select count(*)::integer from orders) as orders",
    );
    expect(rows).toEqual([{ tenant: '', orders: 0 }]);
    client.release();
  }
}
