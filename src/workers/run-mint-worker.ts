import type { ChainContext } from '../domain/chain/send/chain-context.ts';
import { checkInOnChain } from '../domain/chain/send/check-in-on-chain.ts';
import { mintTicket } from '../domain/chain/send/mint-ticket.ts';
import { parkMint } from '../domain/chain/send/park-mint.ts';
import { reviveMints } from '../domain/chain/send/revive-mints.ts';
import { revokeOnChain } from '../domain/chain/send/revoke-on-chain.ts';
import { trackTransactions } from '../domain/chain/send/track-transactions.ts';
import { transferOnChain } from '../domain/chain/send/transfer-on-chain.ts';
import type { Bus } from '../platform/bus.ts';
import { consumeJobs } from '../platform/consume.ts';
import { beat } from '../platform/heartbeat.ts';
import { periodic } from '../platform/periodic.ts';

/** Tickets of one order that are minted side by side. */
const SIDE_BY_SIDE = 4;

/** The only process with keys: signs and sends what the others ask for, and looks after it, until `signal`. */
export async function runMintWorker(ctx: ChainContext & { bus: Bus }, signal: AbortSignal): Promise<void> {
  const { log } = ctx;
  const options = { ...ctx, signal, prefetch: 16 };

  await consumeJobs('ticket.mint', options, {
    'ticket.mint': async ({ tenantId, body }) => {
      const waiting = [...body.ticketIds];
      const mintNext = async (): Promise<void> => {
        for (let ticketId = waiting.shift(); ticketId; ticketId = waiting.shift()) {
          await mintTicket(ctx, { tenantId, ticketId }).catch((error) =>
            parkMint(ctx, tenantId, ticketId as string, error),
          );
        }
      };
      await Promise.all(Array.from({ length: SIDE_BY_SIDE }, mintNext));
    },
  });
  await consumeJobs('blockchain', options, {
    'ticket.transfer': ({ tenantId, body }) =>
      transferOnChain(ctx, { tenantId, transferId: body.transferId }),
    'ticket.revoke': ({ tenantId, body }) => revokeOnChain(ctx, { tenantId, ...body }),
    'ticket.revoked': ({ tenantId, body }) => revokeOnChain(ctx, { tenantId, ...body }),
    'ticket.check_in': ({ tenantId, body }) => checkInOnChain(ctx, { tenantId, ...body }),
    'ticket.checked_in': ({ tenantId, body }) => checkInOnChain(ctx, { tenantId, ...body }),
  });

  await Promise.all([
    beat('mint-worker', { ...ctx, signal }),
    periodic('tracking', { everyMs: 500, log, signal }, async () => {
      await trackTransactions(ctx);
    }),
    periodic('reviving', { everyMs: 15_000, log, signal }, async () => {
      await reviveMints(ctx);
    }),
  ]);
}
