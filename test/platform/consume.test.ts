import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import type { MessageKind, QueueName } from '../../src/messages.ts';
import type { BusMessage } from '../../src/platform/bus.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { type ConsumerOptions, consumeJobs, consumeOnce, type Received } from '../../src/platform/consume.ts';
import { createDb, type Db } from '../../src/platform/db.ts';
import { DomainError, RetryableError } from '../../src/platform/errors.ts';
import type { TenantId } from '../../src/platform/ids.ts';
import { createMetrics } from '../../src/platform/metrics.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { openTestDatabase, type TestDatabase } from '../support/test-database.ts';
import { addTenant, expired, openLocal, outboxRows, startRelay } from './support/messaging.ts';
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
  await database.owner.query('delete from outbox');
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
  (await database.owner.query('select * from parked_messages where tenant_id = $1', [tenantId])).rows;

/** Consumes with an effect that writes a row, and then does `after`. */
function consumeWithEffect(
  after: (received: Received<'ticket.expired'>) => Promise<void> = async () => undefined,
  queue: QueueName = 'analytics',
): Promise<void> {
  return consumeOnce(queue, options(), {
    'ticket.expired': async (tx, received) => {
      await tx
        .insertInto('audit_log')
        .values({
          tenant_id: tenantId,
          id: randomUUID(),
          actor: 'test',
          action: 'test',
          subject: received.id,
        })
        .execute();
      await after(received);
    },
  });
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
    await consumeOnce(
      'notifications',
      { ...options(), bus: elsewhere },
      {
        'ticket.expired': async (tx, received) => {
          await tx
            .insertInto('audit_log')
            .values({
              tenant_id: tenantId,
              id: randomUUID(),
              actor: 'test',
              action: 'test',
              subject: received.id,
            })
            .execute();
        },
      },
    );
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
    expect(bus.deadLetters('analytics').map(({ id }) => id)).toEqual([bad.id]);
    // Its place in the inbox is free: once the fault is mended the message can be sent again.
    const { rowCount } = await database.owner.query('select from inbox where message_id = $1', [bad.id]);
    expect(rowCount).toBe(0);
  });
});

describe('a message that is put off', () => {
  it('comes again under its id, and is parked after five tries', async () => {
    const [seen, unlucky] = [[] as number[], message({ requestId: 'request-7' })];
    await consumeJobs('analytics', options(), {
      'ticket.expired': async ({ id }) => {
        if (id !== unlucky.id) return;
        seen.push(performance.now());
        throw new RetryableError('not yet');
      },
    });
    let next = unlucky;
    for (let attempt = 0; attempt < 4; attempt++) {
      const before = Date.now();
      await bus.publish([next]);
      const [row, ...more] = await outboxRows(database);
      expect(more).toEqual([]);
      expect(row).toMatchObject({
        tenant_id: tenantId,
        messages: [{ id: unlucky.id, kind: 'ticket.expired', attempt: attempt + 1, requestId: 'request-7' }],
      });
      expect(row?.next_attempt_at.getTime()).toBeGreaterThanOrEqual(before + 500);
      expect(await parked()).toEqual([]);
      await database.owner.query('delete from outbox');
      next = { ...next, attempt: attempt + 1 };
    }
    await bus.publish([next]);
    expect(await outboxRows(database)).toEqual([]);
    expect(seen).toHaveLength(5);
    expect(await parked()).toMatchObject([{ message_id: unlucky.id, error: 'not yet', attempts: 5 }]);
    expect(bus.deadLetters('analytics')).toHaveLength(1);
  });

  it('travels through the outbox back to its consumer', async () => {
    let tries = 0;
    await consumeJobs('analytics', options(), {
      'ticket.expired': async () => {
        if (++tries === 1) throw new RetryableError('not yet');
      },
    });
    await bus.publish([message()]);
    const relay = startRelay(bus, database);
    await expect.poll(() => tries, { timeout: 5_000 }).toBe(2);
    await expect.poll(() => outboxRows(database)).toEqual([]);
    await relay.stop();
    expect(tries).toBe(2);
  });

  it('because a dependency is down is never parked, and has tries left afterwards', async () => {
    let down = true;
    await consumeJobs('analytics', options(), {
      'ticket.expired': async () => {
        if (down) throw new DomainError('unavailable', 'rpc_unavailable', 'Down.');
        throw new RetryableError('not yet');
      },
    });
    const given = message();
    const deliver = async (attempt: number): Promise<number | undefined> => {
      await bus.publish([{ ...given, attempt }]);
      const [row] = await outboxRows(database);
      await database.owner.query('delete from outbox');
      return row?.messages[0]?.attempt;
    };
    let attempt = 0;
    for (let i = 0; i < 12; i++) attempt = (await deliver(attempt)) ?? -1;
    expect(attempt).toBeGreaterThan(0);
    down = false;
    expect(await deliver(attempt)).toBe(attempt + 1);
    expect(await parked()).toEqual([]);
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
    const before = await database.owner.query('select count(*)::integer as n from parked_messages');
    const stray = message(change);
    await bus.publish([stray, message()]);
    expect(bus.deadLetters('analytics').map(({ id }) => id)).toEqual([stray.id]);
    expect((await database.owner.query('select count(*)::integer as n from parked_messages')).rows).toEqual(
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

  it('an effect waits for it, and then happens once', async () => {
    const proxy = await startTcpProxy(inject('postgres'));
    const db = createDb({
      url: proxy.url(database.url('tessera_app')),
      poolSize: 2,
      log,
      applicationName: 'test',
    });
    let runs = 0;
    await consumeOnce('analytics', options(db), {
      'ticket.expired': async (tx, { id }) => {
        await tx
          .insertInto('audit_log')
          .values({ tenant_id: tenantId, id: randomUUID(), actor: 'test', action: 'test', subject: id })
          .execute();
        if (++runs === 1) proxy.cut();
      },
    });
    await bus.publish([message()]);
    expect(await effects()).toBe(0);
    const relay = startRelay(bus, database);
    await expect.poll(effects, { timeout: 5_000 }).toBe(1);
    await relay.stop();
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
          subscribe(name, given, (delivered) =>
            handler({ ...delivered, kind: strange.kind, body: strange.body }),
          ),
      },
    },
    { [kind]: async () => undefined },
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
