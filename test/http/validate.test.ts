import { generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type App, createApp } from '../../src/api/app.ts';
import { revokeOnChain } from '../../src/domain/chain/send/revoke-on-chain.ts';
import type { Verdict } from '../../src/domain/check-in/schema.ts';
import { createCodeKeys } from '../../src/domain/tickets/code-keys.ts';
import { openCode, sealCode } from '../../src/domain/tickets/ticket-code.ts';
import { toTenantId } from '../../src/platform/ids.ts';
import { type ChainWorld, createChainWorld } from '../support/chain-world.ts';
import { buy, changeTicket, openSale, putOnChain, sampleWallet } from '../support/samples.ts';
import { createTestClock, HOUR, MINUTE } from '../support/test-clock.ts';
import {
  type Client,
  clientOf,
  createTestContext,
  createTestTenant,
  type TestContext,
  type TestTenant,
  testConfig,
} from '../support/test-context.ts';
import { digestDatabase, expectProblem } from './support/problems.ts';

let ctx: TestContext;
let app: App;
let tenant: TestTenant;
let gate2: Client;

beforeAll(async () => {
  ctx = await createTestContext();
  app = createApp(ctx);
  tenant = await createTestTenant(ctx, app);
  gate2 = await tenant.as('gate-2', 'scanner');
});
afterAll(() => ctx.close());

type Pass = { id: string; eventId: string; code: string };

/** Alice's tickets of one new event, on the chain, each with a code of hers. */
async function passes(
  count: number,
  overrides: Parameters<typeof openSale>[1] & { columns?: Record<string, string | number | null> } = {},
): Promise<Pass[]> {
  const { event, type } = await openSale(tenant, overrides);
  const order = await buy(tenant.alice, type, { quantity: count });
  const made: Pass[] = [];
  for (const { id } of order.tickets) {
    await putOnChain(ctx, id, overrides.columns);
    made.push({ id, eventId: event.id, code: await codeOf(id) });
  }
  return made;
}
async function onePass(overrides: Parameters<typeof passes>[1] = {}): Promise<Pass> {
  const [pass] = await passes(1, overrides);
  if (!pass) throw new Error('one ticket was bought');
  return pass;
}
const codeOf = async (id: string, holder: Client = tenant.alice) =>
  (await holder.get<{ code: string }>(`/tickets/${id}/qr`)).body.code;
const post = (pass: Pass, more: Record<string, unknown> = {}, client: Client = tenant.scanner) =>
  client.post<Verdict>('/tickets/validate', {
    qr: pass.code,
    eventId: pass.eventId,
    nonce: randomUUID(),
    ...more,
  });
const scan = async (...given: Parameters<typeof post>) => {
  const { status, body } = await post(...given);
  expect(status, JSON.stringify(body)).toBe(200);
  return body;
};
const query = async (text: string, ...values: unknown[]) =>
  (await ctx.database.owner.query(text, values)).rows;
const scansOf = (eventId: string) =>
  query('select * from ticket_scans where event_id = $1 order by scanned_at, id', eventId);
const entriesOf = (ticketId: string) =>
  query('select * from admissions where ticket_id = $1 order by entry_number', ticketId);
const moveEvent = (eventId: string, columns: string) =>
  query(`update events set ${columns} where id = $1`, eventId);

describe('a good code', () => {
  it('admits its ticket, and the verdict says who, where from and how sure the owner is', async () => {
    const pass = await onePass();
    const verdict = await scan(pass, { gate: 'North' });
    expect(verdict).toEqual({
      status: 'ok',
      reason: null,
      explanation: 'Welcome.',
      scanId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      replayed: false,
      ticket: {
        id: pass.id,
        ticketNumber: '001-0000001',
        ticketType: 'Standing',
        holderName: 'Alice Example',
        seat: null,
        flags: [],
      },
      firstScan: null,
      // No listener and no node answers here: the last owner that was final must do.
      chain: {
        owner: expect.stringMatching(/^\w{32,44}$/),
        slot: 100,
        checkedAt: expect.stringMatching(/Z$/),
        mode: 'last_known',
      },
    });
  });

  it('makes the ticket used, with who let it in and where, and tells the others', async () => {
    const pass = await onePass();
    await tenant.alice.get(`/tickets/${pass.id}`);
    const { scanId } = await scan(pass, { gate: 'North' });
    expect((await tenant.alice.get(`/tickets/${pass.id}`)).body).toMatchObject({ status: 'checked_in' });
    for (const [client, actor] of [
      [tenant.support, 'scan:jwt:gate-1'],
      [tenant.alice, 'scan'],
    ] as const) {
      const { body } = await client.get<{ items: object[] }>(`/tickets/${pass.id}/history`);
      const step = { from: 'active', to: 'checked_in', actor, reason: null, gate: 'North' };
      expect(body.items.at(-1)).toMatchObject(step);
    }
    expect(
      await query(
        "select m from outbox, jsonb_array_elements(messages::jsonb) m where m -> 'body' ->> 'scanId' = $1",
        scanId,
      ),
    ).toMatchObject([
      { m: { kind: 'ticket.checked_in', body: { ticketId: pass.id, eventId: pass.eventId } } },
    ]);
  });

  it('admits a ticket whose new owner is not final yet', async () => {
    const pass = await onePass();
    await changeTicket(ctx, pass.id, { status: 'transferred' });
    expect(await scan(pass)).toMatchObject({ status: 'ok', ticket: { id: pass.id } });
  });

  it('of an event that was taken off the list still opens the door', async () => {
    const pass = await onePass();
    expect((await tenant.organiser.delete(`/events/${pass.eventId}`)).body).toMatchObject({
      outcome: 'deactivated',
    });
    expect(await scan(pass)).toMatchObject({ status: 'ok' });
  });
});

describe('a second entry', () => {
  it('is refused for ever, and names the first scan', async () => {
    const pass = await onePass();
    const first = await scan(pass, { gate: 'North' });
    const [row] = await scansOf(pass.eventId);
    for (const client of [tenant.scanner, gate2]) {
      const again = await scan(pass, { gate: 'South' }, client);
      expect(again).toMatchObject({
        status: 'error',
        reason: 'already_used',
        ticket: { id: pass.id },
        firstScan: { at: row.scanned_at.toISOString(), gate: 'North', device: 'jwt:gate-1' },
      });
      expect(again.scanId).not.toBe(first.scanId);
    }
    expect(await entriesOf(pass.id)).toHaveLength(1);
  });

  it('is allowed as often as the type says, each after an exit', async () => {
    const pass = await onePass({ type: { maxEntries: 2 } });
    expect((await scan(pass)).ticket?.flags).toEqual([]);
    expect(await scan(pass)).toMatchObject({ reason: 'already_used' });
    const wayOut = await scan(pass, { direction: 'exit' });
    expect(wayOut).toMatchObject({ status: 'ok', explanation: 'Goodbye.' });
    expect(await scan(pass, { direction: 'exit' })).toMatchObject({ reason: 'rules' });
    expect((await scan(pass)).ticket?.flags).toEqual(['re_entry']);
    await scan(pass, { direction: 'exit' });
    expect(await scan(pass)).toMatchObject({ reason: 'already_used' });
    expect(await entriesOf(pass.id)).toMatchObject([
      { entry_number: 1, left_at: expect.any(Date) },
      { entry_number: 2, left_at: expect.any(Date) },
    ]);
  });

  it('is not made possible by an exit when the type admits once', async () => {
    const pass = await onePass();
    await scan(pass);
    expect(await scan(pass, { direction: 'exit' })).toMatchObject({ status: 'ok' });
    expect(await scan(pass)).toMatchObject({ reason: 'already_used' });
  });

  it('cannot begin with an exit', async () => {
    const pass = await onePass();
    expect(await scan(pass, { direction: 'exit' })).toMatchObject({ status: 'error', reason: 'rules' });
    expect(await scan(pass)).toMatchObject({ status: 'ok' });
  });
});

describe('two scanners in the same instant', () => {
  it('admit one of them, fifty times over', async () => {
    // A second API process: its requests share no queue with those of the first.
    const elsewhere = clientOf(createApp(ctx), tenant.apiKey);
    for (let round = 0; round < 5; round++) {
      const all = await passes(10);
      for (const pass of all) {
        const verdicts = await Promise.all([scan(pass), scan(pass, {}, elsewhere)]);
        expect(verdicts.map(({ status }) => status).sort()).toEqual(['error', 'ok']);
        const lost = verdicts.find(({ status }) => status === 'error');
        const won = verdicts.find(({ status }) => status === 'ok');
        const [row] = await query('select * from ticket_scans where id = $1', won?.scanId);
        expect(lost).toMatchObject({
          reason: 'already_used',
          firstScan: { at: row.scanned_at.toISOString(), device: row.scanned_by },
        });
        expect(await entriesOf(pass.id)).toMatchObject([{ scan_id: won?.scanId }]);
      }
      expect(await scansOf(all[0]?.eventId ?? '')).toHaveLength(20);
    }
  });

  it('admit one of sixty-four', async () => {
    const pass = await onePass();
    const gates = [tenant.scanner, gate2, clientOf(createApp(ctx), tenant.apiKey)];
    const verdicts = await Promise.all(
      Array.from({ length: 64 }, (_, i) => scan(pass, { gate: `${i}` }, gates[i % gates.length])),
    );
    expect(verdicts.filter(({ status }) => status === 'ok')).toHaveLength(1);
    expect(verdicts.filter(({ reason }) => reason === 'already_used')).toHaveLength(63);
    expect(await scansOf(pass.eventId)).toHaveLength(64);
  });
});

describe('a nonce that comes again', () => {
  it('gets the same verdict on the same ticket, and leaves no trace', async () => {
    const pass = await onePass();
    const nonce = randomUUID();
    const first = await scan(pass, { nonce, gate: 'North' });
    const before = await digestDatabase(ctx);
    for (let i = 0; i < 3; i++) {
      expect(await scan(pass, { nonce, gate: 'North' })).toEqual({ ...first, replayed: true });
    }
    expect(await digestDatabase(ctx)).toBe(before);
  });

  it('gets it also after the ticket was revoked, since it is the same scan', async () => {
    const pass = await onePass();
    const nonce = randomUUID();
    const first = await scan(pass, { nonce });
    await tenant.support.post(`/tickets/${pass.id}/revoke`, { reason: 'fraud' }, { key: randomUUID() });
    expect(await scan(pass, { nonce })).toEqual({ ...first, replayed: true });
    expect(await scan(pass)).toMatchObject({ reason: 'revoked' });
  });

  it('gets it in capitals too', async () => {
    const pass = await onePass();
    const nonce = randomUUID();
    const { scanId } = await scan(pass, { nonce });
    expect(await scan(pass, { nonce: nonce.toUpperCase() })).toMatchObject({ scanId, replayed: true });
  });

  it('admits once when it comes ten times at once, to two processes', async () => {
    const pass = await onePass();
    const nonce = randomUUID();
    const [here, elsewhere] = [app, createApp(ctx)].map((place) => clientOf(place, tenant.apiKey));
    const verdicts = await Promise.all(
      Array.from({ length: 10 }, (_, i) => scan(pass, { nonce }, i % 2 ? here : elsewhere)),
    );
    expect(new Set(verdicts.map(({ scanId }) => scanId)).size).toBe(1);
    expect(verdicts.filter(({ replayed }) => !replayed)).toHaveLength(1);
    expect(verdicts.every(({ status }) => status === 'ok')).toBe(true);
    expect(await scansOf(pass.eventId)).toHaveLength(1);
  });

  it('admits nobody with the code of another ticket, which a scan of its own admits', async () => {
    const [mine, yours] = (await passes(2)) as [Pass, Pass];
    const nonce = randomUUID();
    const first = await scan(mine, { nonce });
    expect(await scan(yours, { nonce })).toMatchObject({
      status: 'error',
      reason: 'error',
      replayed: false,
      ticket: { id: yours.id },
    });
    expect(await entriesOf(yours.id)).toEqual([]);
    expect(await scan(mine, { nonce })).toEqual({ ...first, replayed: true });
    expect(await scan(yours)).toMatchObject({ status: 'ok', ticket: { id: yours.id } });
  });

  it('admits one of two tickets that come with it at once', async () => {
    const elsewhere = clientOf(createApp(ctx), tenant.apiKey);
    const here = clientOf(app, tenant.apiKey);
    for (const [mine, yours] of await Promise.all(
      Array.from({ length: 8 }, async () => (await passes(2)) as [Pass, Pass]),
    )) {
      const nonce = randomUUID();
      const verdicts = await Promise.all([scan(mine, { nonce }, here), scan(yours, { nonce }, elsewhere)]);
      expect(verdicts.map(({ ticket }) => ticket?.id)).toEqual([mine.id, yours.id]);
      expect(verdicts.map(({ reason }) => reason).sort()).toEqual(['error', null]);
      const entries = await Promise.all([entriesOf(mine.id), entriesOf(yours.id)]);
      expect(entries.map((rows) => rows.length)).toEqual(
        verdicts.map(({ status }) => (status === 'ok' ? 1 : 0)),
      );
    }
  });

  it('admits nobody with something that is no code at all', async () => {
    const pass = await onePass();
    const nonce = randomUUID();
    await scan(pass, { nonce });
    for (const qr of ['nonsense', forged(pass.code)]) {
      expect(await scan(pass, { nonce, qr })).toMatchObject({
        status: 'error',
        reason: 'invalid',
        replayed: false,
        ticket: null,
      });
    }
  });

  it('is not taken for the way out', async () => {
    const pass = await onePass({ type: { maxEntries: 2 } });
    const nonce = randomUUID();
    await scan(pass, { nonce });
    expect(await scan(pass, { nonce, direction: 'exit' })).toMatchObject({
      status: 'error',
      reason: 'error',
      replayed: false,
    });
    expect(await entriesOf(pass.id)).toMatchObject([{ left_at: null }]);
  });

  it('repeats the way out', async () => {
    const pass = await onePass({ type: { maxEntries: 2 } });
    await scan(pass);
    const nonce = randomUUID();
    const first = await scan(pass, { nonce, direction: 'exit' });
    expect(await scan(pass, { nonce, direction: 'exit' })).toEqual({ ...first, replayed: true });
    expect((await scan(pass)).ticket?.flags).toEqual(['re_entry']);
    expect(await scan(pass, { nonce, direction: 'exit' })).toEqual({ ...first, replayed: true });
    expect(await entriesOf(pass.id)).toMatchObject([{ left_at: expect.any(Date) }, { left_at: null }]);
  });

  it('from another device is another scan', async () => {
    const [mine, yours] = (await passes(2)) as [Pass, Pass];
    const nonce = randomUUID();
    await scan(mine, { nonce });
    expect(await scan(mine, { nonce }, gate2)).toMatchObject({
      status: 'error',
      reason: 'already_used',
      replayed: false,
    });
    expect(await scan(yours, { nonce }, gate2)).toMatchObject({ status: 'ok', ticket: { id: yours.id } });
  });

  it('at another event is another scan', async () => {
    const [mine, yours] = await Promise.all([onePass(), onePass()]);
    const nonce = randomUUID();
    await scan(mine, { nonce });
    expect(await scan(yours, { nonce })).toMatchObject({
      status: 'ok',
      replayed: false,
      ticket: { id: yours.id },
    });
  });

  it('in another tenant is another scan', async () => {
    const pass = await onePass();
    const nonce = randomUUID();
    await scan(pass, { nonce });
    const other = await createTestTenant(ctx, app, 'Other');
    const { event } = await openSale(other);
    expect(await scan({ ...pass, eventId: event.id }, { nonce }, other.scanner)).toMatchObject({
      reason: 'invalid',
      replayed: false,
    });
  });

  it('does not keep out whom it refused before', async () => {
    const pass = await onePass({ event: { doorsOpenAt: new Date(Date.now() + HOUR).toISOString() } });
    const nonce = randomUUID();
    expect(await scan(pass, { nonce })).toMatchObject({ reason: 'not_yet_valid' });
    await moveEvent(pass.eventId, "doors_open_at = now() - interval '1 minute'");
    expect(await scan(pass, { nonce })).toMatchObject({ status: 'ok', replayed: false });
  });
});

/** The same length and alphabet, another content. */
function forged(code: string): string {
  const bytes = Buffer.from(code, 'base64url');
  randomBytes(bytes.length - 2).copy(bytes, 2);
  return bytes.toString('base64url');
}

describe('a code that is not ours', () => {
  it.each<[string, (code: string) => string]>([
    ['of one character', () => 'x'],
    ['with its end cut off', (code) => code.slice(0, -1)],
    ['with its tag cut to four bytes', (code) => code.slice(0, -16)],
    ['that is longer', (code) => `${code}A`],
    ['with a blank', (code) => `${code} `],
    ['with a line break inside', (code) => `${code.slice(0, 80)}\n${code.slice(80)}`],
    ['in the other alphabet of base64', (code) => Buffer.from(code, 'base64url').toString('base64')],
    ['of another version', (code) => reByte(code, 0, 2)],
    ['of a key that is not in the ring', (code) => reByte(code, 1, 9)],
    ['made up', forged],
    ['of nothing but zeros', (code) => 'A'.repeat(code.length)],
    ['that is a ticket id', () => randomUUID()],
    ['that is a URL', () => 'https://example.com/tickets/1'],
    ['of 1,000 characters', () => 'A'.repeat(1_000)],
    ['in Chinese', () => '票'.repeat(158)],
    ['that speaks SQL', () => "'; drop table tickets; --"],
  ])('%s is refused like every other, and recorded', async (_name, change) => {
    const pass = await onePass();
    const verdict = await scan(pass, { qr: change(pass.code), gate: 'North' });
    expect(verdict).toEqual({
      status: 'error',
      reason: 'invalid',
      explanation: 'This is no valid code for this event.',
      scanId: expect.any(String),
      replayed: false,
      ticket: null,
      firstScan: null,
      chain: null,
    });
    expect(await scansOf(pass.eventId)).toMatchObject([
      { id: verdict.scanId, ticket_id: null, result: 'error', reason: 'invalid', gate: 'North' },
    ]);
    expect(await scan(pass)).toMatchObject({ status: 'ok' });
  });

  it('is refused whichever of its bits is turned', async () => {
    const pass = await onePass();
    const bytes = Buffer.from(pass.code, 'base64url');
    const turned = Array.from({ length: bytes.length * 8 }, (_, bit) => {
      const copy = Buffer.from(bytes);
      copy.writeUInt8(copy.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      return copy.toString('base64url');
    });
    const keys = createCodeKeys(ctx.config.QR_MASTER_KEYS ?? []);
    const opens = (code: string) => openCode(keys, tenant.tenantId, pass.eventId, code) !== undefined;
    expect(opens(pass.code)).toBe(true);
    expect(turned.filter(opens)).toEqual([]);
    // One of every byte goes all the way through.
    const some = turned.filter((_, bit) => bit % 8 === 3);
    const verdicts = await Promise.all(some.map((qr) => scan(pass, { qr })));
    expect(new Set(verdicts.map(({ reason }) => reason))).toEqual(new Set(['invalid']));
  });

  it('is refused when its maker could read codes and could not sign them', async () => {
    const pass = await onePass();
    const ring = createCodeKeys(ctx.config.QR_MASTER_KEYS ?? []);
    const stolen = ring.current(tenant.tenantId, pass.eventId);
    const { privateKey } = generateKeyPairSync('ed25519');
    const forge = (sign: typeof privateKey) =>
      sealCode({ current: () => ({ ...stolen, sign }), find: ring.find }, tenant.tenantId, pass.eventId, {
        ticketId: pass.id,
        ownerEpoch: 1,
        issuedAt: new Date(),
      });
    expect(await scan({ ...pass, code: forge(privateKey) })).toMatchObject({
      reason: 'invalid',
      ticket: null,
    });
    expect(await scan({ ...pass, code: forge(stolen.sign) })).toMatchObject({ status: 'ok' });
  });

  it('is refused when it is for a ticket that does not exist', async () => {
    const pass = await onePass();
    const keys = createCodeKeys(ctx.config.QR_MASTER_KEYS ?? []);
    const content = { ticketId: randomUUID(), ownerEpoch: 1, issuedAt: new Date() };
    const code = sealCode(keys, tenant.tenantId, pass.eventId, content);
    expect(await scan({ ...pass, code })).toMatchObject({ reason: 'invalid', ticket: null });
  });

  it('is refused when it is for another event of the tenant, also when its maker has the keys', async () => {
    const [mine, yours] = await Promise.all([onePass(), onePass()]);
    expect(await scan({ ...mine, eventId: yours.eventId })).toMatchObject({
      reason: 'invalid',
      ticket: null,
    });
    const keys = createCodeKeys(ctx.config.QR_MASTER_KEYS ?? []);
    const content = { ticketId: mine.id, ownerEpoch: 1, issuedAt: new Date() };
    const code = sealCode(keys, tenant.tenantId, yours.eventId, content);
    expect(await scan({ ...yours, code })).toMatchObject({ reason: 'invalid', ticket: null });
    expect(await scan(mine)).toMatchObject({ status: 'ok' });
  });

  it('is refused when it is of another tenant', async () => {
    const pass = await onePass();
    const other = await createTestTenant(ctx, app, 'Other');
    const { event } = await openSale(other);
    const verdict = await scan({ ...pass, eventId: event.id }, {}, other.scanner);
    expect(verdict).toMatchObject({ reason: 'invalid', ticket: null, chain: null });
    // Their event does not even exist here.
    const before = await digestDatabase(ctx);
    expectProblem(await post({ ...pass, eventId: event.id }), 404, 'not_found');
    expectProblem(await post(pass, {}, other.scanner), 404, 'not_found');
    expect(await digestDatabase(ctx)).toBe(before);
  });

  it('is refused once its master key has left the ring, and not before', async () => {
    const pass = await onePass({ type: { maxEntries: 2 } });
    const [old] = ctx.config.QR_MASTER_KEYS ?? [];
    const key = (id: number, bytes: Uint8Array) => `${id}:${Buffer.from(bytes).toString('base64')}`;
    const ring = (text: string) =>
      clientOf(createApp({ ...ctx, config: testConfig({ QR_MASTER_KEYS: text }) }), tenant.apiKey);
    const [fresh, kept] = [key(2, randomBytes(32)), key(1, old?.key ?? new Uint8Array())];
    expect(await scan(pass, {}, ring(fresh))).toMatchObject({ reason: 'invalid' });
    expect(await scan(pass, {}, ring(`${fresh},${kept}`))).toMatchObject({ status: 'ok' });
  });
});

function reByte(code: string, at: number, value: number): string {
  const bytes = Buffer.from(code, 'base64url');
  bytes.writeUInt8(value, at);
  return bytes.toString('base64url');
}

describe('a ticket that is', () => {
  it.each(['revoked', 'refunded', 'cancelled', 'expired'])('%s is told so', async (status) => {
    const pass = await onePass();
    await changeTicket(ctx, pass.id, { status });
    expect(await scan(pass)).toMatchObject({ status: 'error', reason: status, ticket: { id: pass.id } });
    expect(await entriesOf(pass.id)).toEqual([]);
  });

  it.each(['sold', 'minting'])('%s is not on the chain yet', async (status) => {
    const { event, type } = await openSale(tenant);
    const id = (await buy(tenant.alice, type)).tickets[0]?.id ?? '';
    if (status === 'minting') await changeTicket(ctx, id, { status });
    const pass = { id, eventId: event.id, code: await codeOf(id) };
    expect(await scan(pass)).toMatchObject({ reason: 'not_minted', chain: { mode: 'none' } });
  });

  it('said to be active and is nowhere on the chain is not let in', async () => {
    const pass = await onePass({ columns: { chain_account: null, owner_wallet: null } });
    expect(await scan(pass)).toMatchObject({ reason: 'not_minted' });
  });

  it('paid back is refused at the gate at once', async () => {
    const { event, type } = await openSale(tenant);
    const order = await buy(tenant.alice, type);
    const id = order.tickets[0]?.id ?? '';
    await putOnChain(ctx, id);
    const pass = { id, eventId: event.id, code: await codeOf(id) };
    const refund = await tenant.support.post(
      `/orders/${order.orderId}/refund`,
      { reason: 'rain' },
      { key: randomUUID() },
    );
    expect(refund.status).toBe(200);
    expect(await scan(pass)).toMatchObject({ reason: 'refunded' });
  });

  it('in other hands now is refused with the code of the first, and admitted with that of the second', async () => {
    const pass = await onePass();
    await changeTicket(ctx, pass.id, { user_id: 'bob', owner_epoch: 2 });
    expect(await scan(pass)).toMatchObject({ reason: 'transferred' });
    expect(await scan({ ...pass, code: await codeOf(pass.id, tenant.bob) })).toMatchObject({ status: 'ok' });
    expect(await scan(pass)).toMatchObject({ reason: 'transferred' });
  });
});

describe('the time', () => {
  it('has not come before the doors open, and is over at the end', async () => {
    const pass = await onePass({
      event: { doorsOpenAt: new Date(Date.now() + 30 * MINUTE).toISOString() },
    });
    expect(await scan(pass)).toMatchObject({ reason: 'not_yet_valid', ticket: { id: pass.id } });
    await moveEvent(
      pass.eventId,
      "doors_open_at = null, starts_at = now() - interval '2 hours', ends_at = now() - interval '1 second'",
    );
    expect(await scan(pass)).toMatchObject({ reason: 'expired' });
    await moveEvent(pass.eventId, "ends_at = now() + interval '1 minute'");
    expect(await scan(pass)).toMatchObject({ status: 'ok' });
  });

  it('has come three hours before the start when the event does not say when its doors open', async () => {
    const day = 24 * HOUR;
    const startsAt = Date.now() + day;
    const pass = await onePass({
      event: {
        startsAt: new Date(startsAt).toISOString(),
        endsAt: new Date(startsAt + HOUR).toISOString(),
      },
    });
    expect((await tenant.alice.get(`/events/${pass.eventId}`)).body).toMatchObject({ doorsOpenAt: null });
    const nonce = randomUUID();
    expect(await scan(pass, { nonce })).toMatchObject({
      status: 'error',
      reason: 'not_yet_valid',
      explanation: 'The doors are not open yet.',
      ticket: { id: pass.id },
    });
    expect(await scan(pass, { direction: 'exit' })).toMatchObject({ reason: 'rules' });
    expect((await tenant.alice.get(`/tickets/${pass.id}`)).body).toMatchObject({ status: 'active' });
    await moveEvent(pass.eventId, "starts_at = now() + interval '3 hours 1 minute'");
    expect(await scan(pass, { nonce })).toMatchObject({ reason: 'not_yet_valid' });
    await moveEvent(pass.eventId, "starts_at = now() + interval '2 hours 59 minutes'");
    expect(await scan(pass, { nonce })).toMatchObject({ status: 'ok', replayed: false });
    expect(await entriesOf(pass.id)).toHaveLength(1);
  });

  it('that the event says goes before the three hours, both ways', async () => {
    const inHours = (hours: number) => new Date(Date.now() + hours * HOUR).toISOString();
    const early = await onePass({
      event: { doorsOpenAt: inHours(-1), startsAt: inHours(30), endsAt: inHours(33) },
    });
    expect(await scan(early)).toMatchObject({ status: 'ok' });
    const late = await onePass({
      event: { doorsOpenAt: inHours(0.9), startsAt: inHours(1), endsAt: inHours(3) },
    });
    expect(await scan(late)).toMatchObject({ reason: 'not_yet_valid' });
  });

  it('is as long before the start as the installation says', async () => {
    const config = { ...ctx.config, DOORS_OPEN_MINUTES_BEFORE: 60 };
    const strict = await createTestTenant(ctx, createApp({ ...ctx, config }), 'One hour');
    const { event, type } = await openSale(strict);
    const order = await buy(strict.alice, type);
    const id = order.tickets[0]?.id ?? '';
    await putOnChain(ctx, id);
    const code = await codeOf(id, strict.alice);
    const pass = { id, eventId: event.id, code };
    expect(await scan(pass, {}, strict.scanner)).toMatchObject({ reason: 'not_yet_valid' });
    await moveEvent(event.id, "starts_at = now() + interval '59 minutes'");
    expect(await scan(pass, {}, strict.scanner)).toMatchObject({ status: 'ok' });
  });

  it('is ours and not what the device says', async () => {
    const pass = await onePass({ event: { doorsOpenAt: new Date(Date.now() + 30 * MINUTE).toISOString() } });
    const scannedAt = new Date(Date.now() + HOUR).toISOString();
    const { reason, scanId } = await scan(pass, { scannedAt });
    expect(reason).toBe('not_yet_valid');
    const [row] = await query('select * from ticket_scans where id = $1', scanId);
    expect(row.device_time.toISOString()).toBe(scannedAt);
    expect(Math.abs(row.scanned_at.getTime() - Date.now())).toBeLessThan(MINUTE);
  });

  it('lets those who are inside out after the end', async () => {
    const pass = await onePass();
    await scan(pass);
    await moveEvent(
      pass.eventId,
      "starts_at = now() - interval '2 hours', ends_at = now() - interval '1 second'",
    );
    expect(await scan(pass, { direction: 'exit' })).toMatchObject({ status: 'ok' });
  });
});

describe('every attempt', () => {
  it('is recorded with verdict, device, gate, both clocks and what the chain was thought to say', async () => {
    const pass = await onePass();
    const scannedAt = '2030-01-02T03:04:05.000Z';
    const nonces = [randomUUID(), randomUUID(), randomUUID()];
    const verdicts = [
      await scan(pass, { nonce: nonces[0], gate: 'North', scannedAt }),
      await scan(pass, { nonce: nonces[1], gate: 'South' }, gate2),
      await scan({ ...pass, code: 'x' }, { nonce: nonces[2], direction: 'exit' }, tenant.admin),
    ];
    const rows = await scansOf(pass.eventId);
    const common = { tenant_id: tenant.tenantId, event_id: pass.eventId };
    const chain = { chain_mode: 'last_known', chain_owner: verdicts[0]?.chain?.owner, chain_slot: '100' };
    expect(rows).toMatchObject([
      {
        ...common,
        ...chain,
        ticket_id: pass.id,
        scanned_by: 'jwt:gate-1',
        gate: 'North',
        direction: 'entry',
        result: 'ok',
        reason: null,
        device_time: new Date(scannedAt),
      },
      {
        ...common,
        ...chain,
        ticket_id: pass.id,
        scanned_by: 'jwt:gate-2',
        gate: 'South',
        result: 'error',
        reason: 'already_used',
        device_time: null,
      },
      {
        ...common,
        ticket_id: null,
        scanned_by: expect.stringMatching(/^api_key:/),
        gate: null,
        direction: 'exit',
        reason: 'invalid',
        chain_mode: null,
      },
    ]);
    expect(rows.map(({ id }) => id)).toEqual(verdicts.map(({ scanId }) => scanId));
    expect(rows.map(({ nonce }) => nonce)).toEqual(nonces);
  });

  it('in one crowd gets its own verdict', async () => {
    const all = await passes(10);
    const bad = all.map((pass) => ({ ...pass, code: forged(pass.code) }));
    const verdicts = await Promise.all([...all, ...bad].map((pass) => scan(pass)));
    expect(verdicts.map(({ ticket, reason }) => [ticket?.id, reason])).toEqual([
      ...all.map(({ id }) => [id, null]),
      ...bad.map(() => [undefined, 'invalid']),
    ]);
    expect(await scansOf(all[0]?.eventId ?? '')).toHaveLength(20);
  });
});

describe('who may scan', () => {
  it('scanners and staff, and no buyer, not even with a ticket of their own', async () => {
    const [admin, organiser, support, scanner] = (await passes(4)) as [Pass, Pass, Pass, Pass];
    const before = await digestDatabase(ctx);
    for (const client of [tenant.alice, tenant.bob])
      expectProblem(await post(admin, {}, client), 403, 'forbidden');
    const asAlice = { headers: { 'on-behalf-of': 'alice' } };
    const body = { qr: admin.code, eventId: admin.eventId, nonce: randomUUID() };
    expectProblem(await tenant.admin.post('/tickets/validate', body, asAlice), 403, 'forbidden');
    expectProblem(await clientOf(app).post('/tickets/validate', body), 401, 'unauthenticated');
    expect(await digestDatabase(ctx)).toBe(before);
    expect(await scan(admin, {}, tenant.admin)).toMatchObject({ status: 'ok' });
    expect(await scan(organiser, {}, tenant.organiser)).toMatchObject({ status: 'ok' });
    expect(await scan(support, {}, tenant.support)).toMatchObject({ status: 'ok' });
    expect(await scan(scanner, {}, tenant.scanner)).toMatchObject({ status: 'ok' });
  });

  it('is asked before anything is said of the event', async () => {
    const pass = { id: '', code: 'x', eventId: randomUUID() };
    expectProblem(await post(pass, {}, tenant.alice), 403, 'forbidden');
    expectProblem(await post(pass), 404, 'not_found');
  });
});

describe('a request', () => {
  it.each<[string, Record<string, unknown>]>([
    ['without a code', { qr: undefined }],
    ['with an empty code', { qr: '' }],
    ['with a code of 1,001 characters', { qr: 'A'.repeat(1_001) }],
    ['without an event', { eventId: undefined }],
    ['without a nonce', { nonce: undefined }],
    ['with a nonce that is no UUID', { nonce: 'once' }],
    ['with a direction of its own', { direction: 'through' }],
    ['with a policy of its own', { policy: 'none' }],
    ['with an empty gate', { gate: '' }],
    ['with a gate of 51 characters', { gate: 'x'.repeat(51) }],
    ['with a time that is none', { scannedAt: 'now' }],
    ['with a verdict', { status: 'ok' }],
    ['with a tenant', { tenantId: randomUUID() }],
  ])('%s is refused and not recorded', async (_name, more) => {
    const pass = await onePass();
    const before = await digestDatabase(ctx);
    expectProblem(await post(pass, more), 400, 'validation_failed');
    expect(await digestDatabase(ctx)).toBe(before);
  });
});

describe('while the listener keeps up', () => {
  it('its final copy decides, and nobody asks the chain; when it lags or is silent, the chain is asked', async () => {
    const clock = createTestClock();
    const own = await createTestContext({ clock });
    try {
      const people = await createTestTenant(own, createApp(own));
      const { event, type } = await openSale(people, { type: { maxEntries: 9 } });
      const id = (await buy(people.alice, type)).tickets[0]?.id ?? '';
      await putOnChain(own, id);
      const { code } = (await people.alice.get<{ code: string }>(`/tickets/${id}/qr`)).body;
      const modeAfter = async (lagSlots: number | undefined) => {
        clock.advance(MINUTE / 2);
        await own.database.owner.query('delete from worker_heartbeats');
        if (lagSlots !== undefined) {
          await own.database.owner.query(
            "insert into worker_heartbeats (worker, instance, beat_at, details) values ('listener', 'x', $1, $2)",
            [clock.now(), JSON.stringify({ lagSlots, slot: 500 })],
          );
        }
        const verdict = await scan({ id, eventId: event.id, code }, {}, people.scanner);
        return verdict.chain?.mode;
      };
      const limit = own.config.CHAIN_MAX_LAG_SLOTS;
      expect(await modeAfter(0)).toBe('copy');
      expect(await modeAfter(limit)).toBe('copy');
      expect(await modeAfter(limit + 1)).toBe('last_known');
      expect(await modeAfter(undefined)).toBe('last_known');
    } finally {
      await own.close();
    }
  });
});

describe('against the chain itself', () => {
  let world: ChainWorld;
  let event: { id: string };
  let tickets: string[];
  let strict: Client;

  beforeAll(async () => {
    world = await createChainWorld();
    const [worker, listener] = [world.startWorker(), world.startListener()];
    const sale = await openSale(world.tenant);
    event = sale.event;
    const order = await buy(world.tenant.alice, sale.type, { quantity: 9 });
    tickets = order.tickets.map(({ id }) => id);
    await world.until('the final copies', async () => {
      const { rows } = await world.ctx.database.owner.query(
        "select from tickets where status = 'active' and blockchain_sync_status = 'finalized'",
      );
      return rows.length === tickets.length;
    });
    await worker.stop();
    // Nobody keeps the copy fresh from here on, so that the gate has to ask.
    await listener.stop();
    const config = { ...world.ctx.config, CHAIN_CHECK_MODE: 'strict' as const };
    strict = clientOf(createApp({ ...world.ctx, chain: world.chainReader, config }), world.tenant.apiKey);
  });
  afterAll(() => world.close());
  // A circuit that an earlier fault opened would hide what the chain says.
  beforeEach(() => world.until('the node', async () => world.chainCtx.rpc.health()[0]?.state === 'well'));

  async function nextPass(): Promise<Pass> {
    const id = tickets.pop() ?? '';
    return { id, eventId: event.id, code: await codeOf(id, world.tenant.alice) };
  }
  const read = async (id: string) =>
    (await world.ctx.database.owner.query('select * from tickets where id = $1', [id])).rows[0];
  const scanOf = async ({ scanId }: Verdict) =>
    (await world.ctx.database.owner.query('select * from ticket_scans where id = $1', [scanId])).rows[0];
  const atGate = (pass: Pass, more = {}, client = world.tenant.scanner) => scan(pass, more, client);

  it('admits the ticket that the chain says is its holder’s', async () => {
    const pass = await nextPass();
    const { owner_wallet: owner } = await read(pass.id);
    const verdict = await atGate(pass);
    expect(verdict).toMatchObject({ status: 'ok', chain: { mode: 'live', owner } });
    expect(verdict.chain?.slot).toBeGreaterThan(0);
    expect(await scanOf(verdict)).toMatchObject({ chain_mode: 'live', chain_owner: owner });
  });

  it('refuses when the chain knows another owner, whatever the database thought, and changes nothing by it', async () => {
    const pass = await nextPass();
    const { owner_wallet: owner } = await read(pass.id);
    await changeTicket(world.ctx, pass.id, { owner_wallet: sampleWallet().address });
    const verdict = await atGate(pass);
    expect(verdict).toMatchObject({ reason: 'owner_mismatch', chain: { mode: 'live', owner } });
    expect(await scanOf(verdict)).toMatchObject({ reason: 'owner_mismatch', chain_owner: owner });
    expect(await read(pass.id)).toMatchObject({ status: 'active' });
    await changeTicket(world.ctx, pass.id, { owner_wallet: owner });
    expect(await atGate(pass)).toMatchObject({ status: 'ok' });
  });

  it('refuses what the chain revoked before the database heard of it', async () => {
    const pass = await nextPass();
    const tenantId = toTenantId(world.tenant.tenantId);
    await revokeOnChain(world.chainCtx, { tenantId, ticketId: pass.id, reason: 'fraud' });
    const { chain_account: account } = await read(pass.id);
    await world.until('the revocation', async () => {
      const state = await world.chainReader.readTicket(account);
      return state?.status === 'revoked';
    });
    expect(await atGate(pass)).toMatchObject({ reason: 'revoked', chain: { mode: 'live' } });
  });

  it.each([
    ['is not on the chain', () => sampleWallet().address],
    ['is an account of another program', () => '11111111111111111111111111111111'],
  ])('refuses a ticket whose account %s', async (_name, account) => {
    const pass = await nextPass();
    await changeTicket(world.ctx, pass.id, { chain_account: account() });
    expect(await atGate(pass)).toMatchObject({ reason: 'not_minted', chain: { mode: 'live', owner: null } });
  });

  it('asks for every scan when that is demanded, by the installation or by the device', async () => {
    const pass = await nextPass();
    await world.ctx.database.owner.query(
      `insert into worker_heartbeats (worker, instance, beat_at, details)
       values ('listener', 'x', now() + interval '1 minute', '{"lagSlots": 0, "slot": 1}')`,
    );
    await world.until('the beat to be noticed', async () => (await atGate(pass)).chain?.mode === 'copy');
    expect((await atGate(pass, { policy: 'strict' })).chain?.mode).toBe('live');
    expect((await atGate(pass, {}, strict)).chain?.mode).toBe('live');
    expect((await atGate(pass, { policy: 'cached' }, strict)).chain?.mode).toBe('live');
    await world.ctx.database.owner.query("delete from worker_heartbeats where instance = 'x'");
    await world.until('the silence to be noticed', async () => (await atGate(pass)).chain?.mode === 'live');
  });

  it('keeps the gate moving with the last final owner while no node answers, unless strictness is demanded', async () => {
    const [pass, pending] = [await nextPass(), await nextPass()];
    await changeTicket(world.ctx, pending.id, { blockchain_sync_status: 'provisional' });
    const { owner_wallet: owner } = await read(pass.id);
    const repair = world.proxy.fault(() => 'break');
    const refused = { status: 'error', reason: 'chain_unavailable', chain: { mode: 'none' } };
    expect(await atGate(pass, { policy: 'strict' })).toMatchObject(refused);
    expect(await atGate(pass, { policy: 'cached' }, strict)).toMatchObject(refused);
    // Nothing final is known of this one.
    expect(await atGate(pending)).toMatchObject(refused);
    expect(await atGate(pass)).toMatchObject({ status: 'ok', chain: { mode: 'last_known', owner } });
    repair();
    await world.until('the node', async () => world.chainCtx.rpc.health()[0]?.state === 'well');
    expect(await atGate(pending)).toMatchObject({ status: 'ok', chain: { mode: 'live' } });
  });
});
