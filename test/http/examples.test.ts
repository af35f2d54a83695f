import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type App, createApp } from '../../src/api/app.ts';
import { type Role, roles } from '../../src/platform/actor.ts';
import { exampleIds } from '../../src/platform/http/example-ids.ts';
import {
  type Client,
  clientOf,
  createTestContext,
  createTestTenant,
  type TestContext,
  type TestTenant,
} from '../support/test-context.ts';
import { clientFor, openWorld, operation, operations, type World } from './support/operations.ts';

type Parameter = { name: string; in: string; required?: boolean; example?: unknown };
type Described = {
  operationId?: string;
  description?: string;
  security?: unknown[];
  parameters?: Parameter[];
  requestBody?: { content: Record<string, { example?: unknown }> };
  responses: Record<string, unknown>;
  'x-roles'?: Role[];
};
type Document = {
  info: { description: string };
  paths: Record<string, Record<string, Described>>;
  'x-example-ids': Record<string, string>;
};

/** A provider's signature is not made by hand, and no token opens that door: its example says what it is, not more. */
const UNTRIED = 'POST /api/payments/webhook/{provider}';
const names = Object.keys(operations);

let ctx: TestContext;
let app: App;
let document: Document;

beforeAll(async () => {
  ctx = await createTestContext();
  app = createApp(ctx);
  document = (await (await app.request('/openapi.json')).json()) as Document;
});
afterAll(() => ctx.close());

function described(name: string): Described {
  const [method = '', path = ''] = name.split(' ');
  const found = document.paths[path]?.[method.toLowerCase()];
  if (!found) throw new Error(`${name} is not in the document`);
  return found;
}
const parametersOf = (name: string, place: string) =>
  (described(name).parameters ?? []).filter((one) => one.in === place);
const contentsOf = (name: string) => Object.entries(described(name).requestBody?.content ?? {});

/** What the tenant has for each id that stands in examples. */
function realIds(world: World): Record<keyof typeof exampleIds, string> {
  return {
    eventId: world.eventId,
    ticketTypeId: world.ticketTypeId,
    seatedEventId: world.hall.eventId,
    seatedTypeId: world.hall.ticketTypeId,
    seatId: world.hall.free,
    soldOutTypeId: world.soldOut.ticketTypeId,
    waitingListEntryId: world.soldOut.entryId,
    orderId: world.orderId,
    ticketId: world.ticketId,
    transferId: world.offerId,
    promoCodeId: world.promoCodeId,
    apiKeyId: world.apiKeyId,
    challengeId: world.challengeId,
    transactionId: world.transactionId,
    reservationId: world.reservationId,
    lockId: world.hall.lockId,
    mint: world.mint,
    walletAddress: world.address,
    signature: world.signature,
    code: world.code,
  };
}

function withRealIds(text: string, world: World): string {
  const real = realIds(world);
  return Object.entries(document['x-example-ids']).reduce(
    (filled, [name, id]) => filled.replaceAll(id, real[name as keyof typeof real]),
    text,
  );
}

/** Sends the example of an operation as the document has it, but for the ids, to a tenant that has all that it needs. */
async function sendExample(
  name: string,
  type: string | undefined,
  clientOfTenant: (tenant: TestTenant) => Client | Promise<Client>,
  extra = {},
) {
  const tenant = await createTestTenant(ctx, app);
  const client = await clientOfTenant(tenant);
  const world = await openWorld(ctx, tenant);
  const [method = '', template = ''] = name.split(' ');
  const examples = new Map(parametersOf(name, 'path').map((one) => [one.name, String(one.example)]));
  const place = template.replace(/\{(\w+)\}/g, (_, parameter: string) => examples.get(parameter) ?? '');
  const headers = Object.fromEntries(
    parametersOf(name, 'header').flatMap((one) => (one.required ? [[one.name, String(one.example)]] : [])),
  );
  const example = type === undefined ? undefined : described(name).requestBody?.content[type]?.example;
  const text = typeof example === 'string' || example === undefined ? example : JSON.stringify(example);
  const path = withRealIds(place, world);
  const below = path.startsWith('/api') ? path.slice('/api'.length) : `/..${path}`;
  const sent = { ...headers, ...(type ? { 'content-type': type } : {}), ...extra };
  const verb = method.toLowerCase() as 'get' | 'delete' | 'post' | 'put' | 'patch';
  if (verb === 'get' || verb === 'delete') return client[verb](below, { headers: sent });
  return client[verb](below, text === undefined ? undefined : withRealIds(text, world), { headers: sent });
}

/** Each operation with each media type of its body. */
const cases = (): [string, string | undefined][] =>
  names.flatMap((name) => typesOf(name).map((type): [string, string | undefined] => [name, type]));

function typesOf(name: string): (string | undefined)[] {
  if (!operation(name).body) return [undefined];
  if (name.startsWith('PATCH')) return ['application/json', 'application/merge-patch+json'];
  return name.endsWith('/seat-map') ? ['application/json', 'text/csv'] : ['application/json'];
}

describe('the reference', () => {
  it('gives each operation a name, once, and says what it does and for whom', () => {
    const ids = names.map((name) => described(name).operationId);
    expect(new Set(ids).size).toBe(names.length);
    for (const name of names) {
      const { operationId, description = '', security } = described(name);
      expect(operationId, name).toMatch(/^[a-z]+[A-Z][A-Za-z]+$/);
      const [text = '', who = ''] = description.split('\n\n');
      expect(text.length, name).toBeGreaterThan(10);
      if (security?.length === 0) expect(who, name).toBe('Without a token.');
      else expect(who, name).toBe(`Roles: ${(described(name)['x-roles'] ?? []).join(', ')}.`);
    }
  });

  it.each(names)('names the roles that may call it, as they are answered: %s', (name) => {
    const { answers } = operation(name);
    const named = described(name)['x-roles'] ?? roles;
    const answered = roles.map((role) => [role, answers[role === 'buyer' ? 'buyer' : role]] as const);
    const served = answered.filter(([, status]) => status < 300 || status === 503).map(([role]) => role);
    const refused = answered.filter(([, status]) => status === 403).map(([role]) => role);
    if (name !== UNTRIED) expect(served.length).toBeGreaterThan(0);
    expect(named).toEqual(expect.arrayContaining(served));
    expect(named.filter((role) => refused.includes(role))).toEqual([]);
  });

  it('has an example of each body, each part of a path and each header that is due', () => {
    for (const name of names) {
      for (const [type, { example }] of contentsOf(name))
        expect([name, type, example]).not.toContain(undefined);
      for (const one of [...parametersOf(name, 'path'), ...parametersOf(name, 'header')]) {
        if (one.required) expect([name, one.name, one.example]).not.toContain(undefined);
      }
      const types = contentsOf(name).map(([type]) => type);
      expect([name, types]).toEqual([
        name,
        cases().flatMap(([one, type]) => (one === name && type ? [type] : [])),
      ]);
    }
  });

  it('says which ids in examples stand for those of the reader, and uses each', () => {
    expect(document['x-example-ids']).toEqual(exampleIds);
    expect(document.info.description).toContain('x-example-ids');
    const used = JSON.stringify(document.paths);
    for (const [name, id] of Object.entries(exampleIds))
      expect([name, used.includes(id)]).toEqual([name, true]);
  });
});

describe('the example of an operation', () => {
  it.each(cases())('succeeds when it is sent as it stands: %s %s', async (name, type) => {
    const answer = await sendExample(name, type, (tenant) => clientFor(tenant, name, clientOf(app)));
    if (name === UNTRIED) {
      expect(answer.status).toBe(401);
      expect(described(name).description).toContain('cannot be tried by hand');
      return;
    }
    // Without workers nothing is ready, and that is what is said.
    const good = name === 'GET /health/ready' ? [503] : [200, 201, 202, 204];
    expect([answer.body, good.includes(answer.status)]).toEqual([answer.body, true]);
  });

  it('starts with one that is met first: an event, made by whoever has the key of the tenant', async () => {
    const answer = await sendExample('POST /api/events', 'application/json', ({ admin }) => admin);
    expect(answer.status).toBe(201);
  });
});

describe('On-Behalf-Of', () => {
  const shopOf = async ({ admin }: TestTenant): Promise<Client> => {
    const input = { name: 'shop', role: 'organiser', scopes: ['on_behalf_of'] };
    const { body } = await admin.post<{ key: string }>('/api-keys', input);
    return clientOf(app, body.key);
  };

  it.each(names)('is listed where it works, and nowhere else: %s', async (name) => {
    const { security } = described(name);
    const listed = parametersOf(name, 'header').some((one) => one.name === 'On-Behalf-Of');
    if (security?.length === 0) return expect(listed).toBe(false);
    const user = operation(name).as === 'bob' ? 'bob' : 'alice';
    const type = contentsOf(name)[0]?.[0];
    const answer = await sendExample(name, type, shopOf, { 'on-behalf-of': user });
    expect([answer.body, listed]).toEqual([answer.body, answer.status < 300]);
    if (!listed) return expect(answer.body).toMatchObject({ code: 'forbidden' });
    expect(Object.keys(described(name).responses)).toEqual(expect.arrayContaining(['400', '401', '403']));
  });
});
