import { randomUUID } from 'node:crypto';
import type { Message } from '../../../src/messages.ts';
import { topology } from '../../../src/messages.ts';
import type { Bus, BusMessage } from '../../../src/platform/bus.ts';
import { createLocalBus } from '../../../src/platform/bus-local.ts';
import { systemClock } from '../../../src/platform/clock.ts';
import { type TenantId, toTenantId } from '../../../src/platform/ids.ts';
import { createMetrics } from '../../../src/platform/metrics.ts';
import { enqueue } from '../../../src/platform/outbox.ts';
import { type RelayOptions, relayOutbox } from '../../../src/platform/outbox-relay.ts';
import { relayRetries } from '../../../src/platform/retry-relay.ts';
import { withTenant } from '../../../src/platform/tenant-tx.ts';
import type { TestDatabase } from '../../support/test-database.ts';
import { log } from './open-bus.ts';

export function openLocal(confirmTimeoutMs = 2_000) {
  return createLocalBus({ topology, log, confirmTimeoutMs });
}

export async function addTenant(database: TestDatabase): Promise<TenantId> {
  const id = toTenantId(randomUUID());
  await database.owner.query("insert into tenants (tenant_id, name) values ($1, 'test')", [id]);
  return id;
}

/** A message that tells of ticket number `n`. */
export function expired(ticketId: string = randomUUID()): Message {
  return { kind: 'ticket.expired', body: { ticketId, eventId: randomUUID(), userId: 'alice' } };
}

/** Commits one row of the outbox with `messages`. */
export function commit(
  database: TestDatabase,
  tenantId: TenantId,
  messages: Message[],
  requestId?: string,
): Promise<void> {
  return withTenant(database.app, tenantId, (tx) => enqueue(tx, new Date(), messages, requestId));
}

export async function outboxRows(database: TestDatabase) {
  const { rows } = await database.owner.query('select * from outbox order by id');
  return rows as {
    id: string;
    tenant_id: TenantId;
    messages: { id?: string; kind: string }[];
    attempts: number;
    last_error: string | null;
    next_attempt_at: Date;
  }[];
}

/** What failed and waits, or is parked. */
export async function failedRows(database: TestDatabase) {
  const { rows } = await database.owner.query('select * from failed_messages order by message_id');
  return rows as {
    tenant_id: TenantId;
    consumer: string;
    message_id: string;
    attempts: number;
    outages: number;
    crashes: number;
    next_attempt_at: Date | null;
    parked_at: Date | null;
  }[];
}

/** Sends what failed again when it is due. */
export function startRetries(bus: Bus, database: TestDatabase): { stop(): Promise<void> } {
  const stopping = new AbortController();
  const { signal } = stopping;
  const ended = relayRetries({ db: database.relay, bus, clock: systemClock, log, signal, idleMs: 20 });
  return {
    stop() {
      stopping.abort();
      return ended;
    },
  };
}

export type Relay = { stop(): Promise<void>; ended: Promise<void> };

export function startRelay(
  bus: Bus,
  database: TestDatabase,
  options: Partial<RelayOptions> = {},
): Relay & { metrics: RelayOptions['metrics'] } {
  const stopping = new AbortController();
  const metrics = createMetrics();
  const ended = relayOutbox({
    db: database.relay,
    bus,
    clock: systemClock,
    log,
    metrics,
    signal: stopping.signal,
    idleMs: 10,
    ...options,
  });
  return {
    metrics,
    ended,
    stop() {
      stopping.abort();
      return ended;
    },
  };
}

/** Collects what the queues of `ticket.expired` get; ends with `signal`. */
export async function collect(
  bus: Bus,
  signal: AbortSignal,
  received: BusMessage[] = [],
): Promise<BusMessage[]> {
  await bus.subscribe('analytics', { prefetch: 64, signal }, async (message) => {
    received.push(message);
    return 'done';
  });
  await bus.subscribe('notifications', { prefetch: 64, signal }, async () => 'done');
  return received;
}
