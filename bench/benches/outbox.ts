import { randomUUID } from 'node:crypto';
import { systemClock } from '../../src/platform/clock.ts';
import { createDb } from '../../src/platform/db.ts';
import { createLogger } from '../../src/platform/logger.ts';
import { createMetrics } from '../../src/platform/metrics.ts';
import { relayOutbox } from '../../src/platform/outbox-relay.ts';
import { waitFor } from '../../src/platform/retry.ts';
import type { Bench } from '../support/bench.ts';
import { type Broker, openBroker } from '../support/broker.ts';
import { compare } from '../support/compare.ts';
import type { BenchDatabase } from '../support/postgres.ts';
import { openTenants } from '../support/sale.ts';

/** Outstanding confirmations of who publishes without an outbox. */
const WINDOW = 100;
/** What a second of a measurement prepares; each row carries what one sale tells. */
const ROWS_A_SECOND = 2_000;

export const outbox: Bench = {
  name: 'outbox',
  what: 'messages from the outbox to RabbitMQ ÷ the same messages published as they are, 100 unconfirmed at most',
  aim: 0.6,
  async run(server, effort, say) {
    const database = await server.openDatabase();
    const broker = await openBroker();
    const [tenantId] = (await openTenants(database, 1)) as [string];
    try {
      return await compare(
        effort,
        [database],
        (seconds) => relay(database, broker, tenantId, seconds * ROWS_A_SECOND),
        (seconds) => publish(broker, seconds * ROWS_A_SECOND),
        say,
      );
    } finally {
      await broker.close();
      await database.drop();
    }
  },
};

async function relay(
  database: BenchDatabase,
  broker: Broker,
  tenantId: string,
  rows: number,
): Promise<number> {
  for (let left = rows; left > 0; left -= 1_000) {
    const part = Array.from({ length: Math.min(left, 1_000) }, () => JSON.stringify(saleMessages()));
    await database.owner.query(
      'insert into outbox (tenant_id, id, messages) select $1, gen_random_uuid(), m::json from unnest($2::text[]) m',
      [tenantId, part],
    );
  }
  await database.owner.query('analyze outbox');
  const log = createLogger({ level: 'error', process: 'bench' });
  const db = createDb({ url: database.url('tessera_relay'), poolSize: 4, log, applicationName: 'bench' });
  const stop = new AbortController();
  const started = performance.now();
  const running = relayOutbox({
    db,
    bus: broker.bus,
    clock: systemClock,
    log,
    metrics: createMetrics(),
    signal: stop.signal,
  });
  const isEmpty = async () => (await database.owner.query('select from outbox limit 1')).rowCount === 0;
  const done = await waitFor(isEmpty, { timeoutMs: 120_000, everyMs: 20 });
  const took = performance.now() - started;
  stop.abort();
  await running;
  await db.close();
  if (!done) throw new Error('the outbox did not become empty');
  const { messageCount } = await broker.channel.checkQueue(`${broker.namespace}ticket.mint`);
  if (messageCount !== rows) throw new Error(`${messageCount} of ${rows} arrived`);
  await broker.purge();
  return (rows * PER_SALE * 1_000) / took;
}

async function publish({ channel, exchange, purge }: Broker, rows: number): Promise<number> {
  let failed: Error | undefined;
  const messages = Array.from({ length: rows }, () => saleMessages()).flat();
  const started = performance.now();
  let next = 0;
  await Promise.all(
    Array.from({ length: WINDOW }, async () => {
      for (let message = messages[next++]; message; message = messages[next++]) {
        const { kind } = message;
        const bytes = Buffer.from(JSON.stringify({ id: randomUUID(), ...message }));
        await new Promise<void>((resolve) =>
          channel.publish(exchange, kind, bytes, { persistent: true, mandatory: true }, (error) => {
            if (error) failed = error as Error;
            resolve();
          }),
        );
      }
    }),
  );
  const took = performance.now() - started;
  await purge();
  if (failed) throw failed;
  return (messages.length * 1_000) / took;
}

const PER_SALE = 4;

/** What a sale of one ticket tells. */
function saleMessages(): { kind: string; body: object }[] {
  const [orderId, eventId, ticketId] = [randomUUID(), randomUUID(), randomUUID()];
  const sale = { orderId, eventId, userId: 'buyer-1', transactionId: 'TXN_20261121000000_ABCDEFGH' };
  const currency = 'EUR';
  return [
    {
      kind: 'ticket.capacity.updates',
      body: {
        eventId,
        ticketTypeId: eventId,
        capacityChange: -1,
        transactionId: sale.transactionId,
        operation: 'sale',
        version: 7,
      },
    },
    { kind: 'ticket.purchased', body: { ...sale, ticketIds: [ticketId], amountMinor: 2_500, currency } },
    { kind: 'ticket.mint', body: { eventId, ticketIds: [ticketId] } },
    {
      kind: 'ticket.transactions',
      body: { ...sale, quantity: 1, amount: 2_500, currency, status: 'completed' },
    },
  ];
}
