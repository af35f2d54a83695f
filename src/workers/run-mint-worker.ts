import { checkInOnChain } from '../domain/chain/send/check-in-on-chain.ts';
import { mintTickets } from '../domain/chain/send/mint-tickets.ts';
import { LOOK_EVERY_MS, resumeParked } from '../domain/chain/send/resume-parked.ts';
import { reviveMints } from '../domain/chain/send/revive-mints.ts';
import { revokeOnChain } from '../domain/chain/send/revoke-on-chain.ts';
import type { SendingContext } from '../domain/chain/send/sending-context.ts';
import { trackTransactions } from '../domain/chain/send/track-transactions.ts';
import { transferOnChain } from '../domain/chain/send/transfer-on-chain.ts';
import { waitForRoom } from '../domain/chain/send/wait-for-room.ts';
import type { Bus } from '../platform/bus.ts';
import { consumeJobs } from '../platform/consume.ts';
import { beat } from '../platform/heartbeat.ts';
import { toTenantId } from '../platform/ids.ts';
import { createLanes } from '../platform/lane.ts';
import { periodic } from '../platform/periodic.ts';

/** Orders in hand: enough to fill the batches of several events while others are on their way to the chain. */
const MINTS_IN_HAND = 512;
/** Tickets in a batch: all their rows are written by one statement and their transactions sent together. */
const BATCH = 128;
/** Batches under way at once, of all events. */
const BATCHES = 4;

/** The only process with keys: signs and sends what the others ask for, and looks after it, until `signal`. */
export async function runMintWorker(ctx: SendingContext & { bus: Bus }, signal: AbortSignal): Promise<void> {
  const { log } = ctx;

  /** The tickets of an event gather while a batch is on its way. */
  const mints = createLanes<string, Error | undefined>({
    maxBatch: BATCH,
    atOnce: BATCHES,
    async flush(key, ticketIds) {
      await waitForRoom(ctx, signal);
      const [tenant = '', eventId = ''] = key.split('/');
      const later = await mintTickets(ctx, { tenantId: toTenantId(tenant), eventId, ticketIds });
      return ticketIds.map((id) => later.get(id));
    },
  });
  await consumeJobs(
    'ticket.mint',
    { ...ctx, signal, prefetch: MINTS_IN_HAND },
    {
      'ticket.mint': async ({ tenantId, body }) => {
        const key = `${tenantId}/${body.eventId}`;
        const outcomes = await Promise.all(body.ticketIds.map((id) => mints.submit(key, id)));
        const error = outcomes.find((outcome) => outcome !== undefined);
        if (error) throw error;
      },
    },
  );
  await consumeJobs(
    'blockchain',
    { ...ctx, signal, prefetch: 32 },
    {
      'ticket.transfer': ({ tenantId, body }) =>
        transferOnChain(ctx, { tenantId, transferId: body.transferId }),
      'ticket.revoke': ({ tenantId, body }) => revokeOnChain(ctx, { tenantId, ...body }),
      'ticket.revoked': ({ tenantId, body }) => revokeOnChain(ctx, { tenantId, ...body }),
      'ticket.check_in': ({ tenantId, body }) => checkInOnChain(ctx, { tenantId, ...body }),
      'ticket.checked_in': ({ tenantId, body }) => checkInOnChain(ctx, { tenantId, ...body }),
    },
  );

  await Promise.all([
    beat('mint-worker', { ...ctx, signal, details: () => ({ payers: showPayers(ctx) }) }),
    ctx.payers.watch(signal),
    periodic('tracking', { everyMs: 500, log, signal }, async () => {
      await trackTransactions(ctx);
    }),
    periodic('reviving', { everyMs: 15_000, log, signal }, async () => {
      await reviveMints(ctx);
    }),
    periodic('parked jobs', { everyMs: 30_000, log, signal }, async () => {
      await resumeParked(ctx, { olderThanMs: LOOK_EVERY_MS });
    }),
  ]);
}

/** For the heartbeat, which is JSON: balances as text. */
function showPayers({ payers }: SendingContext) {
  return payers.states().map((payer) => ({ ...payer, balance: payer.balance?.toString() ?? null }));
}
