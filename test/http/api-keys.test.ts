import { createHash, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type App, createApp } from '../../src/api/app.ts';
import type { NewApiKey } from '../../src/domain/tenants/create-api-key.ts';
import type { ListedApiKey } from '../../src/domain/tenants/list-api-keys.ts';
import { roles } from '../../src/platform/actor.ts';
import { createTestClock, HOUR, MINUTE, type TestClock } from '../support/test-clock.ts';
import {
  type Client,
  clientOf,
  createTestContext,
  createTestTenant,
  type TestContext,
  type TestTenant,
} from '../support/test-context.ts';
import { digestDatabase, expectProblem, withoutRequestId } from './support/problems.ts';

/** For so long a process may remember a key that was revoked. */
const REMEMBERED = MINUTE / 2;

let ctx: TestContext;
let clock: TestClock;
let app: App;
let tenant: TestTenant;
let other: TestTenant;

beforeAll(async () => {
  clock = createTestClock();
  ctx = await createTestContext({ clock });
  app = createApp(ctx);
  other = await createTestTenant(ctx, app, 'Other');
});
afterAll(() => ctx.close());
beforeEach(async () => {
  tenant = await createTestTenant(ctx, app);
});

const create = async (input: Record<string, unknown> = {}, client: Client = tenant.admin) => {
  const answer = await client.post<NewApiKey>('/api-keys', { name: 'a shop', role: 'support', ...input });
  expect(answer.status, JSON.stringify(answer.body)).toBe(201);
  return answer.body;
};
const list = async (client: Client = tenant.admin, query = '') =>
  (await client.get<{ items: ListedApiKey[]; nextCursor: string | null }>(`/api-keys${query}`)).body;
const revoke = (id: string, client: Client = tenant.admin) => client.delete(`/api-keys/${id}`);
const probe = (key: string, from = app) => clientOf(from, key).get('/events');
const bytesOf = (key: string) => Buffer.from(key.slice('tk_live_'.length), 'base64url');
const keyOf = (bytes: Buffer) => `tk_live_${bytes.toString('base64url')}`;

describe('POST /api-keys', () => {
  it('gives a key that opens what its role may, and shows it this once', async () => {
    const made = await create({ name: 'front desk', role: 'support', scopes: ['on_behalf_of'] });
    expect(made).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      name: 'front desk',
      role: 'support',
      scopes: ['on_behalf_of'],
      key: expect.stringMatching(/^tk_live_[\w-]{75}$/),
    });
    expect((await probe(made.key)).status).toBe(200);
    const listed = await list();
    expect(listed.items[0]).toEqual({
      id: made.id,
      name: 'front desk',
      role: 'support',
      scopes: ['on_behalf_of'],
      createdAt: clock.now().toISOString(),
      expiresAt: null,
    });
    expect(JSON.stringify(listed)).not.toContain(made.key.slice(-32));
  });

  it('keeps the hash of the secret and nothing else of it, anywhere', async () => {
    const { id, key } = await create();
    await probe(key);
    const secret = bytesOf(key).subarray(32);
    const { rows } = await ctx.database.owner.query('select secret_hash from api_keys where id = $1', [id]);
    expect(rows).toEqual([{ secret_hash: createHash('sha256').update(secret).digest() }]);
    const tables = await ctx.database.owner.query(
      "select quote_ident(table_name) as name from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE'",
    );
    for (const { name } of tables.rows) {
      for (const trace of [secret.toString('hex'), secret.toString('base64url'), key.slice(-20)]) {
        const found = await ctx.database.owner.query(`select from ${name} t where t::text like $1`, [
          `%${trace}%`,
        ]);
        expect([name, found.rowCount]).toEqual([name, 0]);
      }
    }
  });

  it('is noted, with who made it and what it may', async () => {
    const { id } = await create({ role: 'organiser', scopes: ['on_behalf_of'] });
    const { rows } = await ctx.database.owner.query(
      'select tenant_id, actor, action, details from audit_log where subject = $1',
      [id],
    );
    expect(rows).toEqual([
      {
        tenant_id: tenant.tenantId,
        actor: expect.stringMatching(/^api_key:/),
        action: 'api_key.created',
        details: { role: 'organiser', scopes: ['on_behalf_of'] },
      },
    ]);
  });

  it('is for admins alone, by key or by token', async () => {
    const before = await digestDatabase(ctx);
    for (const client of [tenant.organiser, tenant.support, tenant.scanner, tenant.alice]) {
      const answer = await client.post('/api-keys', { name: 'x', role: 'scanner' });
      expectProblem(answer, 403, 'forbidden');
      expectProblem(await client.get('/api-keys'), 403, 'forbidden');
      expectProblem(await revoke(randomUUID(), client), 403, 'forbidden');
    }
    const asAlice = { headers: { 'on-behalf-of': 'alice' } };
    expectProblem(
      await tenant.admin.post('/api-keys', { name: 'x', role: 'admin' }, asAlice),
      403,
      'forbidden',
    );
    expect(await digestDatabase(ctx)).toBe(before);
    await create({}, await tenant.as('ada', 'admin'));
  });

  it.each(roles.filter((role) => role !== 'admin'))(
    'with the role %s makes a key that makes no other and ends none',
    async (role) => {
      const { id, key } = await create({ role, scopes: ['on_behalf_of'] });
      const client = clientOf(app, key);
      expectProblem(await client.post('/api-keys', { name: 'x', role }), 403, 'forbidden');
      expectProblem(await client.get('/api-keys'), 403, 'forbidden');
      expectProblem(await revoke(id, client), 403, 'forbidden');
    },
  );

  it.each<[string, Record<string, unknown>]>([
    ['without a name', { name: undefined }],
    ['with an empty name', { name: '' }],
    ['with a name of 201 characters', { name: 'x'.repeat(201) }],
    ['without a role', { role: undefined }],
    ['with a role that there is not', { role: 'root' }],
    ['with a scope that there is not', { scopes: ['everything'] }],
    ['with eleven scopes', { scopes: Array(11).fill('on_behalf_of') }],
    ['with an end that is no time', { expiresAt: 'soon' }],
    ['with a key of its own', { key: 'tk_live_x' }],
    ['for another tenant', { tenantId: randomUUID() }],
  ])('%s is refused', async (_name, input) => {
    const before = await digestDatabase(ctx);
    const body = { name: 'a shop', role: 'support', ...input };
    expectProblem(await tenant.admin.post('/api-keys', body), 400, 'validation_failed');
    expect(await digestDatabase(ctx)).toBe(before);
  });

  it('with an end that has passed is refused', async () => {
    const before = await digestDatabase(ctx);
    const body = { name: 'a shop', role: 'support', expiresAt: clock.now().toISOString() };
    expectProblem(await tenant.admin.post('/api-keys', body), 400, 'expires_in_past');
    expect(await digestDatabase(ctx)).toBe(before);
  });
});

describe('a key', () => {
  it('acts for a user only with the scope for it', async () => {
    const headers = { 'on-behalf-of': 'alice' };
    const [plain, shop] = [await create(), await create({ scopes: ['on_behalf_of'] })];
    expectProblem(await clientOf(app, plain.key).get('/wallets', { headers }), 403, 'scope_missing');
    expect((await clientOf(app, shop.key).get('/wallets', { headers })).status).toBe(200);
    for (const user of ['', 'two words', '\u00e4', 'x'.repeat(129), 'wallet:x', 'Worker:1']) {
      const answer = await clientOf(app, shop.key).get('/wallets', { headers: { 'on-behalf-of': user } });
      expectProblem(answer, 400, 'bad_user_id');
    }
  });

  it.each<[string, (key: string) => string]>([
    [
      'with another secret',
      (key) => keyOf(Buffer.concat([bytesOf(key).subarray(0, 32), Buffer.alloc(24, 7)])),
    ],
    ['with one bit of its secret turned', (key) => turned(key, 55)],
    ['with one bit of its id turned', (key) => turned(key, 31)],
    ['with one bit of its tenant turned', (key) => turned(key, 15)],
    ['with the id of another key', (key) => swapped(key, 16, 32)],
    ['with the tenant of another key', (key) => swapped(key, 0, 16)],
    ['with its end cut off', (key) => key.slice(0, -1)],
    ['with something behind it', (key) => `${key}A`],
    ['with padding', (key) => `${key}=`],
    ['in another alphabet', (key) => `tk_live_${bytesOf(key).toString('base64')}`],
    ['for testing', (key) => key.replace('live', 'test')],
    ['without its prefix', (key) => key.slice('tk_live_'.length)],
    ['of nothing but its prefix', () => 'tk_live_'],
  ])('%s opens nothing, and the answer does not tell why', async (_name, change) => {
    const { key } = await create();
    const answer = await probe(change(key));
    expectProblem(answer, 401, 'unauthenticated');
    expect(withoutRequestId(answer)).toEqual(withoutRequestId(await probe('x')));
    expect((await probe(key)).status).toBe(200);
  });

  const turned = (key: string, at: number) => {
    const bytes = bytesOf(key);
    bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
    return keyOf(bytes);
  };
  const swapped = (key: string, from: number, to: number) => {
    const bytes = bytesOf(key);
    bytesOf(other.apiKey).copy(bytes, from, from, to);
    return keyOf(bytes);
  };

  it('opens until it expires and not a moment longer, however often it was used', async () => {
    const { id, key } = await create({ expiresAt: new Date(clock.now().getTime() + 1_000).toISOString() });
    expect((await probe(key)).status).toBe(200);
    clock.advance(999);
    expect((await probe(key)).status).toBe(200);
    expect((await list()).items.map((item) => item.id)).toContain(id);
    clock.advance(1);
    expectProblem(await probe(key), 401, 'unauthenticated');
    expect((await list()).items.map((item) => item.id)).not.toContain(id);
  });

  it('is replaced without a gap: the new one opens before the old one is revoked', async () => {
    const [old, fresh] = [await create(), await create()];
    expect([(await probe(old.key)).status, (await probe(fresh.key)).status]).toEqual([200, 200]);
    expect((await revoke(old.id)).status).toBe(204);
    clock.advance(REMEMBERED);
    expectProblem(await probe(old.key), 401, 'unauthenticated');
    expect((await probe(fresh.key)).status).toBe(200);
  });
});

describe('DELETE /api-keys/{id}', () => {
  it('ends a key at once where it was not used, and within half a minute where it was', async () => {
    const { id, key } = await create();
    expect((await probe(key)).status).toBe(200);
    expect((await revoke(id)).status).toBe(204);
    expectProblem(await probe(key, createApp(ctx)), 401, 'unauthenticated');
    clock.advance(REMEMBERED);
    expectProblem(await probe(key), 401, 'unauthenticated');
    expect((await list()).items.map((item) => item.id)).not.toContain(id);
    clock.advance(HOUR / 2);
    expectProblem(await probe(key), 401, 'unauthenticated');
  });

  it('ends it once, and is noted once', async () => {
    const { id } = await create();
    const answers = await Promise.all([revoke(id), revoke(id), revoke(id)]);
    expect(answers.map(({ status }) => status).sort()).toEqual([204, 404, 404]);
    const { rows } = await ctx.database.owner.query(
      "select from audit_log where subject = $1 and action = 'api_key.revoked'",
      [id],
    );
    expect(rows).toHaveLength(1);
  });

  it('ends no key of another tenant, and is like one that nobody has', async () => {
    const { id, key } = await create();
    const before = await digestDatabase(ctx);
    const [foreign, missing] = [await revoke(id, other.admin), await revoke(randomUUID(), other.admin)];
    expectProblem(foreign, 404, 'not_found');
    expect(withoutRequestId(foreign)).toEqual(withoutRequestId(missing));
    expect(await digestDatabase(ctx)).toBe(before);
    clock.advance(REMEMBERED);
    expect((await probe(key)).status).toBe(200);
  });
});

describe('GET /api-keys', () => {
  it('shows each of many once, the newest first, and none of another tenant', async () => {
    const made: string[] = [];
    for (let i = 0; i < 7; i++) made.unshift((await create({ name: `shop ${i}` })).id);
    const [first] = (await list()).items.slice(-1);
    for (const limit of [1, 3, 8, 100]) {
      const seen: string[] = [];
      let cursor: string | null = '';
      while (cursor !== null) {
        const page = await list(tenant.admin, `?limit=${limit}${cursor && `&cursor=${cursor}`}`);
        expect(page.items.length).toBeLessThanOrEqual(limit);
        seen.push(...page.items.map(({ id }) => id));
        cursor = page.nextCursor;
      }
      expect(seen).toEqual([...made, first?.id]);
    }
    expect((await list(other.admin)).items.filter(({ id }) => made.includes(id))).toEqual([]);
  });

  it.each([
    ['limit=0', 'validation_failed'],
    ['limit=101', 'validation_failed'],
    ['role=admin', 'validation_failed'],
    ['cursor=x', 'bad_cursor'],
    [`cursor=${Buffer.from('["x"]').toString('base64url')}`, 'bad_cursor'],
  ])('refuses %s', async (query, code) => {
    expectProblem(await tenant.admin.get(`/api-keys?${query}`), 400, code);
  });
});
