import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type App, createApp } from '../../src/api/app.ts';
import type { TicketDetail, TicketView } from '../../src/domain/tickets/schema.ts';
import { ticketStatuses } from '../../src/domain/tickets/ticket-state.ts';
import { buy, changeTicket, openSale, putOnChain } from '../support/samples.ts';
import {
  type Client,
  clientOf,
  createTestContext,
  createTestTenant,
  issueToken,
  type TestContext,
  type TestTenant,
} from '../support/test-context.ts';
import { expectProblem } from './support/problems.ts';
import { readPng, readQr, readSvg } from './support/read-qr.ts';

type List = { items: TicketView[]; nextCursor: string | null };
type Code = { code: string; ticketId: string; eventId: string; issuedAt: string };

let ctx: TestContext;
let app: App;
let tenant: TestTenant;
let other: TestTenant;

beforeAll(async () => {
  ctx = await createTestContext();
  app = createApp(ctx);
  tenant = await createTestTenant(ctx, app);
  other = await createTestTenant(ctx, app, 'Other');
});
afterAll(() => ctx.close());

async function buyOne(buyer: Client = tenant.alice, overrides: Parameters<typeof openSale>[1] = {}) {
  const { event, type } = await openSale(tenant, overrides);
  const order = await buy(buyer, type);
  return { event, type, order, id: order.tickets[0]?.id ?? '' };
}

const get = (id: string, client: Client = tenant.alice) => client.get<TicketView>(`/tickets/${id}`);

describe('GET /tickets/{id}', () => {
  it('shows the whole ticket to its holder and to staff, the same to all', async () => {
    const { event, type, order, id } = await buyOne();
    const { status, body } = await get(id);
    expect(status).toBe(200);
    expect(body).toEqual({
      id,
      eventId: event.id,
      ticketTypeId: type.id,
      orderId: order.orderId,
      userId: 'alice',
      ticketNumber: '001-0000001',
      holderName: 'Alice Example',
      seat: null,
      status: 'sold',
      priceMinor: 2_500,
      currency: 'EUR',
      version: 1,
      nftMint: null,
      ownerWallet: null,
      blockchainSyncStatus: 'none',
      createdAt: body.createdAt,
      updatedAt: body.createdAt,
      mintsAhead: expect.any(Number),
    });
    for (const client of [tenant.support, tenant.organiser, tenant.admin]) {
      expect((await get(id, client)).body).toEqual(body);
    }
  });

  it('says how many mints are before it while it waits for its own, of its tenant alone', async () => {
    const other = await createTestTenant(ctx, createApp(ctx), 'a rush elsewhere');
    await buy(other.alice, (await openSale(other)).type);
    const queue = await createTestTenant(ctx, createApp(ctx), 'a queue');
    const { type } = await openSale(queue);
    const ids: string[] = [];
    for (let i = 0; i < 3; i++) {
      ids.push((await buy(queue.alice, type)).tickets[0]?.id ?? '');
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const ahead = async (id = '') =>
      (await queue.alice.get<{ mintsAhead: number | null }>(`/tickets/${id}`)).body.mintsAhead;
    expect(await Promise.all(ids.map(ahead))).toEqual([0, 1, 2]);
    await putOnChain(ctx, ids[0] ?? '');
    await expect.poll(() => ahead(ids[2])).toBe(1);
    expect(await ahead(ids[0])).toBeNull();
  });

  it('shows where it is on the chain', async () => {
    const { id } = await buyOne();
    const { mint, wallet } = await putOnChain(ctx, id);
    expect((await get(id)).body).toMatchObject({
      status: 'active',
      nftMint: mint,
      ownerWallet: wallet,
      blockchainSyncStatus: 'finalized',
    });
  });

  it('does not exist for anybody else, whether the cache knows it or not', async () => {
    const { id } = await buyOne();
    const strangers = [tenant.bob, tenant.scanner, other.alice, other.admin];
    for (let round = 0; round < 2; round++) {
      for (const client of strangers) expectProblem(await get(id, client), 404, 'not_found');
      expect((await get(id)).status).toBe(200);
    }
  });

  it('follows its holder: whoever gave it away sees it no longer, though they had it in the cache', async () => {
    const { id } = await buyOne();
    expect((await get(id)).status).toBe(200);
    await changeTicket(ctx, id, { user_id: 'bob' });
    expectProblem(await get(id), 404, 'not_found');
    expect((await get(id, tenant.bob)).status).toBe(200);
  });

  it('is not taken for a ticket of somebody whose name begins alike', async () => {
    const { id } = await buyOne();
    for (const name of ['alic', 'alice ', 'ALICE', 'alice%', 'ali_e']) {
      expectProblem(await get(id, await tenant.as(name, 'buyer')), 404, 'not_found');
    }
  });
});

describe('GET /tickets', () => {
  let shop: TestTenant;
  let first: string;
  let second: string;
  beforeAll(async () => {
    shop = await createTestTenant(ctx, app, 'Shop');
    const sales = [await openSale(shop), await openSale(shop)];
    [first = '', second = ''] = sales.map(({ event }) => event.id);
    for (const { type } of sales) {
      await buy(shop.alice, type, { quantity: 3 });
      await buy(shop.bob, type, { quantity: 2 });
    }
    const { body } = await shop.alice.get<List>(`/tickets?eventId=${first}`);
    await putOnChain(ctx, body.items[0]?.id ?? '');
    await changeTicket(ctx, body.items[1]?.id ?? '', { status: 'revoked' });
  });

  const list = async (query: string, client: Client) => {
    const { status, body } = await client.get<List>(`/tickets${query}`);
    expect([query, status]).toEqual([query, 200]);
    return body;
  };

  it('shows a buyer their own, and staff those of all, the newest first', async () => {
    expect((await list('', shop.alice)).items.map(({ userId }) => userId)).toEqual(Array(6).fill('alice'));
    const { items } = await list('', shop.support);
    expect(items).toHaveLength(10);
    expect(items.map(({ id }) => id)).toEqual(
      items
        .map(({ id }) => id)
        .toSorted()
        .toReversed(),
    );
    expect((await list('', shop.scanner)).items).toEqual([]);
    expect((await list('', other.admin)).items).toEqual([]);
  });

  it.each<[string, 'alice' | 'bob' | 'support', number]>([
    ['?userId=alice', 'alice', 6],
    ['?userId=bob', 'bob', 4],
    ['?userId=bob', 'support', 4],
    ['?userId=carol', 'support', 0],
    ["?userId=bob'%20or%20'1'='1", 'support', 0],
    ['?userId=%25', 'support', 0],
    ['?status=active', 'support', 1],
    ['?status=revoked', 'alice', 1],
    ['?status=revoked', 'bob', 0],
    ['?status=sold', 'support', 8],
  ])('finds by %s for %s', async (query, who, count) => {
    expect((await list(query, shop[who])).items).toHaveLength(count);
  });

  it('finds by event, and by everything at once', async () => {
    expect((await list(`?eventId=${first}`, shop.support)).items).toHaveLength(5);
    expect((await list(`?eventId=${second}&userId=alice&status=sold`, shop.admin)).items).toHaveLength(3);
    expect((await list(`?eventId=${first}&status=sold`, shop.alice)).items).toHaveLength(1);
    expect((await list(`?eventId=${randomUUID()}`, shop.admin)).items).toEqual([]);
  });

  it.each(['bob', 'ALICE', 'alice%20'])('refuses to show a buyer the tickets of %s', async (userId) => {
    expectProblem(await shop.alice.get(`/tickets?userId=${userId}`), 403, 'forbidden');
    expectProblem(await shop.scanner.get(`/tickets?userId=${userId}`), 403, 'forbidden');
  });

  it.each(ticketStatuses)('knows the status %s', async (status) => {
    const { items } = await list(`?status=${status}`, shop.admin);
    expect(items.every((ticket) => ticket.status === status)).toBe(true);
  });

  it.each([1, 2, 3, 9, 10, 100])('shows each ticket once in pages of %i', async (limit) => {
    const seen: string[] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const page: List = await list(`?limit=${limit}${cursor && `&cursor=${cursor}`}`, shop.support);
      expect(page.items.length).toBeLessThanOrEqual(limit);
      seen.push(...page.items.map(({ id }) => id));
      cursor = page.nextCursor;
    }
    expect(seen).toEqual((await list('', shop.support)).items.map(({ id }) => id));
  });

  it('shows a buyer nothing of others behind a cursor that staff got', async () => {
    const { nextCursor } = await list('?limit=1', shop.support);
    const { items } = await list(`?cursor=${nextCursor}`, shop.alice);
    expect(items.every(({ userId }) => userId === 'alice')).toBe(true);
  });

  it('shows what the single ticket shows', async () => {
    for (const ticket of (await list('', shop.support)).items) {
      const { body } = await shop.support.get<TicketDetail>(`/tickets/${ticket.id}`);
      expect(body).toEqual({ ...ticket, mintsAhead: body.mintsAhead });
    }
  });
});

describe('GET /tickets/{id}/history', () => {
  type History = {
    items: {
      version: number;
      from: string;
      to: string;
      at: string;
      actor: string;
      reason: string | null;
      signature: string | null;
      gate: string | null;
    }[];
  };
  const history = (id: string, client = tenant.alice) => client.get<History>(`/tickets/${id}/history`);

  it('begins with the sale', async () => {
    const { id } = await buyOne();
    const { status, body } = await history(id);
    expect(status).toBe(200);
    expect(body.items).toEqual([
      {
        version: 1,
        from: 'reserved',
        to: 'sold',
        at: body.items[0]?.at,
        actor: 'jwt:alice',
        reason: null,
        signature: null,
        gate: null,
      },
    ]);
  });

  it('holds every step in order, with who took it, why, by which chain transaction and where', async () => {
    const { id, event } = await buyOne();
    await putOnChain(ctx, id, { status_signature: 'a signature' });
    const { code } = (await tenant.alice.get<Code>(`/tickets/${id}/qr`)).body;
    await tenant.scanner.post('/tickets/validate', {
      qr: code,
      eventId: event.id,
      nonce: randomUUID(),
      gate: 'north',
    });
    await tenant.support.post(`/tickets/${id}/revoke`, { reason: 'fraud', note: 'secret' }, { key: 'k' });
    const { body } = await history(id, tenant.support);
    expect(
      body.items.map((step) => [
        step.version,
        step.from,
        step.to,
        step.actor,
        step.reason,
        step.signature,
        step.gate,
      ]),
    ).toEqual([
      [1, 'reserved', 'sold', 'jwt:alice', null, null, null],
      [2, 'sold', 'minting', 'test', null, null, null],
      [3, 'minting', 'active', 'test', null, 'a signature', null],
      [4, 'active', 'checked_in', 'scan:jwt:gate-1', null, null, 'north'],
      [5, 'checked_in', 'revoked', 'jwt:sam', 'fraud', null, null],
    ]);
    expect(JSON.stringify(body)).not.toContain('secret');
    const seen = (await history(id)).body.items.map((step) => step.actor);
    expect(seen).toEqual(['jwt:alice', 'other', 'other', 'scan', 'other']);
  });

  it('is shown to those who see the ticket, and to nobody else', async () => {
    const { id } = await buyOne();
    for (const client of [tenant.support, tenant.admin]) expect((await history(id, client)).status).toBe(200);
    for (const client of [tenant.bob, tenant.scanner, other.admin]) {
      expectProblem(await history(id, client), 404, 'not_found');
    }
  });
});

describe('GET /tickets/{id}/qr', () => {
  const qr = async (id: string, accept?: string, client = tenant.alice) =>
    client.get<Code>(`/tickets/${id}/qr`, accept === undefined ? {} : { headers: { accept } });
  /** The picture as it came, which may be bytes. */
  const picture = async (id: string, accept: string) =>
    app.request(`/api/tickets/${id}/qr`, {
      headers: {
        accept,
        authorization: `Bearer ${await issueToken({ tenantId: tenant.tenantId, subject: 'alice', role: 'buyer' })}`,
      },
    });
  const admits = async (code: string, eventId: string) => {
    const scan = { qr: code, eventId, nonce: randomUUID() };
    return (await tenant.scanner.post('/tickets/validate', scan)).body;
  };

  it('gives the holder a code that opens the door, and that says nothing by itself', async () => {
    const { id, event } = await buyOne();
    await putOnChain(ctx, id);
    const { status, body, headers } = await qr(id);
    expect(status).toBe(200);
    expect(headers.get('cache-control')).toBe('no-store');
    expect(body).toEqual({
      code: expect.stringMatching(/^[\w-]{158}$/),
      ticketId: id,
      eventId: event.id,
      issuedAt: expect.stringMatching(/^20/),
    });
    const bytes = Buffer.from(body.code, 'base64url').toString('hex');
    for (const uuid of [id, event.id, tenant.tenantId]) expect(bytes).not.toContain(uuid.replaceAll('-', ''));
    expect(await admits(body.code, event.id)).toMatchObject({ status: 'ok', ticket: { id } });
  });

  it('gives it as text', async () => {
    const { id, event } = await buyOne();
    await putOnChain(ctx, id);
    const response = await picture(id, 'text/plain');
    expect(response.headers.get('content-type')).toMatch(/^text\/plain/);
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(await admits(await response.text(), event.id)).toMatchObject({ status: 'ok', ticket: { id } });
  });

  it('draws it as an SVG that scans', async () => {
    const { id, event } = await buyOne();
    await putOnChain(ctx, id);
    const response = await picture(id, 'image/svg+xml');
    expect(response.headers.get('content-type')).toBe('image/svg+xml');
    expect(response.headers.get('cache-control')).toBe('no-store');
    const code = readQr(readSvg(await response.text()));
    expect(await admits(code, event.id)).toMatchObject({ status: 'ok', ticket: { id } });
  });

  it('draws it as a PNG that scans', async () => {
    const { id, event } = await buyOne();
    await putOnChain(ctx, id);
    const response = await picture(id, 'image/png');
    expect(response.headers.get('content-type')).toBe('image/png');
    expect(response.headers.get('cache-control')).toBe('no-store');
    const code = readQr(readPng(new Uint8Array(await response.arrayBuffer()), 6));
    expect(await admits(code, event.id)).toMatchObject({ status: 'ok', ticket: { id } });
  });

  it.each([undefined, '*/*', 'application/json', 'text/html', ''])(
    'is JSON for Accept: %s',
    async (accept) => {
      const { id } = await buyOne();
      const { headers, body } = await qr(id, accept);
      expect(headers.get('content-type')).toContain('application/json');
      expect(body.ticketId).toBe(id);
    },
  );

  it('differs each time, and each is good until the ticket changes hands', async () => {
    const { id, event } = await buyOne(tenant.alice, { type: { maxEntries: 3 } });
    await putOnChain(ctx, id);
    const codes = await Promise.all([qr(id), qr(id), qr(id)]);
    expect(new Set(codes.map(({ body }) => body.code)).size).toBe(3);
    expect(await admits(codes[0]?.body.code ?? '', event.id)).toMatchObject({ status: 'ok' });
    expect(await admits(codes[2]?.body.code ?? '', event.id)).toMatchObject({ reason: 'already_used' });
    await changeTicket(ctx, id, { user_id: 'bob', owner_epoch: 2 });
    expect(await admits(codes[1]?.body.code ?? '', event.id)).toMatchObject({ reason: 'transferred' });
    expectProblem(await qr(id), 404, 'not_found');
    expect((await qr(id, undefined, tenant.bob)).status).toBe(200);
  });

  it('is for the holder alone: staff have no ticket to show', async () => {
    const { id } = await buyOne();
    const clients = [
      tenant.support,
      tenant.organiser,
      tenant.admin,
      tenant.bob,
      tenant.scanner,
      other.alice,
      other.admin,
    ];
    for (const client of clients) {
      for (const accept of ['application/json', 'image/png', 'image/svg+xml', 'text/plain']) {
        expectProblem(await qr(id, accept, client), 404, 'not_found');
      }
    }
  });

  it('is also for whom a trusted shop acts for', async () => {
    const { id } = await buyOne();
    const shop = clientOf(app, tenant.apiKey);
    const as = (user: string) => shop.get(`/tickets/${id}/qr`, { headers: { 'on-behalf-of': user } });
    expect((await as('alice')).status).toBe(200);
    expectProblem(await as('bob'), 404, 'not_found');
  });

  it.each(['sold', 'minting', 'active', 'transferred', 'checked_in'])(
    'is there for a ticket that is %s',
    async (status) => {
      const { id } = await buyOne();
      if (status === 'minting') await changeTicket(ctx, id, { status });
      else if (status !== 'sold') await putOnChain(ctx, id);
      if (['transferred', 'checked_in'].includes(status)) await changeTicket(ctx, id, { status });
      expect((await qr(id)).status).toBe(200);
    },
  );

  it.each(['cancelled', 'refunded', 'revoked', 'expired'])(
    'is gone for a ticket that is %s',
    async (status) => {
      const { id } = await buyOne();
      await changeTicket(ctx, id, { status });
      const answer = await qr(id, 'image/png');
      expectProblem(answer, 409, 'ticket_not_valid');
      expect(answer.body).toMatchObject({ ticketStatus: status });
    },
  );
});

describe('GET /tickets/{id}/chain', () => {
  it('says that there is nothing yet', async () => {
    const { id } = await buyOne();
    const { status, body } = await tenant.alice.get(`/tickets/${id}/chain`);
    expect(status).toBe(200);
    expect(body).toEqual({
      ticketId: id,
      programId: ctx.config.CHAIN_PROGRAM_ID,
      account: null,
      mint: null,
      owner: null,
      slot: null,
      version: null,
      syncStatus: 'none',
      transactions: [],
      log: [],
    });
  });

  it('tells of every transaction and of everything that the chain said', async () => {
    const { id } = await buyOne();
    const { mint, account, wallet } = await putOnChain(ctx, id);
    const { owner } = ctx.database;
    for (const [attempt, status, signature] of [
      [1, 'expired', 'first'],
      [2, 'finalized', 'second'],
    ]) {
      await owner.query(
        `insert into pending_transactions (tenant_id, id, purpose, subject_id, ticket_id, attempt, status, tx_signature, raw,
           last_valid_block_height, prepared_at, submitted_at, confirmed_at, confirmation_count, slot)
         values ($1, $2, 'mint', $3, $3, $4::integer, $5, $6, 'canary', 1000, now() + $4::integer * interval '1 s', now(), now(), 31, 9007199254740991)`,
        [tenant.tenantId, randomUUID(), id, attempt, status, `${signature}-${id}`],
      );
    }
    await owner.query(
      `insert into blockchain_sync (tenant_id, cluster_id, signature, instruction_path, ordinal, kind, slot, ticket_id, mint,
         to_wallet, chain_version, commitment, outcome, recorded_at)
       values ($1, $2, 'second', '0', 0, 'ticket_minted', 101, $3, $4, $5, 1, 'finalized', 'applied', now())`,
      [tenant.tenantId, randomUUID(), id, mint, wallet],
    );
    const { body } = await tenant.alice.get(`/tickets/${id}/chain`);
    expect(body).toMatchObject({
      account,
      mint,
      owner: wallet,
      slot: 100,
      version: 1,
      syncStatus: 'finalized',
      transactions: [
        { purpose: 'mint', attempt: 1, status: 'expired', signature: `first-${id}` },
        {
          purpose: 'mint',
          attempt: 2,
          status: 'finalized',
          confirmationCount: 31,
          slot: 9_007_199_254_740_991,
        },
      ],
      log: [{ kind: 'ticket_minted', slot: 101, from: null, to: wallet, version: 1, outcome: 'applied' }],
    });
    expect(JSON.stringify(body)).not.toMatch(/canary|63616e617279/);
    for (const client of [tenant.bob, tenant.scanner, other.admin]) {
      expectProblem(await client.get(`/tickets/${id}/chain`), 404, 'not_found');
    }
    expect((await tenant.support.get(`/tickets/${id}/chain`)).body).toEqual(body);
  });
});
