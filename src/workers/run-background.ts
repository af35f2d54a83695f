import type { AppContext } from '../context.ts';
import { expireHolds } from '../domain/inventory/expire-holds.ts';
import { refreshAvailability } from '../domain/inventory/read-availability.ts';
import { verifyCounter } from '../domain/inventory/verify-counter.ts';
import { type NotifiedKind, notify } from '../domain/notifications/notify.ts';
import { recordPurchase } from '../domain/orders/record-purchase.ts';
import { createSaleLanes } from '../domain/orders/sale-lanes.ts';
import { createSettleOrder } from '../domain/orders/settle-order.ts';
import { reconcilePayments } from '../domain/payments/reconcile-payments.ts';
import { refundRevoked } from '../domain/payments/refund-revoked.ts';
import { sendDueRefunds, sendRefund } from '../domain/payments/send-refund.ts';
import { countMessage } from '../domain/reports/count-message.ts';
import { expireTickets } from '../domain/tickets/expire-tickets.ts';
import { offerPlaces } from '../domain/waiting/offer-places.ts';
import { resumeLists } from '../domain/waiting/resume-lists.ts';
import { sweepOffers } from '../domain/waiting/sweep-offers.ts';
import {
  type ConsumerOptions,
  consumeJobs,
  consumeOnce,
  type Effect,
  type Job,
  type Received,
  takeOnce,
} from '../platform/consume.ts';
import type { Db } from '../platform/db.ts';
import { beat } from '../platform/heartbeat.ts';
import type { SendMail } from '../platform/mail.ts';
import { relayOutbox } from '../platform/outbox-relay.ts';
import { periodic } from '../platform/periodic.ts';
import { prune } from '../platform/prune.ts';
import { withTenant } from '../platform/tenant-tx.ts';

export type BackgroundContext = Omit<AppContext, 'chain'> & { relay: Db; sendMail: SendMail };

/** Moves the outbox, keeps the books behind the sale, and brings home what was left open, until `signal`. */
export async function runBackground(ctx: BackgroundContext, signal: AbortSignal): Promise<void> {
  const { relay, clock, log } = ctx;
  const options: ConsumerOptions = { ...ctx, signal };
  const settleOrder = createSettleOrder(ctx, createSaleLanes(ctx));

  await consumeOnce('ticket.transactions', options, {
    'ticket.transactions': (tx, { tenantId, body }) => recordPurchase(tx, tenantId, clock.now(), body),
  });
  await consumeJobs('ticket.capacity.updates', options, {
    'ticket.capacity.updates': (message) => followCapacity(ctx, message),
  });
  const count: Effect<CountedKind> = (tx, message) => countMessage(tx, message.tenantId, message);
  await consumeOnce<CountedKind>('analytics', options, {
    'ticket.purchased': count,
    'ticket.minted': count,
    'ticket.transferred': count,
    'ticket.checked_in': count,
    'ticket.revoked': count,
    'ticket.expired': count,
  });
  await consumeJobs('payments', options, {
    'payment.refund': ({ tenantId, body }) => sendRefund(ctx, tenantId, body.refundId),
    'ticket.revoked': ({ id, tenantId, body }) =>
      withTenant(ctx.db, tenantId, async (tx) => {
        if (await takeOnce(tx, 'payments', { id, tenantId }, clock.now()))
          await refundRevoked(ctx, tx, tenantId, body);
      }),
  });
  const tell: Job<NotifiedKind> = (message) => notify(ctx, message.tenantId, message);
  await consumeJobs<NotifiedKind>('notifications', options, {
    'ticket.purchased': tell,
    'ticket.minted': tell,
    'ticket.transferred': tell,
    'ticket.revoked': tell,
    'ticket.expired': tell,
    'ticket.transactions': tell,
    'payment.refund': tell,
    'hold.expired': tell,
    'waiting.offered': tell,
  });

  await Promise.all([
    relayOutbox({ ...ctx, db: relay, signal }),
    beat('outbox-relay', { ...ctx, signal }),
    beat('background', { ...ctx, signal }),
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
}

type CountedKind =
  | 'ticket.purchased'
  | 'ticket.minted'
  | 'ticket.transferred'
  | 'ticket.checked_in'
  | 'ticket.revoked'
  | 'ticket.expired';

/** Proves the counter against its rows and makes the cache equal to it. Doing so twice is harmless. */
async function proveCapacity(
  ctx: BackgroundContext,
  message: Received<'ticket.capacity.updates'>,
): Promise<void> {
  const { tenantId, body } = message;
  const outcome = await verifyCounter(ctx, tenantId, body);
  if (outcome === 'proven_before' || outcome === 'gone') return;
  if (outcome === 'drifted') {
    ctx.metrics.capacityDrift.inc();
    ctx.log.error({ tenantId, ticketTypeId: body.ticketTypeId }, 'the counter does not equal its rows');
  }
  await refreshAvailability(ctx, tenantId, body.eventId);
}

/** What came free goes to those who wait; then the counter is proven. */
async function followCapacity(
  ctx: BackgroundContext,
  message: Received<'ticket.capacity.updates'>,
): Promise<void> {
  const { tenantId, body } = message;
  if (body.capacityChange > 0) await offerPlaces(ctx, tenantId, body.ticketTypeId);
  await proveCapacity(ctx, message);
}
