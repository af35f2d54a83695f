import { decodeProgramError } from '../../../../programs-client/program-errors.ts';
import type { Message } from '../../../messages.ts';
import { type TenantId, toTenantId } from '../../../platform/ids.ts';
import { enqueue } from '../../../platform/outbox.ts';
import { type TenantTx, withSystem, withTenant } from '../../../platform/tenant-tx.ts';
import { findTicket } from '../../tickets/queries.ts';
import { lockTransfer } from '../../transfers/queries.ts';
import type { Status } from '../rpc/node.ts';
import type { ChainContext } from './chain-context.ts';
import { type Purpose, sendPrepared } from './submit-transaction.ts';
import { failTransfer } from './transfer-on-chain.ts';

/** What one status request may ask for. */
const BATCH = 256;
const LOOK_AGAIN_MS = 2_000;
/** The listener confirms; this only watches that it does. */
const WATCH_MS = 10_000;
/** Two answers are needed before a transaction counts as expired. */
const MISSES = 2;

type Pending = {
  tenantId: TenantId;
  id: string;
  purpose: Purpose;
  subjectId: string;
  ticketId: string | null;
  signature: string;
  raw: Buffer;
  lastValid: bigint;
  missed: number;
};

/**
 * Looks after what was sent and is not confirmed: sends the same bytes again while they are valid, notes what the chain
 * refused, and lets a transaction be signed anew only when it can never land. Returns how many it looked at.
 */
export async function trackTransactions(ctx: ChainContext): Promise<number> {
  const due = await readDue(ctx);
  if (due.length === 0) return 0;
  const { statuses, height } = await ctx.rpc.ask(async (node) => ({
    statuses: (await node.getStatuses(due.map(({ signature }) => signature))).value,
    height: BigInt((await node.getHeight('finalized')).height),
  }));
  for (const [i, pending] of due.entries()) {
    try {
      await settle(ctx, pending, statuses[i] ?? null, height);
    } catch (error) {
      ctx.log.warn(
        { signature: pending.signature, err: (error as Error).message },
        'cannot settle a transaction yet',
      );
    }
  }
  return due.length;
}

async function settle(
  ctx: ChainContext,
  pending: Pending,
  status: Status | null,
  height: bigint,
): Promise<void> {
  if (status?.err) return refuse(ctx, pending, status);
  if (status) return watch(ctx, pending, WATCH_MS, 0);
  if (height <= pending.lastValid) {
    await sendPrepared(ctx, pending);
    return watch(ctx, pending, LOOK_AGAIN_MS, 0);
  }
  if (pending.missed + 1 < MISSES) return watch(ctx, pending, LOOK_AGAIN_MS, pending.missed + 1);
  if (await hasLanded(ctx, pending)) return watch(ctx, pending, WATCH_MS, pending.missed);
  await expire(ctx, pending);
}

/** It landed and failed. When another transaction did the work meanwhile, that is all right. */
async function refuse(ctx: ChainContext, pending: Pending, status: Status): Promise<void> {
  const refusal = decodeProgramError(status.err);
  const code = refusal?.name ?? JSON.stringify(status.err);
  ctx.metrics.transactions.inc({ purpose: pending.purpose, step: 'failed' });
  ctx.log.warn(
    { tenantId: pending.tenantId, purpose: pending.purpose, signature: pending.signature, code },
    'refused on chain',
  );
  const again = refusal?.kind === 'retryable' || (await hasLanded(ctx, pending));
  await withTenant(ctx.db, pending.tenantId, async (tx) => {
    await end(tx, pending, 'failed', code);
    if (again) await enqueue(tx, ctx.clock.now(), await restart(tx, pending));
    else if (pending.ticketId && pending.purpose === 'mint') {
      await tx
        .updateTable('tickets')
        .set({ blockchain_sync_status: 'parked', updated_at: ctx.clock.now() })
        .where('tenant_id', '=', pending.tenantId)
        .where('id', '=', pending.ticketId)
        .execute();
    }
  });
  if (!again && pending.purpose === 'transfer')
    await failTransfer(ctx, pending.tenantId, pending.subjectId, code);
}

/** It can never land any more: the job starts over as a new attempt. */
async function expire(ctx: ChainContext, pending: Pending): Promise<void> {
  ctx.metrics.transactions.inc({ purpose: pending.purpose, step: 'expired' });
  ctx.log.info(
    { tenantId: pending.tenantId, purpose: pending.purpose, signature: pending.signature },
    'expired',
  );
  await withTenant(ctx.db, pending.tenantId, async (tx) => {
    await end(tx, pending, 'expired', null);
    await enqueue(tx, ctx.clock.now(), await restart(tx, pending));
  });
}

/** Whether what the transaction was to bring about is final on the chain. Only a mint makes an account to look for. */
async function hasLanded(ctx: ChainContext, pending: Pending): Promise<boolean> {
  if (pending.purpose !== 'mint' || !pending.ticketId) return false;
  const { tenantId, ticketId } = pending;
  const ticket = await withTenant(ctx.db, tenantId, (tx) => findTicket(tx, tenantId, ticketId as string));
  const address = ticket?.chain_account;
  if (!address) return false;
  const { value } = await ctx.rpc.ask((node) => node.getAccounts([address], { commitment: 'finalized' }));
  return value[0]?.owner === ctx.programId;
}

async function watch(ctx: ChainContext, pending: Pending, afterMs: number, missed: number): Promise<void> {
  await withTenant(ctx.db, pending.tenantId, (tx) =>
    tx
      .updateTable('pending_transactions')
      .set({ next_check_at: new Date(ctx.clock.now().getTime() + afterMs), missed })
      .where('tenant_id', '=', pending.tenantId)
      .where('id', '=', pending.id)
      .where('status', 'in', ['prepared', 'submitted'])
      .execute(),
  );
}

async function end(
  tx: TenantTx,
  pending: Pending,
  status: 'failed' | 'expired',
  code: string | null,
): Promise<void> {
  await tx
    .updateTable('pending_transactions')
    .set({ status, error_code: code, next_check_at: null })
    .where('tenant_id', '=', pending.tenantId)
    .where('id', '=', pending.id)
    .where('status', 'in', ['prepared', 'submitted'])
    .execute();
}

/** The message that starts the job over. Accounts of organizer and event are made by the jobs that need them. */
async function restart(tx: TenantTx, pending: Pending): Promise<Message[]> {
  const { tenantId, purpose, subjectId, ticketId } = pending;
  const ticket = ticketId ? await findTicket(tx, tenantId, ticketId) : undefined;
  if (!ticket) return [];
  const eventId = ticket.event_id;
  switch (purpose) {
    case 'mint':
      return [{ kind: 'ticket.mint', body: { eventId, ticketIds: [ticket.id] } }];
    case 'transfer': {
      const transfer = await lockTransfer(tx, tenantId, subjectId);
      if (!transfer) return [];
      return [{ kind: 'ticket.transfer', body: { transferId: subjectId, ticketId: ticket.id, eventId } }];
    }
    case 'revoke': {
      const reason = ticket.status_reason ?? 'other';
      return [{ kind: 'ticket.revoke', body: { ticketId: ticket.id, eventId, reason } }];
    }
    case 'check_in':
      return [{ kind: 'ticket.check_in', body: { ticketId: ticket.id, eventId } }];
    default:
      return [];
  }
}

async function readDue(ctx: ChainContext): Promise<Pending[]> {
  const now = ctx.clock.now();
  const due = await withSystem(ctx.relay, (tx) =>
    tx
      .selectFrom('pending_transactions')
      .select(['tenant_id', 'id'])
      .where('next_check_at', '<=', now)
      .where('status', 'in', ['prepared', 'submitted'])
      .orderBy('next_check_at')
      .limit(BATCH)
      .execute(),
  );
  const byTenant = Map.groupBy(due, (row) => row.tenant_id);
  const found = await Promise.all(
    [...byTenant].map(([tenant, rows]) =>
      readRows(
        ctx,
        tenant,
        rows.map((row) => row.id),
      ),
    ),
  );
  return found.flat();
}

async function readRows(ctx: ChainContext, tenant: string, ids: string[]): Promise<Pending[]> {
  const tenantId = toTenantId(tenant);
  const rows = await withTenant(ctx.db, tenantId, (tx) =>
    tx
      .selectFrom('pending_transactions')
      .select([
        'id',
        'purpose',
        'subject_id as subjectId',
        'ticket_id as ticketId',
        'tx_signature as signature',
        'raw',
        'last_valid_block_height as lastValid',
        'missed',
      ])
      .where('tenant_id', '=', tenantId)
      .where('id', 'in', ids)
      .execute(),
  );
  return rows.map((row) => ({ ...row, tenantId, purpose: row.purpose as Purpose }));
}
