import { type KeyObject, randomUUID, sign } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { PublicKey } from '@solana/web3.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type App, createApp } from '../../src/api/app.ts';
import { openFileSigner } from '../../src/domain/chain/send/file-signer.ts';
import type { WalletView } from '../../src/domain/wallets/link-wallet.ts';
import { openCustodialWallet } from '../../src/domain/wallets/open-custodial-wallet.ts';
import { type TenantId, toTenantId } from '../../src/platform/ids.ts';
import { withTenant } from '../../src/platform/tenant-tx.ts';
import { buy, changeTicket, openSale, putOnChain, sampleWallet } from '../support/samples.ts';
import { createTestClock, MINUTE, type TestClock } from '../support/test-clock.ts';
import {
  type Client,
  clientOf,
  createTestContext,
  createTestTenant,
  LOCAL_PROGRAM_ID,
  type TestContext,
  type TestTenant,
} from '../support/test-context.ts';
import { digestDatabase, expectProblem } from './support/problems.ts';

type Challenge = { challengeId: string; message: string; expiresAt: string };
type Wallet = ReturnType<typeof sampleWallet>;

let ctx: TestContext;
let clock: TestClock;
let app: App;
let tenant: TestTenant;
let other: TestTenant;

beforeAll(async () => {
  clock = createTestClock();
  ctx = await createTestContext({ clock });
  app = createApp(ctx);
  tenant = await createTestTenant(ctx, app);
  other = await createTestTenant(ctx, app, 'Other');
});
afterAll(() => ctx.close());

const challengeFor = async ({ address }: { address: string }, client: Client = tenant.alice) => {
  const { status, body } = await client.post<Challenge>('/wallets/challenge', { address });
  expect(status, JSON.stringify(body)).toBe(201);
  return body;
};
const signed = (message: string, privateKey: KeyObject) =>
  sign(null, Buffer.from(message), privateKey).toString('base64');
const link = (challengeId: string, signature: string, client: Client = tenant.alice) =>
  client.post<WalletView>('/wallets', { challengeId, signature });
/** Asks, signs and links. */
const prove = async (wallet: Wallet, client: Client = tenant.alice) => {
  const { challengeId, message } = await challengeFor(wallet, client);
  return link(challengeId, signed(message, wallet.privateKey), client);
};
const walletsOf = async (client: Client) =>
  (await client.get<{ items: WalletView[] }>('/wallets')).body.items;
/** Everybody starts without a wallet. */
const newcomer = () => tenant.as(`user-${randomUUID()}`, 'buyer');

async function notProven(call: () => ReturnType<typeof link>): Promise<void> {
  const before = await digestDatabase(ctx);
  expectProblem(await call(), 422, 'wallet_not_proven');
  expect(await digestDatabase(ctx)).toBe(before);
}

describe('POST /wallets/challenge', () => {
  it('gives a text that names wallet, account, organiser, service and time, and is good for ten minutes', async () => {
    const wallet = sampleWallet();
    const { challengeId, message, expiresAt } = await challengeFor(wallet);
    for (const part of [
      wallet.address,
      'Account: alice\n',
      tenant.tenantId,
      ctx.config.PUBLIC_URL,
      challengeId,
      expiresAt,
    ]) {
      expect(message).toContain(part);
    }
    expect(Date.parse(expiresAt) - clock.now().getTime()).toBe(10 * MINUTE);
  });

  it('differs each time', async () => {
    const wallet = sampleWallet();
    const messages = await Promise.all([1, 2, 3].map(() => challengeFor(wallet)));
    expect(new Set(messages.map(({ message }) => message)).size).toBe(3);
  });

  const [account] = PublicKey.findProgramAddressSync([Buffer.from('vault')], new PublicKey(LOCAL_PROGRAM_ID));
  it.each([
    ['an account of a program, for which nobody can sign', account.toBase58(), 'bad_address'],
    ['characters that base58 has not', '0OIl'.repeat(8), 'bad_address'],
    ['the system program', '11111111111111111111111111111111', 'bad_address'],
    [
      'the neutral point, which is on the curve and has no key',
      '4uQeVj5tqViQh7yWWGStvkEG1Zmhx6uasJtWCJziofM',
      'bad_address',
    ],
    ['more than 32 bytes', 'z'.repeat(44), 'bad_address'],
    ['31 characters', '1'.repeat(31), 'validation_failed'],
    ['45 characters', '1'.repeat(45), 'validation_failed'],
  ])('is not given for %s', async (_name, address, code) => {
    const before = await digestDatabase(ctx);
    expectProblem(await tenant.alice.post('/wallets/challenge', { address }), 400, code);
    expect(await digestDatabase(ctx)).toBe(before);
  });
});

describe('POST /wallets', () => {
  it('links the wallet whose key signed, and makes it the one that new tickets go to', async () => {
    const client = await newcomer();
    const wallet = sampleWallet();
    const { status, body } = await prove(wallet, client);
    expect(status).toBe(201);
    expect(body).toEqual({
      address: wallet.address,
      custody: 'linked',
      isPrimary: true,
      verifiedAt: clock.now().toISOString(),
    });
    expect(await walletsOf(client)).toEqual([body]);
    const { rows } = await ctx.database.owner.query(
      "select tenant_id, action from audit_log where subject = $1 and action = 'wallet.linked'",
      [wallet.address],
    );
    expect(rows).toHaveLength(1);
  });

  it('makes the last of several the primary one, also when it was linked before', async () => {
    const client = await newcomer();
    const [first, second] = [sampleWallet(), sampleWallet()];
    const primary = async () =>
      (await walletsOf(client)).filter(({ isPrimary }) => isPrimary).map(({ address }) => address);
    await prove(first, client);
    await prove(second, client);
    expect(await primary()).toEqual([second.address]);
    expect((await prove(first, client)).status).toBe(201);
    expect(await primary()).toEqual([first.address]);
    expect(await walletsOf(client)).toHaveLength(2);
  });

  it.each<[string, (message: string, wallet: Wallet) => string]>([
    ['made with another key', (message) => signed(message, sampleWallet().privateKey)],
    ['of another text', (message, { privateKey }) => signed(`${message} `, privateKey)],
    ['of an empty text', (_message, { privateKey }) => signed('', privateKey)],
    ['of 63 bytes', (message, { privateKey }) => cut(signed(message, privateKey), 63)],
    ['of 65 bytes', (message, { privateKey }) => cut(`${signed(message, privateKey)}`, 64, Buffer.of(0))],
    ['of nothing', () => ''],
    ['of 64 zeros', () => Buffer.alloc(64).toString('base64')],
  ])('refuses a signature %s, and takes the right one afterwards', async (_name, forge) => {
    const wallet = sampleWallet();
    const { challengeId, message } = await challengeFor(wallet);
    await notProven(() => link(challengeId, forge(message, wallet)));
    expect((await link(challengeId, signed(message, wallet.privateKey))).status).toBe(201);
  });

  it('refuses what is no base64, and every member that is not asked for', async () => {
    const { challengeId } = await challengeFor(sampleWallet());
    const before = await digestDatabase(ctx);
    for (const body of [
      { challengeId, signature: '?'.repeat(88) },
      { challengeId, signature: 'A'.repeat(104) },
      { challengeId: 'x', signature: 'AAAA' },
      { challengeId },
      { challengeId, signature: 'AAAA', userId: 'bob' },
      { challengeId, signature: 'AAAA', address: sampleWallet().address },
    ]) {
      expectProblem(await tenant.alice.post('/wallets', body), 400, 'validation_failed');
    }
    expect(await digestDatabase(ctx)).toBe(before);
  });

  it('takes a signature once', async () => {
    const wallet = sampleWallet();
    const { challengeId, message } = await challengeFor(wallet);
    const signature = signed(message, wallet.privateKey);
    const answers = await Promise.all(Array.from({ length: 5 }, () => link(challengeId, signature)));
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 422, 422, 422, 422]);
    await notProven(() => link(challengeId, signature));
  });

  it('takes it for ten minutes and not a moment longer', async () => {
    const [wallet, late] = [sampleWallet(), sampleWallet()];
    const [good, over] = await Promise.all([challengeFor(wallet), challengeFor(late)]);
    clock.advance(10 * MINUTE - 1);
    expect((await link(good.challengeId, signed(good.message, wallet.privateKey))).status).toBe(201);
    clock.advance(1);
    await notProven(() => link(over.challengeId, signed(over.message, late.privateKey)));
  });

  it('takes it for the challenge it was made for alone', async () => {
    const wallet = sampleWallet();
    const [first, second] = [await challengeFor(wallet), await challengeFor(wallet)];
    await notProven(() => link(first.challengeId, signed(second.message, wallet.privateKey)));
    await notProven(() => link(randomUUID(), signed(first.message, wallet.privateKey)));
  });

  it('refuses the challenge of another user, also with the right signature, and leaves it to them', async () => {
    const wallet = sampleWallet();
    const { challengeId, message } = await challengeFor(wallet);
    const signature = signed(message, wallet.privateKey);
    for (const client of [tenant.bob, other.alice, other.bob]) {
      await notProven(() => link(challengeId, signature, client));
    }
    expect((await link(challengeId, signature)).status).toBe(201);
  });

  it('refuses a wallet that another account has, and links it in another tenant all the same', async () => {
    const wallet = sampleWallet();
    await prove(wallet);
    const before = await walletsOf(tenant.bob);
    expectProblem(await prove(wallet, tenant.bob), 409, 'wallet_taken');
    expect(await walletsOf(tenant.bob)).toEqual(before);
    expect((await prove(wallet, other.alice)).status).toBe(201);
    expect((await walletsOf(tenant.alice)).map(({ address }) => address)).toContain(wallet.address);
  });

  it('refuses a wallet that we keep for somebody, themselves included', async () => {
    const wallet = sampleWallet();
    await ctx.database.owner.query(
      `insert into wallets (tenant_id, address, user_id, custody, is_primary, verified_at)
       values ($1, $2, 'kept', 'custodial', true, now())`,
      [tenant.tenantId, wallet.address],
    );
    for (const client of [tenant.alice, await tenant.as('kept', 'buyer')]) {
      expectProblem(await prove(wallet, client), 409, 'wallet_taken');
    }
    expect(await walletsOf(await tenant.as('kept', 'buyer'))).toMatchObject([
      { address: wallet.address, custody: 'custodial', isPrimary: true },
    ]);
  });

  it('gives a wallet that two users prove at once to one of them', async () => {
    for (let i = 0; i < 5; i++) {
      const wallet = sampleWallet();
      const answers = await Promise.all([prove(wallet, await newcomer()), prove(wallet, await newcomer())]);
      expect(answers.map(({ status }) => status).sort()).toEqual([201, 409]);
    }
  });

  it('links both of two wallets that one user proves at once, and one of them is the primary one', async () => {
    for (let i = 0; i < 10; i++) {
      const client = await newcomer();
      const answers = await Promise.all([prove(sampleWallet(), client), prove(sampleWallet(), client)]);
      expect(answers.map(({ status }) => status)).toEqual([201, 201]);
      expect((await walletsOf(client)).map(({ isPrimary }) => isPrimary).sort()).toEqual([false, true]);
    }
  });

  it('hands over what came into the wallet before, under the new name, to whoever looked already', async () => {
    const { event, type } = await openSale(tenant);
    const order = await buy(tenant.alice, type, { quantity: 2 });
    const [id = '', elsewhere = ''] = order.tickets.map((ticket) => ticket.id);
    const wallet = sampleWallet();
    for (const [ticket, address] of [
      [id, wallet.address],
      [elsewhere, sampleWallet().address],
    ] as const) {
      await putOnChain(ctx, ticket);
      const user = `wallet:${address}`;
      await changeTicket(ctx, ticket, {
        user_id: user,
        holder_name: user,
        owner_wallet: address,
        owner_epoch: 2,
      });
    }
    clock.advance(1);
    expect((await tenant.support.get(`/tickets/${id}`)).body).toMatchObject({
      userId: `wallet:${wallet.address}`,
    });
    const dora = await tenant.as('dora', 'buyer');
    await ctx.database.owner.query(
      "insert into users (tenant_id, user_id, name) values ($1, 'dora', 'Dora Example')",
      [tenant.tenantId],
    );
    clock.advance(1);
    await prove(wallet, dora);
    for (const client of [dora, tenant.support]) {
      expect((await client.get(`/tickets/${id}`)).body).toMatchObject({
        userId: 'dora',
        holderName: 'Dora Example',
      });
    }
    const { code } = (await dora.get<{ code: string }>(`/tickets/${id}/qr`)).body;
    const scan = { qr: code, eventId: event.id, nonce: randomUUID() };
    expect((await tenant.scanner.post('/tickets/validate', scan)).body).toMatchObject({ status: 'ok' });
    expectProblem(await dora.get(`/tickets/${elsewhere}`), 404, 'not_found');
  });
});

function cut(signature: string, bytes: number, tail = Buffer.alloc(0)): string {
  return Buffer.concat([Buffer.from(signature, 'base64').subarray(0, bytes), tail]).toString('base64');
}

describe('GET /wallets', () => {
  it('shows everybody their own, and staff none of others', async () => {
    const [wallet, client] = [sampleWallet(), await newcomer()];
    await prove(wallet, client);
    for (const stranger of [tenant.bob, tenant.admin, tenant.support, tenant.scanner, other.alice]) {
      expect((await walletsOf(stranger)).map(({ address }) => address)).not.toContain(wallet.address);
    }
    expect((await walletsOf(client)).map(({ address }) => address)).toEqual([wallet.address]);
  });

  it('and linking is for buyers, also by a key that acts for one', async () => {
    const wallet = sampleWallet();
    for (const client of [tenant.admin, tenant.organiser, tenant.support, tenant.scanner]) {
      const asked = await client.post('/wallets/challenge', { address: wallet.address });
      expectProblem(asked, 403, 'forbidden');
      expectProblem(await link(randomUUID(), 'AAAA', client), 403, 'forbidden');
    }
    const shop = clientOf(app, tenant.apiKey);
    const headers = { 'on-behalf-of': `user-${randomUUID()}` };
    const { body } = await shop.post<Challenge>('/wallets/challenge', wallet, { headers });
    expect(body).toMatchObject({ code: 'validation_failed' });
    const asked = await shop.post<Challenge>('/wallets/challenge', { address: wallet.address }, { headers });
    const { challengeId, message } = asked.body;
    const linked = await shop.post(
      '/wallets',
      { challengeId, signature: signed(message, wallet.privateKey) },
      { headers },
    );
    expect(linked.status).toBe(201);
  });
});

describe('the wallet that is kept for a user', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(`${tmpdir()}/tessera-wallets-`);
  });
  afterAll(() => rm(folder, { recursive: true }));

  const custodial = (tenantId: TenantId, userId: string) => ({ use: 'custodial' as const, tenantId, userId });
  const open = (userId: string, address: string) => {
    const tenantId = toTenantId(tenant.tenantId);
    return withTenant(ctx.db, tenantId, (tx) =>
      openCustodialWallet(tx, tenantId, clock.now(), { userId, address }),
    );
  };

  it('follows from the seed, the tenant and the user, and from nothing else', async () => {
    const [ours, theirs] = [toTenantId(tenant.tenantId), toTenantId(other.tenantId)];
    const signer = await openFileSigner(`${folder}/seed.json`);
    const addresses = await Promise.all(
      [custodial(ours, 'alice'), custodial(ours, 'bob'), custodial(theirs, 'alice')].map(signer.address),
    );
    expect(new Set(addresses).size).toBe(3);
    const again = await openFileSigner(`${folder}/seed.json`);
    expect(await again.address(custodial(ours, 'alice'))).toBe(addresses[0]);
    const elsewhere = await openFileSigner(`${folder}/other-seed.json`);
    expect(await elsewhere.address(custodial(ours, 'alice'))).not.toBe(addresses[0]);
    const message = Buffer.from('to sign');
    const signature = await signer.sign(custodial(ours, 'alice'), message);
    expect(addresses.map((address) => ctx.chain.verifySignature(address, message, signature))).toEqual([
      true,
      false,
      false,
    ]);
  });

  it('is opened once, however many tickets come at once', async () => {
    const { address } = sampleWallet();
    const opened = await Promise.all(Array.from({ length: 8 }, () => open('erin', address)));
    expect(new Set(opened.map((wallet) => wallet.address))).toEqual(new Set([address]));
    expect(await walletsOf(await tenant.as('erin', 'buyer'))).toMatchObject([
      { address, custody: 'custodial', isPrimary: true },
    ]);
  });

  it('steps back behind a linked one, before and after it was opened', async () => {
    const erin = await tenant.as('erin', 'buyer');
    const linked = sampleWallet();
    expect((await prove(linked, erin)).status).toBe(201);
    expect((await open('erin', sampleWallet().address)).address).toBe(linked.address);
    expect(await walletsOf(erin)).toMatchObject([
      { custody: 'custodial', isPrimary: false },
      { address: linked.address, custody: 'linked', isPrimary: true },
    ]);
    const frank = await tenant.as('frank', 'buyer');
    const own = sampleWallet();
    await prove(own, frank);
    expect(await open('frank', sampleWallet().address)).toMatchObject({
      address: own.address,
      custody: 'linked',
    });
    expect(await walletsOf(frank)).toHaveLength(1);
  });

  it('and one that is linked in the same moment leave one primary wallet', async () => {
    for (let i = 0; i < 10; i++) {
      const user = `user-${randomUUID()}`;
      const client = await tenant.as(user, 'buyer');
      const [answer] = await Promise.all([
        prove(sampleWallet(), client),
        open(user, sampleWallet().address),
        open(user, sampleWallet().address),
      ]);
      expect(answer.status, JSON.stringify(answer.body)).toBe(201);
      expect((await walletsOf(client)).filter(({ isPrimary }) => isPrimary)).toHaveLength(1);
    }
  });
});
