import { setTimeout as delay } from 'node:timers/promises';
import { loadConfig } from '../../src/config.ts';
import type { PaymentProvider } from '../../src/context.ts';
import { createTestProvider } from '../../src/domain/payments/test-provider.ts';
import { topology } from '../../src/messages.ts';
import { createRabbitBus } from '../../src/platform/bus-rabbit.ts';
import { createMemoryCache } from '../../src/platform/cache-memory.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { createDb } from '../../src/platform/db.ts';
import { noFailpoints } from '../../src/platform/failpoints.ts';
import { createLogger } from '../../src/platform/logger.ts';
import { createMetrics } from '../../src/platform/metrics.ts';
import { runBackground } from '../../src/workers/run-background.ts';

/** The background process as it is, with a mail server that takes a mail in a few milliseconds. Tells what it handled. */
const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());
process.once('disconnect', () => stop.abort());

const { AMQP_NAMESPACE: namespace = '' } = process.env;
const config = loadConfig(process.env, 'background');
const log = createLogger({ level: config.LOG_LEVEL, process: 'bench' });
const metrics = createMetrics();
const clock = systemClock;
const cache = createMemoryCache({ clock });
const open = (url: string | undefined, poolSize = config.DATABASE_POOL_SIZE) =>
  createDb({ url: url as string, poolSize, log, applicationName: 'bench' });
const [db, relay] = [open(config.DATABASE_URL), open(config.DATABASE_RELAY_URL)];
const [spare, pulse] = [open(config.DATABASE_URL, 2), open(config.DATABASE_URL, 1)];
const bus = await createRabbitBus({ url: config.AMQP_URL as string, namespace, topology, log });
const base = { config, log, metrics, cache, clock, db, failpoints: noFailpoints };
let mails = 0;
const sendMail = async (): Promise<void> => {
  await delay(3);
  mails++;
};
/** A provider over a network, whose books are its own. */
const payments: PaymentProvider = {
  ...createTestProvider(base),
  async refund({ refundId }) {
    await delay(30);
    return { status: 'succeeded', providerReference: refundId };
  },
};
const ctx = { ...base, relay, spare, pulse, bus, payments, sendMail };
const telling = setInterval(async () => {
  const { values } = await metrics.messagesHandled.get();
  const handled: Record<string, number> = {};
  for (const { value, labels } of values)
    handled[String(labels.outcome)] = (handled[String(labels.outcome)] ?? 0) + value;
  process.send?.({ handled, mails });
}, 100);
await runBackground(ctx, stop.signal);
clearInterval(telling);
await bus.close();
await Promise.all([db.close(), relay.close(), spare.close(), pulse.close()]);
process.exit(0);
