import { randomUUID } from 'node:crypto';
import { PublicKey } from '@solana/web3.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type App, createApp } from '../../src/api/app.ts';
import { transferOnChain } from '../../src/domain/chain/send/transfer-on-chain.ts';
import type { Verdict } from '../../src/domain/check-in/schema.ts';
import type { TransferView } from '../../src/domain/transfers/schema.ts';
import { toTenantId } from '../../src/platform/ids.ts';
import { type ChainWorld, createChainWorld } from '../support/chain-world.ts';
import { buy, changeTicket, openSale, putOnChain, sampleWallet } from '../support/samples.ts';
import { HOUR } from '../support/test-clock.ts';
import {
  type Client,
  createTestContext,
  createTestTenant,
  LOCAL_PROGRAM_ID,
  type TestContext,
  type TestTenant,
} from '../support/test-context.ts';
import { digestDatabase, expectProblem } from './support/problems.ts';

const [derived] = PublicKey.findProgramAddressSync([Buffer.from('vault')], new PublicKey(LOCAL_PROGRAM_ID));
const programAccount = derived.toBase58();

let ctx: TestContext;
let app: App;
let tenant: TestTenant;
let other: TestTenant;
/** Support with the right to transfer for others. */
let staff: Client;

beforeAll(async () => {
  ctx = await createTestContext();
  app = createApp(ctx);
  tenant = await createTestTenant(ctx, app);
  staff = await tenant.as('sue', 'support', { scope: 'transfer_for_others' });
  other = await createTestTenant(ctx, app, 'Other');
});
afterAll(() => ctx.close());

/** A ticket of Alice, on the chain in her custodial wallet. */
async function activeTicket(overrides: Parameters<typeof openSale>[1] = {}) {
  const { event, type } = await openSale(tenant, overrides);
  const order = await buy(tenant.alice, type);
  const id = order.tickets[0]?.id ?? '';
  const { wallet } = await putOnChain(ctx, id);
  return { id, event, orderId: order.orderId, wallet };
}

const give = (
  id: string,
  to: Record<string, unknown> = { toUserId: 'bob' },
  client: Client = tenant.alice,
  key = randomUUID(),
) => client.post<TransferView>(`/tickets/${id}/transfer`, to, { key });
const offerTo = async (id: string, toUserId = 'bob'): Promise<TransferView> => {
  const { status, body } = await give(id, { toUserId, requireAcceptance: true });
  expect(status, JSON.stringify(body)).toBe(202);
  return body;
};
const accept = (id: string, client: Client = tenant.bob, key = randomUUID()) =>
  client.post<TransferView>(`/transfers/${id}/accept`, undefined, { key });
const cancel = (id: string, client: Client = tenant.alice, key = randomUUID()) =>
  client.post<TransferView>(`/transfers/${id}/cancel`, undefined, { key });
const show = async (id: string, client: Client = tenant.alice) =>
  (await client.get<TransferView>(`/transfers/${id}`)).body;
const query = async (text: string, ...values: unknown[]) =>
  (await ctx.database.owner.query(text, values)).rows;
const wishes = async (transferId: string) =>
  (
    await query(
      "select m from outbox, jsonb_array_elements(messages::jsonb) m where m ->> 'kind' = 'ticket.transfer' and m -> 'body' ->> 'transferId' = $1",
      transferId,
    )
  ).map(({ m }) => m);
const endEvent = (eventId: string) =>
  query(
    "update events set starts_at = now() - interval '1 hour', ends_at = now() - interval '1 second' where id = $1",
    eventId,
  );

/** Refused with this code, and nothing written. */
async function refused(
  call: () => Promise<{ status: number; body: unknown; headers: Headers }>,
  code: string,
) {
  const before = await digestDatabase(ctx);
  const answer = await call();
  const others: Record<string, number> = {
    forbidden: 403,
    not_found: 404,
    validation_failed: 400,
    bad_address: 400,
  };
  const status = others[code] ?? 409;
  expectProblem(answer, status, code);
  expect(await digestDatabase(ctx)).toBe(before);
  return answer.body;
}

describe('POST /tickets/{id}/transfer', () => {
  it('notes the wish and wakes the one who signs; the ticket stays where it is until the chain has it', async () => {
    const { id, event } = await activeTicket();
    const { status, body } = await give(id);
    expect(status).toBe(202);
    expect(body).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      ticketId: id,
      fromUserId: 'alice',
      toUserId: 'bob',
      toWallet: null,
      status: 'requested',
      failureCode: null,
      expiresAt: null,
      createdAt: expect.stringMatching(/Z$/),
      updatedAt: body.createdAt,
    });
    expect(await wishes(body.id)).toMatchObject([
      { kind: 'ticket.transfer', body: { transferId: body.id, ticketId: id, eventId: event.id } },
    ]);
    expect((await tenant.alice.get(`/tickets/${id}`)).body).toMatchObject({
      userId: 'alice',
      status: 'active',
    });
    expectProblem(await tenant.bob.get(`/tickets/${id}`), 404, 'not_found');
  });

  it('takes a user whom we have never seen, since the tenant’s identity provider knows its people', async () => {
    const { id } = await activeTicket();
    expect((await give(id, { toUserId: 'nobody-yet' })).body).toMatchObject({
      status: 'requested',
      toUserId: 'nobody-yet',
    });
  });

  it('takes a wallet that nobody here has linked', async () => {
    const { id } = await activeTicket();
    const { address } = sampleWallet();
    expect((await give(id, { toWallet: address })).body).toMatchObject({
      status: 'requested',
      toUserId: null,
      toWallet: address,
    });
  });

  it.each<[string, Record<string, unknown>, string]>([
    ['to nobody', {}, 'validation_failed'],
    ['to a user and a wallet', { toUserId: 'bob', toWallet: sampleWallet().address }, 'validation_failed'],
    ['to an empty user', { toUserId: '' }, 'validation_failed'],
    ['to a user of 129 characters', { toUserId: 'x'.repeat(129) }, 'validation_failed'],
    [
      'as an offer to a wallet',
      { toWallet: sampleWallet().address, requireAcceptance: true },
      'validation_failed',
    ],
    ['with a status', { toUserId: 'bob', status: 'completed' }, 'validation_failed'],
    ['on behalf of somebody', { toUserId: 'bob', fromUserId: 'carol' }, 'validation_failed'],
    ['to a wallet that is none', { toWallet: '0'.repeat(44) }, 'bad_address'],
    ['to the system program', { toWallet: '1'.repeat(32) }, 'bad_address'],
    ['to an account of a program', { toWallet: programAccount }, 'bad_address'],
  ])('%s is refused', async (_name, to, code) => {
    const { id } = await activeTicket();
    await refused(() => give(id, to), code);
  });

  it('to oneself is refused, by name and by wallet', async () => {
    const { id, wallet } = await activeTicket();
    await refused(() => give(id, { toUserId: 'alice' }), 'transfer_to_self');
    await refused(() => give(id, { toWallet: wallet }), 'transfer_to_self');
    await refused(() => give(id, { toUserId: 'alice', requireAcceptance: true }), 'transfer_to_self');
    await refused(() => give(id, { toUserId: 'alice', reason: 'asked' }, staff), 'transfer_to_self');
  });

  it('of a ticket of somebody else is like one that nobody has; staff may', async () => {
    const { id } = await activeTicket();
    for (const client of [tenant.bob, other.alice, other.admin]) {
      await refused(() => give(id, { toUserId: 'bob' }, client), 'not_found');
    }
    await refused(() => give(randomUUID()), 'not_found');
    for (const any of [id, randomUUID()]) {
      await refused(() => give(any, { toUserId: 'bob' }, tenant.scanner), 'forbidden');
    }
    expect((await give(id, { toUserId: 'bob', reason: 'asked' }, staff)).body).toMatchObject({
      fromUserId: 'alice',
      status: 'requested',
    });
  });

  it.each(['wallet:x', 'wallet:9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM', 'api_key:1', 'Worker:x'])(
    'to a name that we give ourselves (%s) is refused',
    async (toUserId) => {
      const { id } = await activeTicket();
      await refused(() => give(id, { toUserId }), 'validation_failed');
    },
  );

  it.each(['sold', 'minting'])('of a ticket that is %s has to wait', async (status) => {
    const { type } = await openSale(tenant);
    const id = (await buy(tenant.alice, type)).tickets[0]?.id ?? '';
    if (status === 'minting') await changeTicket(ctx, id, { status });
    expect(await refused(() => give(id), 'not_transferable')).toMatchObject({ ticketStatus: status });
  });

  it.each(['transferred', 'checked_in', 'cancelled', 'refunded', 'revoked', 'expired'])(
    'of a ticket that is %s is refused',
    async (status) => {
      const { id } = await activeTicket();
      await changeTicket(ctx, id, { status });
      expect(await refused(() => give(id), 'not_transferable')).toMatchObject({ ticketStatus: status });
    },
  );

  it.each<[string, boolean, boolean]>([
    ['open', true, true],
    ['organiser_approved', false, true],
    ['resale_only', false, false],
    ['locked', false, false],
  ])('follows the policy %s', async (transferPolicy, holderMay, staffMay) => {
    const attempt = async (client: Client, may: boolean, more = {}) => {
      const { id } = await activeTicket({ event: { transferPolicy } });
      const to = { toUserId: 'bob', ...more };
      if (may) return expect((await give(id, to, client)).status).toBe(202);
      return expect(await refused(() => give(id, to, client), 'transfer_not_allowed')).toMatchObject({
        transferPolicy,
      });
    };
    await attempt(tenant.alice, holderMay);
    await attempt(tenant.alice, holderMay, { requireAcceptance: true });
    await attempt(staff, staffMay, { reason: 'asked' });
  });

  it('ends with the event', async () => {
    const { id, event } = await activeTicket();
    await endEvent(event.id);
    await refused(() => give(id), 'event_over');
    await refused(() => give(id, { toUserId: 'bob', reason: 'asked' }, staff), 'event_over');
  });

  it('goes on for an event that was taken off the list', async () => {
    const { id, event } = await activeTicket();
    await tenant.organiser.delete(`/events/${event.id}`);
    expect((await give(id)).status).toBe(202);
  });

  it('of a ticket in a wallet whose key is not ours is for that key to sign', async () => {
    const { id } = await activeTicket();
    const { address } = sampleWallet();
    await changeTicket(ctx, id, { owner_wallet: address });
    await refused(() => give(id), 'wallet_self_custodial');
    await query(
      "insert into wallets (tenant_id, address, user_id, custody, verified_at) values ($1, $2, 'alice', 'linked', now())",
      tenant.tenantId,
      address,
    );
    await refused(() => give(id), 'wallet_self_custodial');
  });

  it('happens once when five want it at once, each to somebody else', async () => {
    const { id } = await activeTicket();
    const answers = await Promise.all(['b', 'c', 'd', 'e', 'f'].map((toUserId) => give(id, { toUserId })));
    expect(answers.map(({ status }) => status).sort()).toEqual([202, 409, 409, 409, 409]);
    for (const answer of answers.filter(({ status }) => status === 409)) {
      expectProblem(answer, 409, 'transfer_under_way');
    }
    expect(await query('select to_user_id, status from transfers where ticket_id = $1', id)).toEqual([
      { to_user_id: answers.find(({ status }) => status === 202)?.body.toUserId, status: 'requested' },
    ]);
  });

  it('and a refund in the same moment leave one of both, or a wish that the worker finds empty', async () => {
    for (let i = 0; i < 5; i++) {
      const { id, orderId } = await activeTicket();
      const [given, refund] = await Promise.all([
        give(id),
        tenant.support.post(`/orders/${orderId}/refund`, { reason: 'rain' }, { key: randomUUID() }),
      ]);
      expect(refund.status, JSON.stringify(refund.body)).toBe(200);
      expect([202, 409]).toContain(given.status);
      await refused(() => give(id), 'not_transferable');
    }
  });
});

describe('an offer', () => {
  it('moves nothing before the receiver accepts', async () => {
    const { id, event } = await activeTicket();
    const offer = await offerTo(id);
    expect(offer).toMatchObject({ status: 'offered', toUserId: 'bob' });
    expect(await wishes(offer.id)).toEqual([]);
    const { status, body } = await accept(offer.id);
    expect([status, body.status]).toEqual([200, 'requested']);
    expect(await wishes(offer.id)).toMatchObject([
      { body: { transferId: offer.id, ticketId: id, eventId: event.id } },
    ]);
    await refused(() => accept(offer.id), 'offer_over');
    await refused(() => cancel(offer.id), 'offer_over');
  });

  it('can be taken back, and then another be made', async () => {
    const { id } = await activeTicket();
    const offer = await offerTo(id);
    await refused(() => give(id, { toUserId: 'carol' }), 'transfer_under_way');
    expect((await cancel(offer.id)).body).toMatchObject({ status: 'cancelled' });
    await refused(() => accept(offer.id), 'offer_over');
    expect(await wishes(offer.id)).toEqual([]);
    expect((await give(id, { toUserId: 'carol' })).status).toBe(202);
  });

  it('is answered by nobody else, to whom it does not exist', async () => {
    const { id } = await activeTicket();
    const offer = await offerTo(id);
    const carol = await tenant.as('carol', 'buyer');
    for (const client of [tenant.alice, carol, tenant.organiser, tenant.admin, tenant.scanner, other.bob]) {
      await refused(() => accept(offer.id, client), 'not_found');
    }
    for (const client of [tenant.bob, carol, tenant.organiser, other.alice, other.admin]) {
      await refused(() => cancel(offer.id, client), 'not_found');
    }
    for (const client of [tenant.alice, tenant.bob, tenant.support]) {
      expect(await show(offer.id, client)).toEqual(offer);
    }
    for (const client of [carol, tenant.scanner, other.bob, other.admin]) {
      await refused(() => client.get(`/transfers/${offer.id}`), 'not_found');
    }
    expect((await accept(offer.id)).status).toBe(200);
  });

  it('lasts for three days, and no longer than the event', async () => {
    const soon = await activeTicket();
    expect((await offerTo(soon.id)).expiresAt).toBe(soon.event.endsAt);
    const start = Date.now() + 500 * HOUR;
    const times = {
      startsAt: new Date(start).toISOString(),
      endsAt: new Date(start + HOUR).toISOString(),
    };
    const late = await activeTicket({ event: times });
    const { createdAt, expiresAt } = await offerTo(late.id);
    expect(Date.parse(expiresAt ?? '') - Date.parse(createdAt)).toBe(72 * HOUR);
  });

  it('that ran out is over for both, and stands in nobody’s way', async () => {
    const { id } = await activeTicket();
    const offer = await offerTo(id);
    await query("update transfers set expires_at = now() - interval '1 second' where id = $1", offer.id);
    const over = { status: 'failed', failureCode: 'offer_expired' };
    expect(await show(offer.id)).toMatchObject(over);
    await refused(() => accept(offer.id), 'offer_over');
    await refused(() => cancel(offer.id), 'offer_over');
    expect((await give(id, { toUserId: 'carol' })).status).toBe(202);
    expect(await show(offer.id)).toMatchObject(over);
    await refused(() => accept(offer.id), 'offer_over');
  });

  it('ends with the event, also when that was moved', async () => {
    const { id, event } = await activeTicket();
    const offer = await offerTo(id);
    await endEvent(event.id);
    await refused(() => accept(offer.id), 'event_over');
    expect((await cancel(offer.id)).body).toMatchObject({ status: 'cancelled' });
  });

  it.each(['checked_in', 'revoked', 'refunded', 'expired'])(
    'of a ticket that is %s by then cannot be accepted',
    async (status) => {
      const { id } = await activeTicket();
      const offer = await offerTo(id);
      await changeTicket(ctx, id, { status });
      expect(await refused(() => accept(offer.id), 'not_transferable')).toMatchObject({
        ticketStatus: status,
      });
      expect((await cancel(offer.id)).body).toMatchObject({ status: 'cancelled' });
    },
  );

  it('of a ticket that went elsewhere cannot be accepted', async () => {
    const { id } = await activeTicket();
    const offer = await offerTo(id);
    await changeTicket(ctx, id, { user_id: 'carol', owner_epoch: 2 });
    await refused(() => accept(offer.id), 'offer_over');
  });

  it('of a ticket that moved to a wallet of its own cannot be accepted', async () => {
    const { id } = await activeTicket();
    const offer = await offerTo(id);
    await changeTicket(ctx, id, { owner_wallet: sampleWallet().address });
    await refused(() => accept(offer.id), 'wallet_self_custodial');
  });

  it('that staff made is approved, and is the receiver’s to accept', async () => {
    const { id } = await activeTicket({ event: { transferPolicy: 'organiser_approved' } });
    const { body } = await give(id, { toUserId: 'bob', requireAcceptance: true, reason: 'asked' }, staff);
    expect((await accept(body.id)).body).toMatchObject({ status: 'requested' });
  });

  it('is either accepted or taken back when both come at once, ten times over', async () => {
    for (let i = 0; i < 10; i++) {
      const { id } = await activeTicket();
      const offer = await offerTo(id);
      const answers = await Promise.all([
        accept(offer.id),
        cancel(offer.id),
        accept(offer.id),
        cancel(offer.id),
      ]);
      expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409, 409]);
      const won = answers.find(({ status }) => status === 200)?.body.status;
      expect((await show(offer.id)).status).toBe(won);
      expect(await wishes(offer.id)).toHaveLength(won === 'requested' ? 1 : 0);
    }
  });

  it('and a scan in the same moment leave the ticket used once, whoever was first', async () => {
    for (let i = 0; i < 10; i++) {
      const { id, event } = await activeTicket();
      const { code } = (await tenant.alice.get<{ code: string }>(`/tickets/${id}/qr`)).body;
      const offer = await offerTo(id);
      const scan = { qr: code, eventId: event.id, nonce: randomUUID() };
      const [answer, verdict] = await Promise.all([
        accept(offer.id),
        tenant.scanner.post<Verdict>('/tickets/validate', scan),
      ]);
      expect([200, 409]).toContain(answer.status);
      expect(verdict.body).toMatchObject({ status: 'ok' });
      await refused(() => accept(offer.id), answer.status === 200 ? 'offer_over' : 'not_transferable');
    }
  });
});

describe('on the chain', () => {
  let world: ChainWorld;
  let people: TestTenant;
  let sale: Awaited<ReturnType<typeof openSale>>;
  let tickets: string[];

  beforeAll(async () => {
    world = await createChainWorld();
    people = world.tenant;
    const worker = world.startWorker();
    world.startListener();
    sale = await openSale(people);
    const order = await buy(people.alice, sale.type, { quantity: 5 });
    tickets = order.tickets.map(({ id }) => id);
    await world.until('the tickets', async () => {
      const rows = await read("select from tickets where status = 'active'");
      return rows.length === tickets.length;
    });
    await worker.stop();
  });
  afterAll(() => world.close());

  const read = async (text: string, ...values: unknown[]) =>
    (await world.ctx.database.owner.query(text, values)).rows;
  const codeOf = async (id: string, client: Client) =>
    (await client.get<{ code: string }>(`/tickets/${id}/qr`)).body.code;
  const scan = async (qr: string) =>
    (
      await people.scanner.post<Verdict>('/tickets/validate', {
        qr,
        eventId: sale.event.id,
        nonce: randomUUID(),
      })
    ).body;
  const historyOf = async (id: string, client: Client) =>
    (await client.get<{ items: { to: string; actor: string }[] }>(`/tickets/${id}/history`)).body.items;
  /** How a transfer ended, with a worker that starts now and carries it out. */
  async function outcome(id: string): Promise<TransferView> {
    const worker = world.startWorker();
    const ended = await world.until('the end of the transfer', async () => {
      const transfer = await show(id, people.admin);
      return !['offered', 'requested'].includes(transfer.status) && transfer;
    });
    await worker.stop();
    return ended;
  }
  /** The one job alone: a worker would tell the chain of the scan or the revocation beside it, maybe before. */
  const carryOut = (transferId: string) =>
    transferOnChain(world.chainCtx, { tenantId: toTenantId(people.tenantId), transferId });
  const next = () => tickets.pop() ?? '';

  it('hands an accepted ticket over: the old code is dead, the new one opens, and the history tells', async () => {
    const id = next();
    const old = await codeOf(id, people.alice);
    const { body: offer } = await give(id, { toUserId: 'bob', requireAcceptance: true }, people.alice);
    await accept(offer.id, people.bob);
    const ended = await outcome(offer.id);
    const tenantId = toTenantId(people.tenantId);
    const wallet = await world.chainCtx.signer.address({ use: 'custodial', tenantId, userId: 'bob' });
    expect(ended).toMatchObject({ status: 'completed', failureCode: null, toWallet: wallet });

    expect(await scan(old)).toMatchObject({ status: 'error', reason: 'transferred', ticket: { id } });
    for (const path of ['', '/qr', '/history', '/chain']) {
      expectProblem(await people.alice.get(`/tickets/${id}${path}`), 404, 'not_found');
    }
    expect((await people.bob.get(`/tickets/${id}`)).body).toMatchObject({
      userId: 'bob',
      ownerWallet: wallet,
      holderName: 'bob',
    });
    expect((await people.bob.get('/wallets')).body).toMatchObject({
      items: [{ address: wallet, custody: 'custodial', isPrimary: true }],
    });
    expect(await scan(await codeOf(id, people.bob))).toMatchObject({
      status: 'ok',
      ticket: { id, holderName: 'bob' },
    });
    const steps = (await historyOf(id, people.bob)).map(({ to }) => to);
    expect(steps.slice(0, 4)).toEqual(['sold', 'minting', 'active', 'transferred']);
    expect(steps.at(-1)).toBe('checked_in');
    const again = { toUserId: 'alice' };
    expectProblem(await give(id, again, people.bob), 409, 'not_transferable');
  });

  it('goes back and forth, and no code of an earlier time comes alive again', async () => {
    const id = next();
    const first = await codeOf(id, people.alice);
    const active = () =>
      world.until('the final owner', async () => {
        const [row] = await read(
          'select status, blockchain_sync_status as sync from tickets where id = $1',
          id,
        );
        return row.status === 'active' && row.sync === 'finalized';
      });
    await active();
    expect(await outcome((await give(id, { toUserId: 'bob' }, people.alice)).body.id)).toMatchObject({
      status: 'completed',
    });
    expect((await people.bob.get(`/tickets/${id}`)).body, 'before it is final').toMatchObject({
      status: 'active',
    });
    const second = await codeOf(id, people.bob);
    expect(await outcome((await give(id, { toUserId: 'alice' }, people.bob)).body.id)).toMatchObject({
      status: 'completed',
    });
    for (const code of [first, second]) expect(await scan(code)).toMatchObject({ reason: 'transferred' });
    expect(await scan(await codeOf(id, people.alice))).toMatchObject({ status: 'ok' });
  });

  it('does not hand over what was used before the worker came', async () => {
    const id = next();
    const code = await codeOf(id, people.alice);
    const { body } = await give(id, { toUserId: 'bob' }, people.alice);
    expect(await scan(code)).toMatchObject({ status: 'ok' });
    await carryOut(body.id);
    expect(await show(body.id, people.alice)).toMatchObject({
      status: 'failed',
      failureCode: 'ticket_checked_in',
    });
    expect((await people.alice.get(`/tickets/${id}`)).body).toMatchObject({
      userId: 'alice',
      status: 'checked_in',
    });
    expect(
      await read("select from pending_transactions where purpose = 'transfer' and ticket_id = $1", id),
    ).toEqual([]);
  });

  it('does not hand over what was revoked before the worker came', async () => {
    const id = next();
    const { body } = await give(id, { toUserId: 'bob' }, people.alice);
    await people.support.post(`/tickets/${id}/revoke`, { reason: 'fraud' }, { key: randomUUID() });
    await carryOut(body.id);
    expect(await show(body.id, people.alice)).toMatchObject({
      status: 'failed',
      failureCode: 'ticket_revoked',
    });
    expect((await people.alice.get(`/tickets/${id}`)).body).toMatchObject({
      userId: 'alice',
      status: 'revoked',
    });
  });
});
