import { ComputeBudgetProgram, PublicKey, SystemProgram } from '@solana/web3.js';
import bs58 from 'bs58';
import { sql } from 'kysely';
import pg from 'pg';
import type { Address } from '../../../../programs-client/addresses.ts';
import { attachSignatures, compileMessage } from '../../../../programs-client/send.ts';
import { newId } from '../../../platform/ids.ts';
import { type SystemTx, withSystem } from '../../../platform/tenant-tx.ts';
import { agreeOnStatuses } from '../rpc/agree.ts';
import type { Status } from '../rpc/node.ts';
import type { ChainContext } from './chain-context.ts';
import { proveExpiry } from './prove-expiry.ts';
import type { KeyRef } from './signer.ts';

/** What was seen, all amounts in lamports. */
export type Seen = {
  treasury: { key: KeyRef; address: Address; balance: bigint };
  payers: readonly { address: Address; balance: bigint }[];
  /** As of which the balances are. */
  slot: number;
  /** A payer below it is refilled, */
  low: bigint;
  /** up to so much. */
  full: bigint;
  /** What may leave the treasury within an hour. */
  limit: bigint;
};

/** The treasury on the chain that we are on; what happened on another says nothing of it. */
type Purse = { genesis: string; treasury: string };

/** Stays in the treasury: its own rent, and the fees of many refills. */
const RESERVE = 10_000_000n;
/** Less is not worth a transaction. */
const LEAST = 10_000_000n;
/** A System transfer takes 150 units, and the instruction that sets the limit as many. */
const TRANSFER_UNITS = 1_000;
/** Two answers are needed before a refill counts as expired. */
const MISSES = 2;
/** After one that failed, so that a fault costs a fee a minute and not a fee a look. */
const REST_AFTER_FAILURE_S = 60;
/** One lock for whoever counts what left the treasury. */
const LOCK = 7_265_338;
const UNIQUE_VIOLATION = '23505';

/**
 * Sends money from the treasury to payers that run short, and looks after what it sent before. A shortage is filled once:
 * a payer has one refill under way at most, its bytes are committed before they are sent, and a balance counts only when
 * it is of a later slot than the last refill. A crash can only send the same bytes again.
 * @throws DomainError unavailable
 */
export async function refillPayers(ctx: ChainContext, seen: Seen): Promise<void> {
  const purse = { genesis: await ctx.rpc.genesis(), treasury: seen.treasury.address };
  await settleRefills(ctx, purse);
  const promised = await withSystem(ctx.relay, (tx) => notSeenYet(tx, purse, seen.slot));
  let spare = seen.treasury.balance - RESERVE - promised;
  for (const { address, balance } of seen.payers) {
    if (balance >= seen.low || !(await mayRefill(ctx, purse, address, seen.slot))) continue;
    const left = seen.limit - (await withSystem(ctx.relay, (tx) => sentWithinHour(tx, purse)));
    const lamports = least(seen.full - balance, spare, left);
    if (lamports < LEAST) {
      ctx.metrics.refills.inc({ step: 'refused' });
      const treasury = seen.treasury.address;
      ctx.log.error({ payer: address, treasury, spare, left }, 'a payer is short of money and not refilled');
      continue;
    }
    if (await refill(ctx, seen, { purse, payer: address, lamports })) spare -= lamports;
  }
}

/** Whether nothing is under way to a payer, and its balance shows the last that came. */
async function mayRefill(ctx: ChainContext, purse: Purse, payer: string, slot: number): Promise<boolean> {
  const last = await withSystem(ctx.relay, (tx) =>
    tx
      .selectFrom('payer_refills')
      .select([
        'status',
        'slot',
        sql<boolean>`ended_at > now() - make_interval(secs => ${REST_AFTER_FAILURE_S})`.as('lately'),
      ])
      .where('genesis_hash', '=', purse.genesis)
      .where('treasury', '=', purse.treasury)
      .where('payer', '=', payer)
      .where('status', '<>', 'expired')
      .orderBy('prepared_at', 'desc')
      .limit(1)
      .executeTakeFirst(),
  );
  if (!last) return true;
  if (last.status === 'landed') return BigInt(slot) >= (last.slot ?? 0n);
  return last.status === 'failed' && !last.lately;
}

/** Signs, keeps, sends. False when another worker was first or the limit is reached. */
async function refill(
  ctx: ChainContext,
  seen: Seen,
  to: { purse: Purse; payer: Address; lamports: bigint },
): Promise<boolean> {
  const { payer, lamports } = to;
  const { key, address: from } = seen.treasury;
  const latest = await ctx.rpc.latestBlockhash();
  const transfer = SystemProgram.transfer({
    fromPubkey: new PublicKey(from),
    toPubkey: new PublicKey(payer),
    lamports,
  });
  const limit = ComputeBudgetProgram.setComputeUnitLimit({ units: TRANSFER_UNITS });
  const message = compileMessage([limit, transfer], from, latest.blockhash);
  const signature = await ctx.signer.sign(key, message);
  const raw = attachSignatures(message, { [from]: signature });
  const row = { ...to, raw, signature: bs58.encode(signature), lastValid: latest.lastValidBlockHeight };
  if (!(await keep(ctx, seen.limit, row))) return false;
  ctx.metrics.refills.inc({ step: 'prepared' });
  ctx.log.info({ payer, lamports, signature: row.signature }, 'a payer is refilled');
  await ctx.failpoints.hit('refill.prepared');
  await send(ctx, raw);
  return true;
}

async function keep(
  ctx: ChainContext,
  limit: bigint,
  row: {
    purse: Purse;
    payer: string;
    lamports: bigint;
    raw: Uint8Array;
    signature: string;
    lastValid: number;
  },
): Promise<boolean> {
  try {
    return await withSystem(ctx.relay, async (tx) => {
      await sql`select pg_advisory_xact_lock(${LOCK})`.execute(tx);
      if ((await sentWithinHour(tx, row.purse)) + row.lamports > limit) return false;
      await tx
        .insertInto('payer_refills')
        .values({
          id: newId(),
          genesis_hash: row.purse.genesis,
          treasury: row.purse.treasury,
          payer: row.payer,
          lamports: row.lamports,
          status: 'prepared',
          tx_signature: row.signature,
          raw: Buffer.from(row.raw),
          last_valid_block_height: BigInt(row.lastValid),
        })
        .execute();
      return true;
    });
  } catch (error) {
    if (error instanceof pg.DatabaseError && error.code === UNIQUE_VIOLATION) return false;
    throw error;
  }
}

/** What was sent and the treasury's balance as of `slot` may not show. */
async function notSeenYet(tx: SystemTx, purse: Purse, slot: number): Promise<bigint> {
  const { sum } = await tx
    .selectFrom('payer_refills')
    .select(sql<bigint>`coalesce(sum(lamports), 0)::bigint`.as('sum'))
    .where('genesis_hash', '=', purse.genesis)
    .where('treasury', '=', purse.treasury)
    .where((eb) =>
      eb.or([eb('status', '=', 'prepared'), eb('status', '=', 'landed').and('slot', '>', BigInt(slot))]),
    )
    .executeTakeFirstOrThrow();
  return sum;
}

async function sentWithinHour(tx: SystemTx, purse: Purse): Promise<bigint> {
  const { sum } = await tx
    .selectFrom('payer_refills')
    .select(sql<bigint>`coalesce(sum(lamports), 0)::bigint`.as('sum'))
    .where('genesis_hash', '=', purse.genesis)
    .where('treasury', '=', purse.treasury)
    .where('status', 'in', ['prepared', 'landed'])
    .where('prepared_at', '>', sql<Date>`now() - interval '1 hour'`)
    .executeTakeFirstOrThrow();
  return sum;
}

/** What was sent ends when that is final, or when it is proven, twice, that it can never land. */
async function settleRefills(ctx: ChainContext, purse: Purse): Promise<void> {
  const open = await withSystem(ctx.relay, (tx) =>
    tx
      .selectFrom('payer_refills')
      .select(['id', 'payer', 'tx_signature', 'raw', 'last_valid_block_height', 'missed'])
      .where('genesis_hash', '=', purse.genesis)
      .where('treasury', '=', purse.treasury)
      .where('status', '=', 'prepared')
      .execute(),
  );
  const asked = open.map((row) => ({ signature: row.tx_signature, slot: 0 }));
  const seen = await agreeOnStatuses(ctx.rpc, asked);
  const silent = open.filter((_, i) => typeof seen[i] === 'string');
  const proofs = await proveExpiry(
    ctx.rpc,
    silent.map((row) => ({
      signature: row.tx_signature,
      lastValid: row.last_valid_block_height,
      account: undefined,
    })),
  );
  for (const [i, row] of open.entries()) {
    const status = seen[i];
    if (typeof status === 'object') {
      if (status.known.confirmationStatus === 'finalized') await end(ctx, row, status.known);
    } else if (proofs[silent.indexOf(row)] !== 'expired') await send(ctx, row.raw);
    else if (row.missed + 1 < MISSES) await miss(ctx, row.id, row.missed + 1);
    else await end(ctx, row, undefined);
  }
}

async function end(
  ctx: ChainContext,
  row: { id: string; payer: string; tx_signature: string },
  final: Status | undefined,
): Promise<void> {
  const status = final === undefined ? 'expired' : final.err === null ? 'landed' : 'failed';
  const code = final?.err ? JSON.stringify(final.err) : null;
  if (status === 'failed')
    ctx.log.error({ payer: row.payer, signature: row.tx_signature, code }, 'a refill failed on chain');
  const { numUpdatedRows } = await withSystem(ctx.relay, (tx) =>
    tx
      .updateTable('payer_refills')
      .set({
        status,
        ended_at: sql<Date>`clock_timestamp()`,
        slot: final ? BigInt(final.slot) : null,
        error_code: code,
      })
      .where('id', '=', row.id)
      .where('status', '=', 'prepared')
      .executeTakeFirstOrThrow(),
  );
  if (numUpdatedRows > 0n) ctx.metrics.refills.inc({ step: status });
}

async function miss(ctx: ChainContext, id: string, missed: number): Promise<void> {
  await withSystem(ctx.relay, (tx) =>
    tx.updateTable('payer_refills').set({ missed }).where('id', '=', id).execute(),
  );
}

/** Kept is kept: what cannot be sent now is sent again at the next look. */
async function send(ctx: ChainContext, raw: Uint8Array): Promise<void> {
  try {
    const [refusal] = await ctx.rpc.ask((node) => node.sendTransactions([raw]));
    if (refusal) throw refusal;
  } catch (error) {
    ctx.log.warn({ err: (error as Error).message }, 'a refill is not sent yet');
  }
}

function least(...amounts: bigint[]): bigint {
  return amounts.reduce((a, b) => (a < b ? a : b));
}
