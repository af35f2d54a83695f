import { sql } from 'kysely';
import { type TenantId, toTenantId } from '../../../platform/ids.ts';
import { enqueue } from '../../../platform/outbox.ts';
import { withSystem, withTenant } from '../../../platform/tenant-tx.ts';
import type { Status } from '../rpc/node.ts';
import type { ChainContext } from './chain-context.ts';
import type { Purpose } from './draft.ts';
import { endTransaction } from './end-transaction.ts';
import type { Pending } from './pending.ts';
import { proveExpiry } from './prove-expiry.ts';
import { refuseTransaction } from './refuse-transaction.ts';
import { sendKept } from './send-kept.ts';
import { giveBack } from './spend.ts';
import { messageToStartOver } from './start-over.ts';

const BATCH = 1_024;
const LOOK_AGAIN_MS = 2_000;
const LOOK_AGAIN_AT_MOST_MS = 10_000;
/** The listener confirms; this only watches that it does. */
const WATCH_MS = 10_000;
/** Two answers, some time apart, are needed before a transaction counts as expired. */
const MISSES = 2;

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
  const byId = new Map(due.map(({ id }, at) => [id, statuses[at] ?? null]));
  const statusOf = ({ id }: Pending): Status | null => byId.get(id) ?? null;

  const refused = due.filter(
    (one) => statusOf(one)?.err && statusOf(one)?.confirmationStatus === 'finalized',
  );
  const landing = due.filter((one) => statusOf(one) !== null && !refused.includes(one));
  const silent = due.filter((one) => statusOf(one) === null);
  const waiting = silent.filter(({ lastValid }) => height <= lastValid);
  const overdue = silent.filter(({ lastValid }) => height > lastValid);

  for (const pending of refused)
    await guarded(ctx, pending, () => refuseTransaction(ctx, pending, statusOf(pending)));
  await sendKept(ctx, onePerSignature(waiting));
  await watch(
    ctx,
    landing.map((pending) => ({ pending, afterMs: WATCH_MS, missed: 0 })),
  );
  await watch(
    ctx,
    waiting.map((pending) => ({ pending, afterMs: pauseFor(ctx, pending), missed: 0 })),
  );
  await endOverdue(ctx, overdue);
  return due.length;
}

async function guarded(ctx: ChainContext, { signature }: Pending, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    ctx.log.warn({ signature, err: (error as Error).message }, 'cannot settle a transaction yet');
  }
}

/** Past their time and unknown: ended when that is proven, watched until then. */
async function endOverdue(ctx: ChainContext, overdue: readonly Pending[]): Promise<void> {
  if (overdue.length === 0) return;
  const doubtful = overdue.filter(({ missed }) => missed + 1 >= MISSES);
  const proofs = await proveExpiry(
    ctx.rpc,
    doubtful.map(({ signature, lastValid, account, purpose }) => ({
      signature,
      lastValid,
      account: purpose === 'mint' ? (account ?? undefined) : undefined,
    })),
  );
  const expired = doubtful.filter((_, i) => proofs[i] === 'expired');
  for (const [tenantId, own] of Map.groupBy(expired, (one) => one.tenantId)) await expire(ctx, tenantId, own);
  await watch(
    ctx,
    overdue
      .filter((one) => !expired.includes(one))
      .map((pending) => ({
        pending,
        // What landed after all is the listener's.
        afterMs: proofs[doubtful.indexOf(pending)] === 'landed' ? WATCH_MS : LOOK_AGAIN_MS,
        missed: Math.min(pending.missed + 1, MISSES),
      })),
  );
}

/** They can never land any more: the jobs start over as new attempts, the mints of an event together. */
async function expire(ctx: ChainContext, tenantId: TenantId, expired: readonly Pending[]): Promise<void> {
  for (const { purpose } of expired) ctx.metrics.transactions.inc({ purpose, step: 'expired' });
  ctx.log.info({ tenantId, transactions: expired.length, first: expired[0]?.signature }, 'expired');
  const now = ctx.clock.now();
  await withTenant(ctx.db, tenantId, async (tx) => {
    const ended: Pending[] = [];
    for (const pending of expired)
      if (await endTransaction(tx, pending, 'expired', null)) ended.push(pending);
    for (const { lamports, preparedAt } of ended)
      if (lamports > 0n) await giveBack(tx, tenantId, { lamports, keptAt: preparedAt });
    const mints = ended.filter(({ purpose }) => purpose === 'mint');
    for (const [eventId, own] of Map.groupBy(mints, (one) => one.eventId)) {
      const ticketIds = own.flatMap(({ ticketId }) => ticketId ?? []);
      if (eventId) await enqueue(tx, now, [{ kind: 'ticket.mint', body: { eventId, ticketIds } }]);
    }
    for (const pending of ended.filter((one) => !mints.includes(one)))
      await enqueue(tx, now, await messageToStartOver(tx, tenantId, pending));
  });
}

/** The same bytes again and again help a node that lost them, and burden one that is slow: the older, the more seldom. */
function pauseFor(ctx: ChainContext, { preparedAt }: Pending): number {
  const age = ctx.clock.now().getTime() - preparedAt.getTime();
  return Math.min(Math.max(LOOK_AGAIN_MS, age / 3), LOOK_AGAIN_AT_MOST_MS);
}

function onePerSignature(pending: readonly Pending[]): Pending[] {
  return [...new Map(pending.map((one) => [one.signature, one])).values()];
}

async function watch(
  ctx: ChainContext,
  watched: readonly { pending: Pending; afterMs: number; missed: number }[],
): Promise<void> {
  const now = ctx.clock.now().getTime();
  for (const [tenantId, own] of Map.groupBy(watched, ({ pending }) => pending.tenantId)) {
    await withTenant(ctx.db, tenantId, (tx) =>
      sql`update pending_transactions p set next_check_at = one.at, missed = one.missed
        from unnest(${own.map(({ pending }) => pending.id)}::uuid[],
          ${own.map(({ afterMs }) => new Date(now + afterMs))}::timestamptz[],
          ${own.map(({ missed }) => missed)}::smallint[]) as one(id, at, missed)
        where p.tenant_id = ${tenantId} and p.id = one.id and p.status in ('prepared', 'submitted')`.execute(
        tx,
      ),
    );
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
  const found = await Promise.all(
    [...Map.groupBy(due, (row) => row.tenant_id)].map(([tenant, rows]) =>
      readRows(
        ctx,
        toTenantId(tenant),
        rows.map(({ id }) => id),
      ),
    ),
  );
  return found.flat();
}

async function readRows(ctx: ChainContext, tenantId: TenantId, ids: string[]): Promise<Pending[]> {
  const rows = await withTenant(ctx.db, tenantId, (tx) =>
    tx
      .selectFrom('pending_transactions as p')
      .leftJoin('tickets as t', (join) =>
        join.onRef('t.tenant_id', '=', 'p.tenant_id').onRef('t.id', '=', 'p.ticket_id'),
      )
      .select([
        'p.id',
        'p.purpose',
        'p.subject_id as subjectId',
        'p.ticket_id as ticketId',
        't.event_id as eventId',
        't.chain_account as account',
        'p.attempt',
        'p.tx_signature as signature',
        'p.raw',
        'p.last_valid_block_height as lastValid',
        'p.missed',
        'p.prepared_at as preparedAt',
        'p.lamports',
      ])
      .where('p.tenant_id', '=', tenantId)
      .where(sql<boolean>`p.id = any(${ids}::uuid[])`)
      .execute(),
  );
  return rows.map((row) => ({ ...row, tenantId, purpose: row.purpose as Purpose }));
}
