import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import type { MessageKind, QueueName } from '../../src/messages.ts';
import type { BusMessage, Handler } from '../../src/platform/bus.ts';
import { systemClock } from '../../src/platform/clock.ts';
import {
  batched,
  type ConsumerOptions,
  consumeJobs,
  consumeOnce,
  type Received,
} from '../../src/platform/consume.ts';
import { createDb, type Db } from '../../src/platform/db.ts';
import { DomainError, RetryableError } from '../../src/platform/errors.ts';
import type { TenantId } from '../../src/platform/ids.ts';
import { createMetrics } from '../../src/platform/metrics.ts';
import { listParked, retryParked, reviveCrashed } from '../../src/platform/parked-messages.ts';
import type { TenantTx } from '../../src/platform/tenant-tx.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { createTestClock } from '../support/test-clock.ts';
import { openTestDatabase, type TestDatabase } from '../support/test-database.ts';
import { addTenant, expired, failedRows, openLocal, startRetries } from './support/messaging.ts';
import { log } from './support/open-bus.ts';

let database: TestDatabase;
let tenantId: TenantId;
let stop: AbortController;
let bus: ReturnType<typeof openLocal>;

beforeAll(async () => {
  database = await openTestDatabase();
});
afterAll(() => database.drop());
beforeEach(async () => {
  tenantId = await addTenant(database);
  stop = new AbortController();
  bus = openLocal(10_000);
  await bus.subscribe('notifications', { prefetch: 64, signal: stop.signal }, async () => 'done');
});
afterEach(async () => {
  stop.abort();
  await bus.close();
  await database.owner.query('delete from failed_messages');
});

const options = (db: Db = database.app): ConsumerOptions => ({
  db,
  bus,
  clock: systemClock,
  log,
  metrics: createMetrics(),
  signal: stop.signal,
});

function message(overrides: Partial<BusMessage> = {}): BusMessage {
  const { kind, body } = expired();
  return {
    id: randomUUID(),
    kind,
    tenantId,
    occurredAt: new Date().toISOString(),
    attempt: 0,
    body,
    ...overrides,
  };
}

/** Effects are rows of the statistics, so that they commit or vanish with the transaction. */
async function effects(): Promise<number> {
  const { rows } = await database.owner.query(
    "select count(*)::integer as n from audit_log where tenant_id = $1 and action = 'test'",
    [tenantId],
  );
  return rows[0].n;
}

const parked = async () =>
  (
    await database.owner.query(
      'select * from failed_messages where tenant_id = $1 and parked_at is not null',
      [tenantId],
    )
  ).rows;
const inbox = async (id: string) =>
  (await database.owner.query('select from inbox where message_id = $1', [id])).rowCount;

function writeRow(tx: TenantTx, { tenantId, id }: Received): Promise<unknown> {
  const row = { tenant_id: tenantId, id: randomUUID(), actor: 'test', action: 'test', subject: id };
  return tx.insertInto('audit_log').values(row).execute();
}

/** Consumes with an effect that writes a row for each message, and then does `after`. */
function consumeWithEffect(
  after: (received: Received<'ticket.expired'>) => Promise<void> = async () => undefined,
  queue: QueueName = 'analytics',
  changes: Partial<ConsumerOptions> = {},
): Promise<void> {
  return consumeOnce(
    queue,
    { ...options(), ...changes },
    ['ticket.expired'],
    async (tx, _tenant, messages) => {
      for (const received of messages) {
        await writeRow(tx, received);
        await after(received);
      }
    },
  );
}

describe('an effect', () => {
  it('happens once, however often and however much at once its message comes', async () => {
    await consumeWithEffect();
    const once = message();
    await Promise.all(Array.from({ length: 10 }, () => bus.publish([once])));
    await bus.publish([once, message()]);
    expect(await effects()).toBe(2);
  });

  it('happens once in each queue that has the message', async () => {
    const elsewhere = openLocal(10_000);
    await consumeWithEffect();
    await consumeWithEffect(undefined, 'notifications', { bus: elsewhere });
    await elsewhere.subscribe('analytics', { prefetch: 1, signal: stop.signal }, async () => 'done');
    const both = message();
    for (let i = 0; i < 2; i++) {
      await bus.publish([both]);
      await elsewhere.publish([both]);
    }
    expect(await effects()).toBe(2);
    await elsewhere.close();
  });

  it('gets the message as it was meant, and one that a queue only happens to have is passed over', async () => {
    const received: Received[] = [];
    await consumeWithEffect(async (one) => void received.push(one));
    const given = message();
    await bus.publish([given, message({ kind: 'ticket.minted', body: mintedBody() })]);
    expect(received).toEqual([
      { id: given.id, kind: given.kind, tenantId, occurredAt: new Date(given.occurredAt), body: given.body },
    ]);
    expect(await parked()).toEqual([]);
  });

  it('that fails leaves nothing behind but the parked message, and the others flow', async () => {
    const bad = message();
    await consumeWithEffect(async ({ id }) => {
      if (id === bad.id) throw new TypeError('cannot be done');
    });
    await bus.publish([bad, message(), message()]);
    expect(await effects()).toBe(2);
    expect(await parked()).toMatchObject([
      {
        consumer: 'analytics',
        message_id: bad.id,
        kind: 'ticket.expired',
        error: 'cannot be done',
        attempts: 1,
        body: bad.body,
      },
    ]);
    // It is where it can be seen and taken back, and nowhere else.
    expect(bus.deadLetters('analytics')).toEqual([]);
    expect(await inbox(bad.id)).toBe(0);
  });

  it('is one transaction for many messages, and their copies among them count once', async () => {
    const batches: number[] = [];
    let open = () => {};
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    await consumeOnce('analytics', options(), ['ticket.expired'], async (tx, _tenant, messages) => {
      batches.push(messages.length);
      await gate;
      for (const received of messages) await writeRow(tx, received);
    });
    const many = Array.from({ length: 300 }, () => message());
    const publishing = bus.publish([...many, ...many.slice(0, 50)]);
    await expect.poll(() => batches.length).toBe(1);
    open();
    await publishing;
    expect(await effects()).toBe(300);
    expect(batches.length).toBeLessThanOrEqual(4);
    expect(batches.reduce((sum, size) => sum + size, 0)).toBe(300);
  });

  it('that one of many cannot have is found by halves, and the others have it', async () => {
    const bad = message();
    let transactions = 0;
    await consumeOnce('analytics', options(), ['ticket.expired'], async (tx, _tenant, messages) => {
      transactions++;
      await delay(5);
      if (messages.some(({ id }) => id === bad.id)) throw new TypeError('cannot be done');
      for (const received of messages) await writeRow(tx, received);
    });
    const many = Array.from({ length: 200 }, () => message());
    await bus.publish([...many.slice(0, 77), bad, ...many.slice(77)]);
    expect(await effects()).toBe(200);
    expect(await parked()).toMatchObject([{ message_id: bad.id, error: 'cannot be done', attempts: 1 }]);
    expect(transactions).toBeLessThan(40);
  });

  it('belongs to one tenant, though the messages of several come mixed', async () => {
    const other = await addTenant(database);
    const seen = new Map<string, Set<string>>();
    await consumeOnce('analytics', options(), ['ticket.expired'], async (tx, tenant, messages) => {
      for (const received of messages) {
        seen.set(tenant, (seen.get(tenant) ?? new Set()).add(received.tenantId));
        await writeRow(tx, received);
      }
    });
    const mixed = Array.from({ length: 100 }, (_, i) => message(i % 2 ? { tenantId: other } : {}));
    await bus.publish(mixed);
    expect(seen).toEqual(
      new Map([
        [tenantId, new Set([tenantId])],
        [other, new Set([other])],
      ]),
    );
    expect(await effects()).toBe(50);
  });

  it('takes no more connections than its share, and what follows it comes after the commit', async () => {
    const db = database.open('tessera_app', 6);
    let most = 0;
    const followed: number[] = [];
    await consumeOnce(
      'analytics',
      { ...options(db), atOnce: 2 },
      ['ticket.expired'],
      async (tx, _tenant, messages) => {
        most = Math.max(most, db.pool.totalCount - db.pool.idleCount);
        for (const received of messages) await writeRow(tx, received);
        return messages.length;
      },
      async (tenant, messages, result) => {
        const { rows } = await database.owner.query(
          'select from audit_log where tenant_id = $1 and subject = any($2)',
          [tenant, messages.map(({ id }) => id)],
        );
        followed.push(rows.length === messages.length ? result : Number.NaN);
      },
    );
    const tenants = await Promise.all(Array.from({ length: 8 }, () => addTenant(database)));
    await bus.publish([message(), message()]);
    await bus.publish(
      Array.from({ length: 400 }, (_, i) => message({ tenantId: tenants[i % 8] as TenantId })),
    );
    expect(most).toBeLessThanOrEqual(2);
    expect(followed.reduce((sum, size) => sum + size, 0)).toBe(402);
  });
});

describe('a job', () => {
  it('that ended is not run again, however often and however late its message comes', async () => {
    let runs = 0;
    await consumeJobs('analytics', options(), { 'ticket.expired': async () => void runs++ });
    const once = message();
    await bus.publish([once]);
    await bus.publish([once, message()]);
    stop.abort();
    stop = new AbortController();
    const next = openLocal(10_000);
    await next.subscribe('notifications', { prefetch: 8, signal: stop.signal }, async () => 'done');
    await consumeJobs(
      'analytics',
      { ...options(), bus: next },
      { 'ticket.expired': async () => void runs++ },
    );
    await next.publish([once]);
    expect(runs).toBe(2);
    await next.close();
  });

  it('runs in each queue that has its message, and beside no more than it may', async () => {
    let running = 0;
    let most = 0;
    const seen: string[] = [];
    const job = (queue: string) => async () => {
      most = Math.max(most, ++running);
      await delay(2);
      running--;
      seen.push(queue);
    };
    stop.abort();
    stop = new AbortController();
    const two = openLocal(10_000);
    for (const queue of ['analytics', 'notifications'] as const)
      await consumeJobs(queue, { ...options(), bus: two, atOnce: 2 }, { 'ticket.expired': job(queue) });
    await two.publish(Array.from({ length: 20 }, () => message()));
    expect(seen.filter((queue) => queue === 'analytics')).toHaveLength(20);
    expect(seen).toHaveLength(40);
    expect(most).toBeLessThanOrEqual(4);
    await two.close();
  });

  it('that is an effect takes part in a batch, and happens once', async () => {
    const given = options();
    await consumeJobs('analytics', given, {
      'ticket.expired': batched('analytics', given, async (tx, _tenant, messages) => {
        for (const received of messages) await writeRow(tx, received);
      }),
    });
    const many = Array.from({ length: 20 }, () => message());
    await bus.publish(many);
    await bus.publish(many);
    expect(await effects()).toBe(20);
  });
});

describe('a message that is put off', () => {
  it('is kept with its attempts, and is parked after five tries', async () => {
    const [seen, unlucky] = [[] as number[], message({ requestId: 'request-7' })];
    await consumeJobs('analytics', options(), {
      'ticket.expired': async ({ id }) => {
        if (id !== unlucky.id) return;
        seen.push(performance.now());
        throw new RetryableError('not yet');
      },
    });
    for (let attempt = 0; attempt < 4; attempt++) {
      const before = Date.now();
      await bus.publish([{ ...unlucky, queue: 'analytics', attempt }]);
      const [row, ...more] = await failedRows(database);
      expect(more).toEqual([]);
      expect(row).toMatchObject({
        tenant_id: tenantId,
        consumer: 'analytics',
        message_id: unlucky.id,
        kind: 'ticket.expired',
        attempts: attempt + 1,
        request_id: 'request-7',
        cause: 'failure',
        error: 'not yet',
      });
      expect(row?.next_attempt_at?.getTime()).toBeGreaterThanOrEqual(before + 500);
      expect(await parked()).toEqual([]);
    }
    await bus.publish([{ ...unlucky, queue: 'analytics', attempt: 4 }]);
    expect(seen).toHaveLength(5);
    expect(await failedRows(database)).toHaveLength(1);
    expect(await parked()).toMatchObject([{ message_id: unlucky.id, error: 'not yet', attempts: 5 }]);
  });

  it('comes again to its own queue and to no other, as it was, and is forgotten when it is done', async () => {
    stop.abort();
    stop = new AbortController();
    const two = openLocal(10_000);
    const seen = { analytics: [] as Received[], notifications: 0 };
    await consumeJobs(
      'analytics',
      { ...options(), bus: two },
      {
        'ticket.expired': async (received) => {
          seen.analytics.push(received);
          if (seen.analytics.length < 3) throw new RetryableError('not yet');
        },
      },
    );
    await two.subscribe('notifications', { prefetch: 8, signal: stop.signal }, async () => {
      seen.notifications++;
      return 'done';
    });
    await two.publish([message()]);
    const retries = startRetries(two, database);
    await expect.poll(() => seen.analytics.length, { timeout: 8_000 }).toBe(3);
    await expect.poll(() => failedRows(database)).toEqual([]);
    await retries.stop();
    expect(seen.notifications).toBe(1);
    expect(new Set(seen.analytics.map((received) => JSON.stringify(received))).size).toBe(1);
    await two.close();
  });

  it('in many copies is one: they fail together, and one of them comes again', async () => {
    let tries = 0;
    await consumeJobs('analytics', options(), {
      'ticket.expired': async () => {
        if (++tries <= 12) throw new RetryableError('not yet');
      },
    });
    const copied = message();
    await Promise.all(Array.from({ length: 12 }, () => bus.publish([copied])));
    expect(await failedRows(database)).toMatchObject([{ message_id: copied.id, attempts: 1 }]);
    const retries = startRetries(bus, database);
    await expect.poll(() => failedRows(database), { timeout: 5_000 }).toEqual([]);
    await delay(300);
    await retries.stop();
    expect(tries).toBe(13);
  });

  it('because a dependency is down is never parked, waits longer each time, and has tries left afterwards', async () => {
    let down = true;
    await consumeJobs('analytics', options(), {
      'ticket.expired': async () => {
        if (down) throw new DomainError('unavailable', 'rpc_unavailable', 'Down.');
        throw new RetryableError('not yet');
      },
    });
    const given = message();
    const deliver = async () => {
      const before = Date.now();
      await bus.publish([{ ...given, queue: 'analytics' }]);
      const [row] = await failedRows(database);
      return { ...row, pause: (row?.next_attempt_at?.getTime() ?? 0) - before };
    };
    const pauses: number[] = [];
    for (let i = 0; i < 12; i++) pauses.push((await deliver()).pause);
    expect(pauses[0]).toBeLessThan(2_000);
    for (const pause of pauses.slice(5)) {
      expect(pause).toBeGreaterThan(16_000);
      expect(pause).toBeLessThan(60_000);
    }
    down = false;
    expect(await deliver()).toMatchObject({ attempts: 1, outages: 12, cause: 'failure' });
    expect(await parked()).toEqual([]);
  });

  it('is recorded though all connections of the pool are in use', async () => {
    const [db, spare] = [database.open('tessera_app', 1), database.open('tessera_app', 1)];
    const held: { release(): void }[] = [];
    await consumeJobs(
      'analytics',
      { ...options(db), spare },
      {
        'ticket.expired': async () => {
          held.push(await db.pool.connect());
          throw new RetryableError('not yet');
        },
      },
    );
    await bus.publish([message()]);
    expect(db.pool.idleCount).toBe(0);
    expect(await failedRows(database)).toMatchObject([{ attempts: 1, error: 'not yet' }]);
    for (const client of held) client.release();
  });
});

describe('a message that was handed out again and again without an answer', () => {
  const DELIVERIES = 8;

  /** Hands messages to the consumer as if they had been delivered so often before. */
  const suspicious = () => ({
    ...bus,
    subscribe: (name: string, given: { prefetch: number; signal: AbortSignal }, handler: Handler) =>
      bus.subscribe(name, given, (delivered) => handler(delivered, { deliveries: DELIVERIES })),
  });

  it('is handled alone, and nothing is left of the suspicion', async () => {
    const sizes: number[] = [];
    const accused: number[] = [];
    await consumeOnce(
      'analytics',
      { ...options(), bus: suspicious() },
      ['ticket.expired'],
      async (tx, _t, messages) => {
        sizes.push(messages.length);
        accused.push((await failedRows(database)).filter(({ crashes }) => crashes > 0).length);
        for (const received of messages) await writeRow(tx, received);
      },
    );
    await bus.publish(Array.from({ length: 6 }, () => message()));
    expect(sizes).toEqual([1, 1, 1, 1, 1, 1]);
    expect(accused).toEqual([1, 1, 1, 1, 1, 1]);
    expect(await effects()).toBe(6);
    expect(await failedRows(database)).toEqual([]);
    expect(await parked()).toEqual([]);
  });

  it('is parked when three processes died of it alone, is taken back later, and in the end stays', async () => {
    const killer = message();
    const clock = createTestClock();
    const dying = new AbortController();
    const crash = async () => {
      // A process that dies: the handler never answers, and another gets the message.
      const other = openLocal(100);
      await other.subscribe('notifications', { prefetch: 8, signal: dying.signal }, async () => 'done');
      await consumeJobs(
        'analytics',
        {
          ...options(),
          clock,
          signal: dying.signal,
          bus: {
            ...other,
            subscribe: (name, given, handler) =>
              other.subscribe(name, given, (delivered) => handler(delivered, { deliveries: DELIVERIES })),
          },
        },
        { 'ticket.expired': () => new Promise(() => undefined) },
      );
      const known = (await failedRows(database))[0]?.crashes ?? 0;
      await other.publish([killer]).catch(() => undefined);
      await expect.poll(async () => (await failedRows(database))[0]?.crashes).toBeGreaterThan(known);
    };
    const sweep = () => reviveCrashed({ db: database.app, clock, log }, database.relay);
    for (let revival = 0; revival < 4; revival++) {
      for (let death = 1; death <= 3; death++) {
        await crash();
        expect(await parked()).toEqual([]);
        expect((await failedRows(database))[0]).toMatchObject({ crashes: death, cause: 'crash' });
      }
      await crash();
      await expect
        .poll(parked)
        .toMatchObject([
          { message_id: killer.id, cause: 'crash', error: expect.stringContaining('died 3 times') },
        ]);
      clock.advance(30_000);
      expect(await sweep()).toBe(0);
      clock.advance(60_000 * 4 ** revival);
      expect(await sweep()).toBe(revival < 3 ? 1 : 0);
    }
    dying.abort();
    expect(await listParked(database.app, tenantId)).toMatchObject([
      { consumer: 'analytics', messageId: killer.id, kind: 'ticket.expired', cause: 'crash' },
    ]);
  });
});

describe('a parked message', () => {
  it('is taken back by a command, with all its tries, and only its tenant can', async () => {
    let mended = false;
    await consumeWithEffect(async () => {
      if (!mended) throw new TypeError('cannot be done');
    });
    const other = await addTenant(database);
    const [one, two] = [message(), message()];
    await bus.publish([one]);
    await bus.publish([two]);
    expect(await parked()).toHaveLength(2);
    expect(await listParked(database.app, other)).toEqual([]);
    expect(await retryParked(database.app, other, new Date(), {})).toBe(0);
    mended = true;
    const retries = startRetries(bus, database);
    await delay(50);
    expect(await effects()).toBe(0);
    expect(await retryParked(database.app, tenantId, new Date(), { messageId: one.id })).toBe(1);
    await expect.poll(effects).toBe(1);
    expect(await retryParked(database.app, tenantId, new Date(), { consumer: 'payments' })).toBe(0);
    expect(await retryParked(database.app, tenantId, new Date(), {})).toBe(1);
    await expect.poll(effects).toBe(2);
    await expect.poll(() => failedRows(database)).toEqual([]);
    await retries.stop();
  });
});

describe('a message that nobody can understand', () => {
  it.each<[string, () => Partial<BusMessage>]>([
    ['of a kind that we do not know', () => ({ kind: 'ticket.unheard' })],
    ['without its body', () => ({ body: undefined })],
    ['with a body of another form', () => ({ body: { ticketId: 7 } })],
    ['with more in its body than it may have', () => ({ body: { ...(message().body as object), more: 1 } })],
  ])('%s is parked', async (_what, change) => {
    await consumeWithEffect();
    const strange = message(change());
    // The bus itself knows the kinds: this one comes to the queue as if another version of ours had sent it.
    await deliverTo('analytics', strange);
    expect(await effects()).toBe(0);
    expect(await parked()).toMatchObject([{ message_id: strange.id, attempts: 1 }]);
  });

  it.each<[string, Partial<BusMessage>]>([
    ['of a tenant that does not exist', { tenantId: randomUUID() }],
    ['of no tenant', { tenantId: 'everybody' }],
  ])('%s is a dead letter and no row', async (_what, change) => {
    await consumeWithEffect();
    const before = await database.owner.query('select count(*)::integer as n from failed_messages');
    const stray = message(change);
    await bus.publish([stray, message()]);
    expect(bus.deadLetters('analytics').map(({ id }) => id)).toEqual([stray.id]);
    expect((await database.owner.query('select count(*)::integer as n from failed_messages')).rows).toEqual(
      before.rows,
    );
    expect(await effects()).toBe(1);
  });
});

describe('when the database is away', () => {
  it('a message is held, and its failure recorded when the database is back', async () => {
    const proxy = await startTcpProxy(inject('postgres'));
    const db = createDb({
      url: proxy.url(database.url('tessera_app')),
      poolSize: 2,
      log,
      applicationName: 'test',
    });
    let tries = 0;
    await consumeJobs('analytics', options(db), {
      'ticket.expired': async () => {
        tries++;
        proxy.refuse(true);
        proxy.cut();
        throw new TypeError('cannot be done');
      },
    });
    const bad = message();
    let settled = false;
    const publishing = bus.publish([bad]).finally(() => {
      settled = true;
    });
    await delay(150);
    expect(settled).toBe(false);
    expect(await parked()).toEqual([]);
    proxy.refuse(false);
    await publishing;
    expect(await parked()).toMatchObject([{ message_id: bad.id, error: 'cannot be done' }]);
    expect(tries).toBe(1);
    await db.close();
    await proxy.close();
  });

  it('an effect waits for it in hand, and then happens once', async () => {
    const proxy = await startTcpProxy(inject('postgres'));
    const db = createDb({
      url: proxy.url(database.url('tessera_app')),
      poolSize: 2,
      log,
      applicationName: 'test',
    });
    let runs = 0;
    await consumeOnce('analytics', options(db), ['ticket.expired'], async (tx, _tenant, messages) => {
      for (const received of messages) await writeRow(tx, received);
      if (++runs === 1) proxy.cut();
    });
    await bus.publish([message()]);
    expect(await effects()).toBe(1);
    expect(await failedRows(database)).toEqual([]);
    await db.close();
    await proxy.close();
  });

  it('for long, an effect is put off, and happens once when it is back', async () => {
    const proxy = await startTcpProxy(inject('postgres'));
    const db = createDb({
      url: proxy.url(database.url('tessera_app')),
      poolSize: 2,
      log,
      applicationName: 'test',
    });
    await consumeWithEffect(undefined, 'analytics', { db, spare: database.app });
    proxy.refuse(true);
    const many = Array.from({ length: 40 }, () => message());
    await bus.publish(many);
    expect(await effects()).toBe(0);
    expect(await failedRows(database)).toHaveLength(40);
    proxy.refuse(false);
    const retries = startRetries(bus, database);
    await expect.poll(effects, { timeout: 10_000 }).toBe(40);
    await expect.poll(() => failedRows(database)).toEqual([]);
    await retries.stop();
    await db.close();
    await proxy.close();
  });
});

/** Hands a message to the consumers of `queue`, whatever its kind. */
async function deliverTo(queue: QueueName, strange: BusMessage): Promise<void> {
  const kind: MessageKind = 'ticket.expired';
  const { subscribe } = bus;
  await stopConsumers();
  await consumeOnce(
    queue,
    {
      ...options(),
      bus: {
        ...bus,
        subscribe: (name, given, handler) =>
          subscribe(name, given, (delivered, delivery) =>
            handler({ ...delivered, kind: strange.kind, body: strange.body }, delivery),
          ),
      },
    },
    [kind],
    async () => undefined,
  );
  await bus.publish([{ ...strange, kind, body: message().body }]);
}

/** Ends what consumes now, so that the next consumer is the only one. */
async function stopConsumers(): Promise<void> {
  stop.abort();
  stop = new AbortController();
  await bus.subscribe('notifications', { prefetch: 64, signal: stop.signal }, async () => 'done');
}

function mintedBody() {
  const wallet = '1'.repeat(40);
  return { ...(expired().body as object), mint: wallet, owner: wallet, signature: 's' };
}
