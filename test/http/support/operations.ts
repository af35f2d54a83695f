import { randomUUID, sign } from 'node:crypto';
import type { App } from '../../../src/api/app.ts';
import type { OrderAnswer } from '../../../src/domain/orders/schema.ts';
import {
  buy,
  openSale,
  putOnChain,
  sampleEvent,
  samplePurchase,
  sampleTicketType,
  sampleWallet,
} from '../../support/samples.ts';
import type { Client, TestContext, TestTenant } from '../../support/test-context.ts';

/** One of everything that a tenant can have, so that every route has something to be asked about. */
export type World = {
  eventId: string;
  ticketTypeId: string;
  transactionId: string;
  /** Alice's, active and on the chain. */
  ticketId: string;
  mint: string;
  code: string;
  /** Alice offers another ticket to Bob. */
  offerId: string;
  challengeId: string;
  signature: string;
  address: string;
  apiKeyId: string;
  /** Alice's, of the order of her tickets. */
  orderId: string;
  /** Alice holds places of the event. */
  reservationId: string;
  /** An event that is sold by the seat: Alice holds the first, nobody the second. */
  hall: { eventId: string; ticketTypeId: string; free: string; lockId: string };
  promoCodeId: string;
  promoCode: string;
  /** Everything of this type is taken, and Alice waits for it. */
  soldOut: { ticketTypeId: string; entryId: string };
};

/** What each kind of person gets. The buyer is the one whom it concerns, the stranger another buyer of the tenant. */
export type Answers = Record<'admin' | 'organiser' | 'support' | 'buyer' | 'stranger' | 'scanner', number>;

export type Operation = {
  answers: Answers;
  /** Whom it is made for, and so whose request succeeds. */
  as: 'admin' | 'organiser' | 'alice' | 'bob' | 'scanner' | 'nobody';
  path?: (world: World) => Record<string, string>;
  body?: (world: World) => Record<string, unknown>;
  /** Another request that may not come under the same idempotency key. */
  changed?: (world: World) => { path?: Record<string, string>; body?: Record<string, unknown> };
  /** What the ids of another tenant get; `none` when nothing in the request is an id. */
  foreign: 404 | 422 | 'none';
};

const all = (status: number): Answers => ({
  admin: status,
  organiser: status,
  support: status,
  buyer: status,
  stranger: status,
  scanner: status,
});
const organisers = (status: number): Answers => ({ ...all(403), admin: status, organiser: status });
const staff = (status: number, others: number): Answers => ({
  ...all(others),
  admin: status,
  organiser: status,
  support: status,
});
/** Staff and the one whom it concerns; to the others it does not exist. */
const concerned = (status: number): Answers => ({ ...staff(status, 404), buyer: status });

/** Sellers and buyers, everybody on their own account. */
const customers = (status: number): Answers => ({ ...all(status), scanner: 403 });

const event = (world: World) => ({ id: world.eventId });
const ticketType = (world: World) => ({ id: world.ticketTypeId });
const ticket = (world: World) => ({ id: world.ticketId });
const offer = (world: World) => ({ id: world.offerId });

const newCode = () => randomUUID().slice(0, 8).toUpperCase();
const eventTerms = () => {
  const { ticketTypes, ...rest } = sampleEvent({ title: 'Macbeth' });
  const terms = { description: '', venueAddress: '', doorsOpenAt: null, transferPolicy: 'open' };
  return { ...rest, ...terms, resaleCapBps: 10_000, isActive: true };
};
const typeTerms = () => {
  const limits = { salesStartAt: null, salesEndAt: null, perOrderLimit: 10, perCustomerLimit: null };
  return { ...sampleTicketType({ name: 'Pit' }), ...limits, description: '', maxEntries: 1, isActive: true };
};

const reservation = (world: World) => ({ id: world.reservationId });
const wanted = (world: World) => {
  const { payment, ...rest } = samplePurchase({ id: world.ticketTypeId, eventId: world.eventId });
  return rest;
};
const seatMap = ({ hall }: World) => ({
  sections: [
    {
      name: 'Stalls',
      ticketTypeId: hall.ticketTypeId,
      rows: [{ label: '1', seats: [{ number: '1' }, { number: '2' }] }],
    },
  ],
});
const person = { customerName: 'Alice Example', customerEmail: 'alice@example.com' };
const paid = { payment: { token: 'tok_success' } };

/** Every operation of the document by its method and path. A test fails when one is missing here. */
export const operations: Record<string, Operation> = {
  'GET /health/live': { as: 'nobody', answers: all(200), foreign: 'none' },
  'GET /health/ready': { as: 'nobody', answers: all(503), foreign: 'none' },
  'GET /api/nft/{mint}/metadata.json': {
    as: 'nobody',
    answers: all(200),
    path: ({ mint }) => ({ mint }),
    foreign: 'none',
  },
  'GET /api/nft/{mint}/image.svg': {
    as: 'nobody',
    answers: all(200),
    path: ({ mint }) => ({ mint }),
    foreign: 'none',
  },
  'GET /api/events': { as: 'alice', answers: all(200), foreign: 'none' },
  'POST /api/events': {
    as: 'organiser',
    answers: organisers(201),
    body: () => sampleEvent(),
    foreign: 'none',
  },
  'GET /api/events/{id}': { as: 'alice', answers: all(200), path: event, foreign: 404 },
  'PUT /api/events/{id}': {
    as: 'organiser',
    answers: organisers(200),
    path: event,
    body: eventTerms,
    foreign: 404,
  },
  'PATCH /api/events/{id}': {
    as: 'organiser',
    answers: organisers(200),
    path: event,
    body: () => ({ title: 'Macbeth' }),
    foreign: 404,
  },
  'DELETE /api/events/{id}': { as: 'organiser', answers: organisers(200), path: event, foreign: 404 },
  'GET /api/events/{id}/availability': { as: 'alice', answers: all(200), path: event, foreign: 404 },
  'POST /api/events/{id}/ticket-types': {
    as: 'organiser',
    answers: organisers(201),
    path: event,
    body: () => sampleTicketType({ name: 'Balcony' }),
    foreign: 404,
  },
  'GET /api/ticket-types/{id}': { as: 'alice', answers: all(200), path: ticketType, foreign: 404 },
  'PUT /api/ticket-types/{id}': {
    as: 'organiser',
    answers: organisers(200),
    path: ticketType,
    body: typeTerms,
    foreign: 404,
  },
  'PATCH /api/ticket-types/{id}': {
    as: 'organiser',
    answers: organisers(200),
    path: ticketType,
    body: () => ({ name: 'Pit' }),
    foreign: 404,
  },
  'DELETE /api/ticket-types/{id}': {
    as: 'organiser',
    answers: organisers(200),
    path: ticketType,
    foreign: 404,
  },
  'POST /api/tickets/purchase': {
    as: 'alice',
    answers: { ...all(201), scanner: 403 },
    body: (world) => samplePurchase({ id: world.ticketTypeId, eventId: world.eventId }),
    changed: (world) => ({
      body: samplePurchase({ id: world.ticketTypeId, eventId: world.eventId }, { quantity: 2 }),
    }),
    foreign: 404,
  },
  'POST /api/tickets/reserve': {
    as: 'alice',
    answers: customers(201),
    body: wanted,
    changed: (world) => ({ body: { ...wanted(world), quantity: 2 } }),
    foreign: 404,
  },
  'GET /api/tickets/reservation/{id}': {
    as: 'alice',
    answers: concerned(200),
    path: reservation,
    foreign: 404,
  },
  'DELETE /api/tickets/reservation/{id}': {
    as: 'alice',
    answers: concerned(200),
    path: reservation,
    foreign: 404,
  },
  'GET /api/events/{id}/seat-map': {
    as: 'alice',
    answers: all(200),
    path: ({ hall }) => ({ id: hall.eventId }),
    foreign: 404,
  },
  'PUT /api/events/{id}/seat-map': {
    as: 'organiser',
    answers: organisers(200),
    path: ({ hall }) => ({ id: hall.eventId }),
    body: seatMap,
    foreign: 404,
  },
  'POST /api/seats/lock': {
    as: 'alice',
    answers: customers(201),
    body: ({ hall }) => ({ eventId: hall.eventId, seatIds: [hall.free] }),
    changed: ({ hall }) => ({
      body: { eventId: hall.eventId, bestAvailable: { ticketTypeId: hall.ticketTypeId, quantity: 1 } },
    }),
    foreign: 404,
  },
  'DELETE /api/seats/lock/{id}': {
    as: 'alice',
    answers: concerned(200),
    path: ({ hall }) => ({ id: hall.lockId }),
    foreign: 404,
  },
  'POST /api/bookings': {
    as: 'alice',
    answers: { ...all(404), buyer: 201, scanner: 403 },
    body: ({ hall }) => ({ lockId: hall.lockId, ...person, ...paid }),
    changed: ({ hall }) => ({ body: { lockId: hall.lockId, ...person, ...paid, notes: 'On the aisle' } }),
    foreign: 404,
  },
  'GET /api/bookings/{id}': {
    as: 'alice',
    answers: concerned(200),
    path: ({ orderId }) => ({ id: orderId }),
    foreign: 404,
  },
  'DELETE /api/bookings/{id}': {
    as: 'alice',
    answers: concerned(200),
    path: ({ orderId }) => ({ id: orderId }),
    changed: () => ({ path: { id: randomUUID() } }),
    foreign: 404,
  },
  'POST /api/orders/{id}/refund': {
    as: 'organiser',
    answers: staff(200, 403),
    path: ({ orderId }) => ({ id: orderId }),
    body: () => ({ reason: 'rain' }),
    changed: ({ orderId }) => ({ path: { id: orderId }, body: { reason: 'rain', amountMinor: 1 } }),
    foreign: 404,
  },
  'POST /api/payments/webhook/{provider}': {
    as: 'nobody',
    answers: all(401),
    path: () => ({ provider: 'test' }),
    foreign: 'none',
  },
  'GET /api/promo-codes': { as: 'organiser', answers: staff(200, 403), foreign: 'none' },
  'POST /api/promo-codes': {
    as: 'organiser',
    answers: organisers(201),
    body: ({ eventId }) => ({ code: `S${newCode()}`, percent: 10, eventId }),
    foreign: 404,
  },
  'DELETE /api/promo-codes/{id}': {
    as: 'organiser',
    answers: organisers(200),
    path: ({ promoCodeId }) => ({ id: promoCodeId }),
    foreign: 404,
  },
  'POST /api/ticket-types/{id}/waiting-list': {
    as: 'bob',
    answers: { ...all(403), buyer: 201, stranger: 201 },
    path: ({ soldOut }) => ({ id: soldOut.ticketTypeId }),
    body: () => ({ quantity: 1, ...person }),
    foreign: 404,
  },
  'GET /api/waiting-list/{id}': {
    as: 'alice',
    answers: concerned(200),
    path: ({ soldOut }) => ({ id: soldOut.entryId }),
    foreign: 404,
  },
  'DELETE /api/waiting-list/{id}': {
    as: 'alice',
    answers: concerned(200),
    path: ({ soldOut }) => ({ id: soldOut.entryId }),
    foreign: 404,
  },
  'GET /api/transactions/{transactionId}': {
    as: 'alice',
    answers: concerned(200),
    path: ({ transactionId }) => ({ transactionId }),
    foreign: 404,
  },
  'POST /api/tickets/validate': {
    as: 'scanner',
    answers: { ...staff(200, 403), scanner: 200 },
    body: (world) => ({ qr: world.code, eventId: world.eventId, nonce: randomUUID(), gate: 'north' }),
    foreign: 404,
  },
  'GET /api/tickets': { as: 'alice', answers: all(200), foreign: 'none' },
  'GET /api/tickets/{id}': { as: 'alice', answers: concerned(200), path: ticket, foreign: 404 },
  'GET /api/tickets/{id}/history': { as: 'alice', answers: concerned(200), path: ticket, foreign: 404 },
  'GET /api/tickets/{id}/chain': { as: 'alice', answers: concerned(200), path: ticket, foreign: 404 },
  'GET /api/tickets/{id}/qr': {
    as: 'alice',
    answers: { ...all(404), buyer: 200 },
    path: ticket,
    foreign: 404,
  },
  'POST /api/tickets/{id}/revoke': {
    as: 'organiser',
    answers: staff(200, 403),
    path: ticket,
    body: () => ({ reason: 'fraud' }),
    changed: (world) => ({ path: ticket(world), body: { reason: 'other' } }),
    foreign: 404,
  },
  'POST /api/tickets/{id}/transfer': {
    as: 'alice',
    answers: { ...concerned(202), organiser: 403, support: 403, scanner: 403 },
    path: ticket,
    body: () => ({ toUserId: 'bob', reason: 'Bought for the wrong account' }),
    changed: (world) => ({ path: ticket(world), body: { toUserId: 'carol' } }),
    foreign: 404,
  },
  'GET /api/transfers/{id}': { as: 'alice', answers: concerned(200), path: offer, foreign: 404 },
  'POST /api/transfers/{id}/accept': {
    as: 'bob',
    answers: { ...all(404), buyer: 200 },
    path: offer,
    changed: () => ({ path: { id: randomUUID() } }),
    foreign: 404,
  },
  'POST /api/transfers/{id}/cancel': {
    as: 'alice',
    answers: { ...all(404), buyer: 200 },
    path: offer,
    changed: () => ({ path: { id: randomUUID() } }),
    foreign: 404,
  },
  'GET /api/wallets': { as: 'alice', answers: all(200), foreign: 'none' },
  'POST /api/wallets/challenge': {
    as: 'alice',
    answers: { ...all(403), buyer: 201, stranger: 201 },
    body: ({ address }) => ({ address }),
    foreign: 'none',
  },
  'POST /api/wallets': {
    as: 'alice',
    answers: { ...all(403), buyer: 201, stranger: 422 },
    body: ({ challengeId, signature }) => ({ challengeId, signature }),
    foreign: 422,
  },
  'GET /api/api-keys': { as: 'admin', answers: { ...all(403), admin: 200 }, foreign: 'none' },
  'POST /api/api-keys': {
    as: 'admin',
    answers: { ...all(403), admin: 201 },
    body: () => ({ name: 'shop', role: 'buyer', scopes: ['on_behalf_of'] }),
    foreign: 'none',
  },
  'DELETE /api/api-keys/{id}': {
    as: 'admin',
    answers: { ...all(403), admin: 204 },
    path: ({ apiKeyId }) => ({ id: apiKeyId }),
    foreign: 404,
  },
};

/** The operation of that name. @throws for one that is not in the table */
export function operation(name: string): Operation {
  const found = operations[name];
  if (!found) throw new Error(`${name} is not in the table of operations`);
  return found;
}

type Document = {
  paths: Record<
    string,
    Record<string, { security?: unknown[]; parameters?: Parameter[]; requestBody?: unknown }>
  >;
};
type Parameter = { name: string; in: string; required?: boolean };

/** What the service says of itself, asked as a client would ask. */
export async function readDocument(app: App): Promise<Document> {
  return (await (await app.request('/openapi.json')).json()) as Document;
}

/** The operations of the document: nobody can add a route and forget it here. */
export async function listOperations(
  app: App,
): Promise<{ name: string; guarded: boolean; keyed: boolean }[]> {
  const { paths } = await readDocument(app);
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { security, parameters = [] }]) => ({
      name: `${method.toUpperCase()} ${path}`,
      guarded: security === undefined || security.length > 0,
      keyed: parameters.some((parameter) => parameter.name === 'idempotency-key' && parameter.required),
    })),
  );
}

type Given = {
  key?: string | undefined;
  path?: Record<string, string> | undefined;
  body?: unknown;
  headers?: Record<string, string>;
};

/** Makes the request of an operation about what is in `world`, by `client`; `given` replaces parts of it. */
export function request(client: Client, name: string, world: World, given: Given = {}) {
  const { path, body } = operation(name);
  const [method = '', template = ''] = name.split(' ');
  const values = given.path ?? path?.(world) ?? {};
  const place = template.replace(/\{(\w+)\}/g, (_, parameter: string) => values[parameter] ?? '');
  const content = 'body' in given ? given.body : body?.(world);
  const options = {
    ...(given.key === undefined ? {} : { key: given.key }),
    ...(given.headers ? { headers: given.headers } : {}),
  };
  const { get, post, put, patch, delete: remove } = client;
  // The client speaks below /api; health stands beside it.
  const below = place.startsWith('/api') ? place.slice('/api'.length) : `/..${place}`;
  if (method === 'GET') return get(below, options);
  if (method === 'DELETE') return remove(below, options);
  if (method === 'PATCH') return patch(below, content, options);
  return method === 'PUT' ? put(below, content, options) : post(below, content, options);
}

/** Everything at once, bought and made by the people of `tenant`. */
export async function openWorld(ctx: TestContext, tenant: TestTenant): Promise<World> {
  const { event: show, type } = await openSale(tenant);
  const order = await buy(tenant.alice, type, { quantity: 2 });
  const [first, second] = order.tickets.map(({ id }) => id);
  if (!first || !second) throw new Error('two tickets were bought');
  const { mint } = await putOnChain(ctx, first);
  await putOnChain(ctx, second);
  const waiting = samplePurchase(type, { payment: { token: 'tok_requires_action' } });
  await tenant.alice.post('/tickets/purchase', waiting, { key: randomUUID() });
  const offered = await tenant.alice.post<{ id: string }>(
    `/tickets/${second}/transfer`,
    { toUserId: 'bob', requireAcceptance: true },
    { key: randomUUID() },
  );
  const { address, privateKey } = sampleWallet();
  const challenge = await tenant.alice.post<{ challengeId: string; message: string }>('/wallets/challenge', {
    address,
  });
  const key = await tenant.admin.post<{ id: string }>('/api-keys', { name: 'sample', role: 'support' });
  const code = await tenant.alice.get<{ code: string }>(`/tickets/${first}/qr`);
  return {
    eventId: show.id,
    ticketTypeId: type.id,
    transactionId: (order as OrderAnswer).transactionId,
    ticketId: first,
    mint,
    code: code.body.code,
    offerId: offered.body.id,
    challengeId: challenge.body.challengeId,
    signature: sign(null, Buffer.from(challenge.body.message), privateKey).toString('base64'),
    address,
    apiKeyId: key.body.id,
    orderId: order.orderId,
    ...(await openSelling(tenant, show.id, type.id)),
  };
}

/** What lies around a sale: a reservation, a lock, a promo code, a waiting list. */
async function openSelling(tenant: TestTenant, eventId: string, ticketTypeId: string) {
  const { alice, organiser } = tenant;
  const key = randomUUID;
  const reserved = await alice.post<{ reservationId: string }>(
    '/tickets/reserve',
    wanted({ eventId, ticketTypeId } as World),
    { key: key() },
  );
  const { event: seated, type } = await openSale(tenant);
  const hall = { eventId: seated.id, ticketTypeId: type.id, free: '', lockId: '' };
  const map = await organiser.put<{ sections: { rows: { seats: { id: string }[] }[] }[] }>(
    `/events/${seated.id}/seat-map`,
    seatMap({ hall } as World),
  );
  const [taken, free] = map.body.sections[0]?.rows[0]?.seats ?? [];
  const locked = await alice.post<{ lockId: string }>(
    '/seats/lock',
    { eventId: seated.id, seatIds: [taken?.id] },
    { key: key() },
  );
  const promoCode = `P${newCode()}`;
  const promo = await organiser.post<{ id: string }>('/promo-codes', { code: promoCode, percent: 10 });
  const { type: scarce } = await openSale(tenant, { type: { capacity: 1 } });
  await buy(tenant.bob, scarce);
  const entry = await alice.post<{ id: string }>(`/ticket-types/${scarce.id}/waiting-list`, {
    quantity: 1,
    ...person,
  });
  return {
    reservationId: reserved.body.reservationId,
    hall: { ...hall, free: free?.id ?? '', lockId: locked.body.lockId },
    promoCodeId: promo.body.id,
    promoCode,
    soldOut: { ticketTypeId: scarce.id, entryId: entry.body.id },
  };
}

/** The same world with ids that nobody has. */
export function missingWorld(world: World): World {
  return {
    ...world,
    eventId: randomUUID(),
    ticketTypeId: randomUUID(),
    transactionId: 'TXN_20990101000000_AAAAAAAA',
    ticketId: randomUUID(),
    offerId: randomUUID(),
    challengeId: randomUUID(),
    apiKeyId: randomUUID(),
    orderId: randomUUID(),
    reservationId: 'RES_20990101000000_AAAAAAAA',
    hall: {
      eventId: randomUUID(),
      ticketTypeId: randomUUID(),
      free: randomUUID(),
      lockId: 'LCK_20990101000000_AAAAAAAA',
    },
    promoCodeId: randomUUID(),
    soldOut: { ticketTypeId: randomUUID(), entryId: randomUUID() },
  };
}

/** The client of whom an operation is made for. */
export function clientFor(tenant: TestTenant, name: string, nobody: Client): Client {
  const { as } = operation(name);
  return as === 'nobody' ? nobody : tenant[as];
}
