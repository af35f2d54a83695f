import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import type { Bus, BusMessage } from '../../src/platform/bus.ts';
import { createDb } from '../../src/platform/db.ts';
import type { TenantId } from '../../src/platform/ids.ts';
import { enqueue } from '../../src/platform/outbox.ts';
import { withTenant } from '../../src/platform/tenant-tx.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { createTestClock } from '../support/test-clock.ts';
import { openTestDatabase, type TestDatabase } from '../support/test-database.ts';
import {
  addTenant,
  collect,
  commit,
  expired,
  openLocal,
  outboxRows,
  startRelay,
} from './support/messaging.ts';
import { log } from './support/open-bus.ts';

let database: TestDatabase;
let tenantId: TenantId;
let stop: AbortController;
let bus: ReturnType<typeof openLocal>;

beforeEach(async () => {
  database = await openTestDatabase();
  tenantId = await addTenant(database);
  stop = new AbortController();
  bus = openLocal();
});
afterEach(async () => {
  stop.abort();
  await bus.close();
  await database.drop();
});

const ticketOf = ({ body }: BusMessage) => (body as { ticketId: string }).ticketId;

describe('the outbox', () => {
  it('gives out what committed, once, in the order of its commits, and keeps nothing', async () => {
    const received = await collect(bus, stop.signal);
    const sent = Array.from({ length: 20 }, () => randomUUID());
    for (const id of sent) await commit(database, tenantId, [expired(id)], 'request-7');
    const { rows } = await database.owner.query('select id, created_at from outbox order by id');
    const relay = startRelay(bus, database);
    await expect.poll(() => received.length).toBe(20);
    await expect.poll(() => outboxRows(database)).toEqual([]);
    await relay.stop();
    expect(received.map(ticketOf)).toEqual(sent);
    expect(received[0]).toEqual({
      id: `${rows[0].id}.0`,
      kind: 'ticket.expired',
      tenantId,
      occurredAt: rows[0].created_at.toISOString(),
      requestId: 'request-7',
      attempt: 0,
      body: expect.objectContaining({ ticketId: sent[0] }),
    });
    expect((await relay.metrics.outboxPublished.get()).values[0]?.value).toBe(20);
  });

  it('gives each message of one row an id of its own', async () => {
    const received = await collect(bus, stop.signal);
    await commit(database, tenantId, [expired(), expired(), expired()]);
    await commit(database, tenantId, []);
    const [row, ...more] = await outboxRows(database);
    expect(more).toEqual([]);
    const relay = startRelay(bus, database);
    await expect
      .poll(() => received.map(({ id }) => id))
      .toEqual([`${row?.id}.0`, `${row?.id}.1`, `${row?.id}.2`]);
    await relay.stop();
  });

  it('says nothing of what was rolled back', async () => {
    const received = await collect(bus, stop.signal);
    const relay = startRelay(bus, database);
    const failing = withTenant(database.app, tenantId, async (tx) => {
      await enqueue(tx, new Date(), [expired()]);
      throw new Error('rolled back');
    });
    await expect(failing).rejects.toThrow('rolled back');
    await commit(database, tenantId, [expired('a7a3d6c4-0000-4000-8000-000000000001')]);
    await expect.poll(() => received.map(ticketOf)).toEqual(['a7a3d6c4-0000-4000-8000-000000000001']);
    await relay.stop();
  });
});

describe('a row that the bus does not confirm', () => {
  it('stays with the reason, comes again later and later, and is given out in the end', async () => {
    const failing = counting(bus, 3);
    const received = await collect(bus, stop.signal);
    await commit(database, tenantId, [expired()]);
    const relay = startRelay(failing, database);
    await expect.poll(() => failing.published(), { interval: 2 }).toBe(1);
    await expect
      .poll(() => outboxRows(database), { interval: 2 })
      .toMatchObject([{ attempts: 1, last_error: 'refused by the test' }]);
    await expect.poll(() => received.length, { timeout: 5_000 }).toBe(1);
    await expect.poll(() => outboxRows(database)).toEqual([]);
    await relay.stop();
    expect(failing.published()).toBe(4);
    expect((await relay.metrics.outboxFailures.get()).values[0]?.value).toBe(3);
  });

  it('does not hold up the others, even when it never can be given out', async () => {
    const received = await collect(bus, stop.signal);
    await database.owner.query(
      `insert into outbox (tenant_id, id, messages) values ($1, $2, '[{"kind": "nobody.wants", "body": {}}]')`,
      [tenantId, randomUUID()],
    );
    for (let i = 0; i < 10; i++) await commit(database, tenantId, [expired()]);
    const relay = startRelay(bus, database);
    await expect.poll(() => received.length).toBe(10);
    await relay.stop();
    expect(await outboxRows(database)).toMatchObject([
      { last_error: expect.stringContaining('no queue takes') },
    ]);
  });

  it('waits without being asked while the bus is not ready', async () => {
    const received = await collect(bus, stop.signal);
    let ready = false;
    const relay = startRelay({ ...bus, ready: () => ready }, database);
    await commit(database, tenantId, [expired()]);
    await delay(60);
    expect(await outboxRows(database)).toMatchObject([{ attempts: 0 }]);
    ready = true;
    await expect.poll(() => received.length).toBe(1);
    await relay.stop();
  });
});

describe('a relay', () => {
  it('that dies between publishing and noting it leaves the row to the next one', async () => {
    const proxy = await startTcpProxy(inject('postgres'));
    const db = createDb({
      url: proxy.url(database.url('tessera_relay')),
      poolSize: 2,
      log,
      applicationName: 'test',
    });
    const received = await collect(bus, stop.signal);
    const [first, second] = [randomUUID(), randomUUID()];
    await commit(database, tenantId, [expired(first), expired(second)]);
    const dying = startRelay(
      {
        ...bus,
        async publish(messages) {
          await bus.publish(messages);
          proxy.refuse(true);
          proxy.cut();
        },
      },
      database,
      { db },
    );
    await expect.poll(() => received.map(ticketOf)).toEqual([first, second]);
    await dying.stop();
    await db.close();
    await proxy.close();
    expect(await outboxRows(database)).toHaveLength(1);

    // While the dead one's lease runs nobody touches the row; then it is published again under the same ids.
    const clock = createTestClock();
    const next = startRelay(bus, database, { clock });
    await delay(60);
    expect(received).toHaveLength(2);
    clock.advance(bus.confirmTimeoutMs + 5_500);
    await expect.poll(() => received.map(ticketOf)).toEqual([first, second, first, second]);
    await expect.poll(() => outboxRows(database)).toEqual([]);
    await next.stop();
    expect(new Set(received.map(({ id }) => id)).size).toBe(2);
  });

  it('shares the work with another, and no row is given out twice', async () => {
    const received = await collect(bus, stop.signal);
    const sent = Array.from({ length: 200 }, () => randomUUID());
    for (let i = 0; i < sent.length; i += 2)
      await commit(database, tenantId, [expired(sent[i])]).then(() =>
        commit(database, tenantId, [expired(sent[i + 1])]),
      );
    const [one, other] = [counting(bus), counting(bus)];
    const relays = [
      startRelay(one, database, { window: 8 }),
      startRelay(other, database, { window: 8, db: database.open('tessera_relay', 2) }),
    ];
    await expect.poll(() => outboxRows(database), { timeout: 10_000 }).toEqual([]);
    for (const relay of relays) await relay.stop();
    expect(received.map(ticketOf).toSorted()).toEqual(sent.toSorted());
    expect(one.published()).toBeGreaterThan(0);
    expect(other.published()).toBeGreaterThan(0);
  });

  it('moves the messages of every tenant, each under its own', async () => {
    const received = await collect(bus, stop.signal);
    const other = await addTenant(database);
    await commit(database, tenantId, [expired('a7a3d6c4-0000-4000-8000-000000000001')]);
    await commit(database, other, [expired('a7a3d6c4-0000-4000-8000-000000000002')]);
    const relay = startRelay(bus, database);
    await expect.poll(() => received.length).toBe(2);
    await relay.stop();
    expect(
      Object.fromEntries(received.map((message) => [message.tenantId, ticketOf(message).slice(-1)])),
    ).toEqual({
      [tenantId]: '1',
      [other]: '2',
    });
  });

  it('has no more rows under way than its window', async () => {
    let running = 0;
    let most = 0;
    const slow: Bus = {
      ...bus,
      async publish() {
        most = Math.max(most, ++running);
        await delay(10);
        running--;
      },
    };
    for (let i = 0; i < 30; i++) await commit(database, tenantId, [expired()]);
    const relay = startRelay(slow, database, { window: 5 });
    await expect.poll(() => outboxRows(database), { timeout: 5_000 }).toEqual([]);
    await relay.stop();
    expect(most).toBe(5);
  });

  it('goes on when the database was away', async () => {
    const proxy = await startTcpProxy(inject('postgres'));
    const db = createDb({
      url: proxy.url(database.url('tessera_relay')),
      poolSize: 2,
      log,
      applicationName: 'test',
    });
    const received = await collect(bus, stop.signal);
    const relay = startRelay(bus, database, { db });
    await commit(database, tenantId, [expired()]);
    await expect.poll(() => received.length).toBe(1);
    proxy.refuse(true);
    proxy.cut();
    await commit(database, tenantId, [expired()]);
    await delay(50);
    proxy.refuse(false);
    await expect.poll(() => received.length, { timeout: 5_000 }).toBe(2);
    await expect.poll(() => outboxRows(database), { timeout: 5_000 }).toEqual([]);
    await relay.stop();
    await db.close();
    await proxy.close();
  });

  it('stops at once with its consumers, and leaves what nobody took in the outbox', async () => {
    const hanging = openLocal(30_000);
    let handled = 0;
    for (const queue of ['analytics', 'notifications'] as const) {
      await hanging.subscribe(queue, { prefetch: 1, signal: stop.signal }, async () => {
        handled++;
        await delay(100);
        return 'done';
      });
    }
    for (let i = 0; i < 20; i++) await commit(database, tenantId, [expired()]);
    const relay = startRelay(hanging, database);
    await expect.poll(() => handled).toBeGreaterThan(1);
    const started = performance.now();
    stop.abort();
    await relay.stop();
    expect(performance.now() - started).toBeLessThan(1_000);
    const left = await outboxRows(database);
    expect(left.length).toBeGreaterThan(15);
    await hanging.close();
  });

  it('ends without an error when the database is away at its end', async () => {
    const proxy = await startTcpProxy(inject('postgres'));
    const db = createDb({
      url: proxy.url(database.url('tessera_relay')),
      poolSize: 2,
      log,
      applicationName: 'test',
    });
    await commit(database, tenantId, [expired()]);
    const published = counting(bus);
    await collect(bus, stop.signal);
    const relay = startRelay(
      {
        ...published,
        async publish(messages) {
          await published.publish(messages);
          proxy.refuse(true);
          proxy.cut();
          void relay.stop();
        },
      },
      database,
      { db },
    );
    await expect(relay.ended).resolves.toBeUndefined();
    expect(await outboxRows(database)).toHaveLength(1);
    await db.close();
    await proxy.close();
  });
});

/** A bus that refuses the first `refusals` publications, and counts. */
function counting(inner: Bus, refusals = 0): Bus & { published(): number } {
  let published = 0;
  return {
    ...inner,
    published: () => published,
    async publish(messages) {
      if (++published <= refusals) throw new Error('refused by the test');
      await inner.publish(messages);
    },
  };
}
