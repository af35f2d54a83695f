import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApp } from '../../src/api/app.ts';
import { buy, openSale, samplePurchase } from '../support/samples.ts';
import {
  type Client,
  clientOf,
  createTestContext,
  createTestTenant,
  issueToken,
  type TestContext,
  type TestTenant,
} from '../support/test-context.ts';

let ctx: TestContext;
let app: ReturnType<typeof createApp>;
let tenant: TestTenant;

beforeAll(async () => {
  ctx = await createTestContext();
  app = createApp(ctx);
  tenant = await createTestTenant(ctx, app);
});
afterAll(() => ctx.close());

const stranger = (): Promise<Client> => tenant.as(`user-${randomUUID()}`, 'buyer');
const person = (verifiedEmail: string): Promise<Client> =>
  tenant.as(`user-${randomUUID()}`, 'buyer', { verifiedEmail });
const newEmail = (): string => `${randomUUID()}@example.com`;
const limited = async (perCustomerLimit = 2) =>
  (await openSale(tenant, { type: { perCustomerLimit, capacity: 500 } })).type;
type Type = Awaited<ReturnType<typeof limited>>;

const reserve = (client: Client, type: Type, customerEmail: string, quantity = 2) => {
  const { payment: _payment, ...wish } = samplePurchase(type, { quantity, customerEmail });
  return client.post<{ code?: string; reservationId: string }>('/tickets/reserve', wish, {
    key: randomUUID(),
  });
};
const purchase = (client: Client, type: Type, customerEmail: string, quantity = 2) =>
  client.post<{ code?: string }>('/tickets/purchase', samplePurchase(type, { quantity, customerEmail }), {
    key: randomUUID(),
  });

describe('an e-mail address that somebody typed', () => {
  it('does not tell a stranger whether its owner holds a ticket', async () => {
    const type = await limited();
    const [held, free] = [newEmail(), newEmail()];
    await buy(await stranger(), type, { quantity: 2, customerEmail: held });
    const answers = await Promise.all(
      [held, free].flatMap((email) => [
        stranger().then((client) => reserve(client, type, email)),
        stranger().then((client) => purchase(client, type, email)),
      ]),
    );
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 201, 201]);
  });

  it('does not lock its owner out, verified or not, however often it was typed', async () => {
    const type = await limited();
    const email = newEmail();
    for (let i = 0; i < 5; i++) expect((await reserve(await stranger(), type, email)).status).toBe(201);
    expect((await purchase(await person(email), type, email)).status).toBe(201);
    expect((await purchase(await stranger(), type, email)).status).toBe(201);
  });

  it('is compared with nobody’s, in whatever batch it arrives', async () => {
    const type = await limited();
    const email = newEmail();
    const clients = await Promise.all(Array.from({ length: 12 }, stranger));
    const reserved = await Promise.all(clients.map((client) => reserve(client, type, email)));
    expect(reserved.map(({ status }) => status)).toEqual(Array(12).fill(201));
    const bought = await Promise.all(
      reserved.map(({ body: { reservationId } }, i) =>
        clients[i]?.post(
          '/tickets/purchase',
          { reservationId, customerEmail: email, payment: { token: 'tok_success' } },
          { key: randomUUID() },
        ),
      ),
    );
    expect(bought.map((answer) => answer?.status)).toEqual(Array(12).fill(201));
  });

  it('does not raise the limit of who types another each time', async () => {
    const type = await limited();
    const client = await stranger();
    expect((await reserve(client, type, newEmail())).status).toBe(201);
    expect(await reserve(client, type, newEmail())).toMatchObject({
      status: 409,
      body: { code: 'customer_limit_exceeded' },
    });
  });
});

describe('an e-mail address that the identity provider vouches for', () => {
  it('is one person under all their accounts, whatever they type', async () => {
    const type = await limited();
    const email = newEmail();
    const [one, two, three] = [await person(email), await person(email.toUpperCase()), await person(email)];
    expect((await purchase(one, type, newEmail())).status).toBe(201);
    for (const again of [two, three])
      expect(await purchase(again, type, newEmail())).toMatchObject({
        status: 409,
        body: { code: 'customer_limit_exceeded' },
      });
  });

  it('keeps its limit among accounts that ask at once, and for what was reserved before', async () => {
    const type = await limited();
    const email = newEmail();
    const accounts = await Promise.all(Array.from({ length: 10 }, () => person(email)));
    const answers = await Promise.all(accounts.map((account) => reserve(account, type, newEmail())));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(answers.filter(({ body }) => body.code === 'customer_limit_exceeded')).toHaveLength(9);
    const winner = answers.findIndex(({ status }) => status === 201);
    const body = { reservationId: answers[winner]?.body.reservationId, payment: { token: 'tok_success' } };
    const paid = await accounts[winner]?.post('/tickets/purchase', body, { key: randomUUID() });
    expect(paid?.status).toBe(201);
    expect((await purchase(accounts[(winner + 1) % 10] as Client, type, newEmail(), 1)).status).toBe(409);
  });

  it.each<[string, Record<string, unknown>]>([
    ['without email_verified', {}],
    ['with email_verified false', { email_verified: false }],
    ['with email_verified 1', { email_verified: 1 }],
  ])('%s is a claim like any other', async (_name, claims) => {
    const type = await limited();
    const email = newEmail();
    expect((await purchase(await person(email), type, email)).status).toBe(201);
    const { tenantId } = tenant;
    const token = await issueToken({ tenantId, subject: randomUUID(), role: 'buyer', email, ...claims });
    expect((await purchase(clientOf(app, token), type, email)).status).toBe(201);
  });
});

describe('a name', () => {
  const tried = async (customerName: string) => {
    const { type } = await openSale(tenant);
    return tenant.alice.post('/tickets/purchase', samplePurchase(type, { customerName }), {
      key: randomUUID(),
    });
  };

  it.each([
    'Alice\nYour refund waits at the counter',
    'Alice\r\nBcc: all@example.com',
    'Alice\u2028Example',
    'Alice\u0007',
    'Alice\u202egpj.exe',
    'see https://evil.example/pay',
    'www.evil.example',
    'evil.com',
    'EVIL.COM/pay',
    'pay@evil.example',
  ])('is one line without control characters and links: not %j', async (name) => {
    expect(await tried(name)).toMatchObject({ status: 400, body: { code: 'validation_failed' } });
  });

  it.each(['Dr. Ada Lovelace', 'J.R.R. Tolkien', 'Dr.Meier', 'Renée O’Connor-Łukasz', '王 小明', 'محمد علي'])(
    'may be %s',
    async (name) => {
      expect((await tried(name)).status).toBe(201);
    },
  );
});
