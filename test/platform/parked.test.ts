import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import type { BusMessage } from '../../src/platform/bus.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { createFailureBook } from '../../src/platform/failed-messages.ts';
import type { TenantId } from '../../src/platform/ids.ts';
import { listParked, listStrays, reviveCrashed } from '../../src/platform/parked-messages.ts';
import { prune } from '../../src/platform/prune.ts';
import { takeDeadLetters } from '../../src/platform/take-dead.ts';
import { runChild } from '../support/run-child.ts';
import { createTestClock } from '../support/test-clock.ts';
import { openTestDatabase, type TestDatabase } from '../support/test-database.ts';
import { addTenant, expired, failedRows } from './support/messaging.ts';
import { log, type OpenBus, openLocalBus, openRabbitBus } from './support/open-bus.ts';

const topology = { analytics: ['ticket.expired'], payments: ['payment.refund'] } as const;
const withoutBroker = inject('amqp') === null;

let database: TestDatabase;
let tenantId: TenantId;
let stop: AbortController;

beforeAll(async () => {
  database = await openTestDatabase();
});
afterAll(() => database.drop());
beforeEach(async () => {
  tenantId = await addTenant(database);
  stop = new AbortController();
});
afterEach(async () => {
  stop.abort();
  await database.owner.query('delete from failed_messages');
  await database.owner.query('delete from stray_messages');
  await database.owner.query('delete from mails');
});

function message(overrides: Partial<BusMessage> = {}): BusMessage {
  const { kind, body } = expired();
  const occurredAt = new Date().toISOString();
  return { id: randomUUID(), kind, tenantId, occurredAt, attempt: 0, body, ...overrides };
}

const clock = createTestClock();
const book = () => createFailureBook({ db: database.app, clock });
const take = ({ bus }: OpenBus) =>
  takeDeadLetters({
    bus,
    topology,
    failures: book(),
    relay: database.relay,
    clock,
    log,
    signal: stop.signal,
  });

describe.each([
  ['inside the process', openLocalBus, false],
  ['over RabbitMQ', openRabbitBus, withoutBroker],
] as const)('a dead letter of the bus %s', (_where, open, left) => {
  it.skipIf(left)('is shown among what its tenant has parked, or among the strays', async () => {
    const opened = await open(topology);
    await opened.bus.subscribe('analytics', { prefetch: 8, signal: stop.signal }, async () => 'dead');
    const [ours, foreign, nobodys] = [
      message(),
      message({ tenantId: randomUUID() }),
      message({ tenantId: 'everybody', id: 'odd \u0000 id' }),
    ];
    await opened.bus.publish([ours, foreign, nobodys]);
    await take(opened);
    await expect
      .poll(() => listParked(database.app, tenantId))
      .toMatchObject([
        { consumer: 'analytics', messageId: ours.id, cause: 'failure', kind: 'ticket.expired' },
      ]);
    await expect
      .poll(async () => (await listStrays(database.relay)).map(({ messageId }) => messageId).toSorted())
      .toEqual([foreign.id, 'odd � id'].toSorted());
    await expect.poll(() => opened.deadLetters('analytics')).toEqual([]);
    await opened.close();
  });
});

describe('what crashes have parked', () => {
  it('is taken back once its time has come, also by several sweepers at once, and nothing else is', async () => {
    const [crashed, failed] = [message(), message()];
    const failure = { consumer: 'analytics', error: 'gone', pause: undefined } as const;
    await book().record({ ...failure, message: crashed, cause: 'crash' });
    await book().record({ ...failure, message: failed, cause: 'failure' });
    const sweep = () => reviveCrashed({ db: database.app, clock, log }, database.relay);
    expect(await sweep()).toBe(0);
    clock.advance(61_000);
    const revived = await Promise.all([sweep(), sweep(), sweep()]);
    expect(revived.reduce((sum, count) => sum + count, 0)).toBe(1);
    const rows = await failedRows(database);
    expect(rows.find((row) => row.message_id === crashed.id)).toMatchObject({ parked_at: null });
    expect(rows.find((row) => row.message_id === failed.id)).toMatchObject({ next_attempt_at: null });
  });
});

describe('the command', () => {
  const run = async (...args: string[]) => {
    const child = runChild(
      'src/main/show-parked.ts',
      { DATABASE_URL: database.url('tessera_app'), DATABASE_RELAY_URL: database.url('tessera_relay') },
      args,
    );
    return { code: await child.ended, output: child.output() };
  };
  const insertMail = () =>
    database.owner.query(
      `insert into mails (tenant_id, id, fact, recipient, subject, content, status, error, created_at, settled_at)
       values ($1, gen_random_uuid(), 'order:1:purchased', 'secret@example.com', 'S', 'T', 'uncertain', 'the connection broke', now(), now())`,
      [tenantId],
    );

  it('shows what was given up on and why, without what is in it, and takes it back', async () => {
    expect(await run()).toMatchObject({
      code: 0,
      output: expect.stringContaining('Nothing was given up on'),
    });
    const bad = message({ body: { secret: 'canary' } });
    await createFailureBook({ db: database.app, clock: systemClock }).record({
      consumer: 'analytics',
      message: bad,
      cause: 'failure',
      error: 'cannot be done',
      pause: undefined,
    });
    await insertMail();
    const shown = await run();
    expect(shown.code).toBe(0);
    for (const part of [
      bad.id,
      'analytics',
      'cannot be done',
      'then retry',
      'order:1:purchased',
      'uncertain',
    ])
      expect(shown.output).toContain(part);
    for (const secret of ['canary', 'secret@example.com']) expect(shown.output).not.toContain(secret);

    expect((await run('retry', randomUUID())).output).toContain('0 messages are tried again');
    expect((await run('retry', '--queue', 'payments')).output).toContain('0 messages are tried again');
    expect((await run('retry', bad.id)).output).toContain('1 messages are tried again');
    expect(await failedRows(database)).toMatchObject([{ message_id: bad.id, parked_at: null, attempts: 0 }]);
    expect((await run('resend')).output).toContain('1 mails are sent again');
    expect((await run()).output).toContain('Nothing was given up on');
  });

  it('says how it is used when it is not understood', async () => {
    for (const args of [['retyr'], ['--all']]) {
      const { code, output } = await run(...args);
      expect(code).not.toBe(0);
      expect(output).toMatch(/npm run parked|--all/);
    }
  });
});

describe('pruning', () => {
  it('takes all that is old, more than one batch, and keeps what somebody must decide on', async () => {
    await database.owner.query(
      `insert into inbox (tenant_id, consumer, message_id, processed_at)
       select $1, 'analytics', n::text, now() - interval '8 days' from generate_series(1, 12000) n`,
      [tenantId],
    );
    await database.owner.query(
      `insert into inbox (tenant_id, consumer, message_id, processed_at) values ($1, 'analytics', 'new', now())`,
      [tenantId],
    );
    for (const status of ['sent', 'refused', 'uncertain'])
      await database.owner.query(
        `insert into mails (tenant_id, id, fact, recipient, subject, content, status, created_at, settled_at)
         values ($1, gen_random_uuid(), $2, 'a@example.com', 'S', 'T', $2, now(), now() - interval '31 days')`,
        [tenantId, status],
      );
    await prune(database.relay, new Date());
    const { rows } = await database.owner.query('select message_id from inbox where tenant_id = $1', [
      tenantId,
    ]);
    expect(rows).toEqual([{ message_id: 'new' }]);
    expect((await database.owner.query('select status from mails')).rows).toEqual([{ status: 'uncertain' }]);
  });
});
