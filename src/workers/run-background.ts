import type { AppContext } from '../context.ts';
import { expireHolds } from '../domain/inventory/expire-holds.ts';
import { refreshAvailability } from '../domain/inventory/read-availability.ts';
import { type Verification, verifyCounters } from '../domain/inventory/verify-counter.ts';
import { notifiedKinds } from '../domain/notifications/notified.ts';
import { createMailSender, sweepMails } from '../domain/notifications/send-mails.ts';
import { writeMails } from '../domain/notifications/write-mails.ts';
import { recordPurchases } from '../domain/orders/record-purchases.ts';
import { createSaleLanes } from '../domain/orders/sale-lanes.ts';
import { createSettleOrder } from '../domain/orders/settle-order.ts';
import { reconcilePayments } from '../domain/payments/reconcile-payments.ts';
import { refundRevoked } from '../domain/payments/refund-revoked.ts';
import { sendDueRefunds, sendRefunds } from '../domain/payments/send-refund.ts';
import { countMessages } from '../domain/reports/count-messages.ts';
import { expireTickets } from '../domain/tickets/expire-tickets.ts';
import { offerPlaces } from '../domain/waiting/offer-places.ts';
import { awaitedTypes } from '../domain/waiting/queries.ts';
import { resumeLists } from '../domain/waiting/resume-lists.ts';
import { sweepOffers } from '../domain/waiting/sweep-offers.ts';
import { topology } from '../messages.ts';
import {
  batched,
  type ConsumerOptions,
  consumeJobs,
  consumeOnce,
  type Received,
} from '../platform/consume.ts';
import type { Db } from '../platform/db.ts';
import { createFailureBook } from '../platform/failed-messages.ts';
import { beat } from '../platform/heartbeat.ts';
import type { TenantId } from '../platform/ids.ts';
import { createLanes } from '../platform/lane.ts';
import type { SendMail } from '../platform/mail.ts';
import { relayOutbox } from '../platform/outbox-relay.ts';
import { reviveCrashed } from '../platform/parked-messages.ts';
import { periodic } from '../platform/periodic.ts';
import { prune } from '../platform/prune.ts';
import { takeDeadLetters } from '../platform/take-dead.ts';
import type { TenantTx } from '../platform/tenant-tx.ts';
import { visitEach } from '../platform/visit-each.ts';
export type BackgroundContext = Omit<AppContext, 'chain'> & {
  relay: Db;
  /** A few connections for the record of what failed, so that it waits for nobody's. */
  spare: Db;
  /** One connection for the sign of life. */
  pulse: Db;
  sendMail: SendMail;
};

/** Moves the outbox, keeps the books behind the sale, and brings home what was left open, until `signal`. */
export async function runBackground(ctx: BackgroundContext, signal: AbortSignal): Promise<void> {
  const { relay, spare, pulse, clock, log } = ctx;
  const settleOrder = createSettleOrder(ctx, createSaleLanes(ctx));
  const share = sharesOf(ctx.db);
  const options = (atOnce: number): ConsumerOptions => ({ ...ctx, signal, atOnce });
  const mails = createMailSender(ctx, { atOnce: share.mails });

  await consumeOnce(
    'ticket.transactions',
    options(share.records),
    ['ticket.transactions'],
    (tx, tenantId, messages) =>
      recordPurchases(
        tx,
        tenantId,
        clock.now(),
        messages.map(({ body }) => body),
      ),
  );
  await consumeOnce(
    'ticket.capacity.updates',
    options(share.capacity),
    ['ticket.capacity.updates'],
    (tx, tenantId, messages) => proveCapacity(tx, tenantId, clock.now(), messages),
    (tenantId, messages, proof) => followCapacity(ctx, tenantId, messages, proof),
  );
  await consumeOnce('analytics', options(share.analytics), countedKinds, countMessages);
  const refunds = createLanes<string, Error | undefined>({
    maxBatch: 64,
    atOnce: share.refunds,
    flush: (tenantId, refundIds) => sendRefunds(ctx, tenantId as TenantId, refundIds),
  });
  await consumeJobs(
    'payments',
    { ...ctx, signal, prefetch: 256 },
    {
      'payment.refund': async ({ tenantId, body }) => {
        const error = await refunds.submit(tenantId, body.refundId);
        if (error) throw error;
      },
      'ticket.revoked': batched('payments', options(share.revoked), (tx, tenantId, messages) =>
        refundRevoked(
          ctx,
          tx,
          tenantId,
          messages.map(({ body }) => body),
        ),
      ),
    },
  );
  await consumeOnce(
    'notifications',
    options(share.notifications),
    notifiedKinds,
    (tx, tenantId, messages) => writeMails(tx, tenantId, clock.now(), messages),
    async (tenantId) => mails.kick(tenantId),
  );
  const failures = createFailureBook({ db: spare, clock });
  await takeDeadLetters({ ...ctx, topology, failures, signal });

  await Promise.all([
    relayOutbox({ ...ctx, db: relay, signal }),
    beat('outbox-relay', { ...ctx, db: pulse, signal }),
    beat('background', { ...ctx, db: pulse, signal }),
    periodic('mails', { everyMs: 2_000, log, signal }, () => sweepMails(ctx, relay, mails)),
    periodic('parked', { everyMs: 15_000, log, signal }, async () => {
      await reviveCrashed({ ...ctx, db: spare }, relay);
    }),
    periodic('payments', { everyMs: 2_000, log, signal }, async () => {
      await reconcilePayments(ctx, relay, settleOrder);
    }),
    periodic('refunds', { everyMs: 5_000, log, signal }, async () => {
      await sendDueRefunds(ctx, relay);
    }),
    periodic('holds', { everyMs: 5_000, log, signal }, async () => {
      await expireHolds(ctx, relay);
    }),
    periodic('offers', { everyMs: 5_000, log, signal }, async () => {
      await sweepOffers(ctx, relay);
    }),
    periodic('lists', { everyMs: 30_000, log, signal }, async () => {
      await resumeLists(ctx, relay);
    }),
    periodic('expiry', { everyMs: 30_000, log, signal }, async () => {
      await expireTickets(ctx, relay);
    }),
    periodic('pruning', { everyMs: 60_000, log, signal }, () => prune(relay, clock.now())),
  ]);
  await mails.stop();
}

const countedKinds = [
  'ticket.purchased',
  'ticket.minted',
  'ticket.transferred',
  'ticket.checked_in',
  'ticket.revoked',
  'ticket.expired',
] as const;

/**
 * How many connections each kind of work may hold at once: its own share, so that a refund never waits behind analytics,
 * and no backlog of messages can use up a pool of ten. What is left is for the periodic tasks.
 */
function sharesOf(db: Db) {
  const size = db.pool.options.max;
  const part = (tenths: number): number => Math.max(1, Math.floor((size * tenths) / 10));
  return {
    refunds: part(1),
    revoked: part(1),
    records: part(1),
    capacity: part(1),
    analytics: part(1),
    notifications: part(2),
    mails: part(1),
  };
}

type Proof = { outcomes: Map<string, Verification>; awaited: string[] };

async function proveCapacity(
  tx: TenantTx,
  tenantId: TenantId,
  now: Date,
  messages: Received<'ticket.capacity.updates'>[],
): Promise<Proof> {
  const bodies = messages.map(({ body }) => body);
  const freed = bodies.filter(({ capacityChange }) => capacityChange > 0);
  return {
    outcomes: await verifyCounters(tx, tenantId, now, bodies),
    awaited: await awaitedTypes(tx, tenantId, [...new Set(freed.map(({ ticketTypeId }) => ticketTypeId))]),
  };
}

/** What came free goes to those who wait, and the cache becomes equal to the counters. Doing so twice is harmless. */
async function followCapacity(
  ctx: BackgroundContext,
  tenantId: TenantId,
  messages: Received<'ticket.capacity.updates'>[],
  { outcomes, awaited }: Proof,
): Promise<void> {
  const events = new Set<string>();
  for (const { body } of messages) {
    const outcome = outcomes.get(body.ticketTypeId);
    if (outcome === 'proven' || outcome === 'drifted') events.add(body.eventId);
  }
  for (const [ticketTypeId, outcome] of outcomes) {
    if (outcome !== 'drifted') continue;
    ctx.metrics.capacityDrift.inc();
    ctx.log.error({ tenantId, ticketTypeId }, 'the counter does not equal its rows');
  }
  await visitEach(awaited, async (ticketTypeId) => void (await offerPlaces(ctx, tenantId, ticketTypeId)));
  await visitEach([...events], async (eventId) => void (await refreshAvailability(ctx, tenantId, eventId)));
}
