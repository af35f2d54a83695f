import { ComputeBudgetProgram, type TransactionInstruction } from '@solana/web3.js';
import bs58 from 'bs58';
import pg from 'pg';
import { toAddress } from '../../../../programs-client/addresses.ts';
import { decodeProgramError } from '../../../../programs-client/program-errors.ts';
import { attachSignatures, compileMessage, requiredSigners } from '../../../../programs-client/send.ts';
import { RetryableError } from '../../../platform/errors.ts';
import { newId, type TenantId } from '../../../platform/ids.ts';
import { type TenantTx, withTenant } from '../../../platform/tenant-tx.ts';
import type { Node } from '../rpc/node.ts';
import { type ChainContext, payerFor } from './chain-context.ts';
import type { KeyRef } from './signer.ts';

export type Purpose =
  | 'register_organizer'
  | 'create_event'
  | 'grow_event'
  | 'mint'
  | 'transfer'
  | 'revoke'
  | 'check_in';

export type Submission = {
  tenantId: TenantId;
  purpose: Purpose;
  /** What it is about; one transaction per purpose and subject may be alive. */
  subjectId: string;
  ticketId?: string;
  /** Signs beside the payer. */
  signers: KeyRef[];
  build(payer: string): TransactionInstruction;
  /** SQL that must be true when the bytes are kept, and commits with them. */
  claim?(tx: TenantTx, now: Date): Promise<void>;
};

/** Headroom over what the simulation used. */
const COMPUTE_MARGIN = 1.1;
const UNIQUE_VIOLATION = '23505';
/** How soon the tracker looks for the first time. */
const FIRST_LOOK_MS = 1_000;

/**
 * Signs a transaction, keeps its bytes, then sends it: a crash in between can only send the same bytes again. Another
 * live transaction for the same purpose and subject makes this one superfluous. The tracker and the listener do the rest.
 * @throws DomainError unavailable when the chain does not answer, ProgramRefusal when the program refuses for good
 */
export async function submitTransaction(ctx: ChainContext, submission: Submission): Promise<void> {
  const { tenantId, purpose, subjectId } = submission;
  if (await isAlive(ctx, submission)) return;
  const payerKey = payerFor(subjectId);
  const payer = toAddress(await ctx.signer.address(payerKey));
  const instruction = submission.build(payer);
  const latest = await ctx.rpc.ask((node) => node.getLatestBlockhash());
  const units = await simulate(ctx, payer, instruction, latest.value.blockhash);
  const budget = ComputeBudgetProgram.setComputeUnitLimit({ units: Math.ceil(units * COMPUTE_MARGIN) });
  const message = compileMessage([budget, instruction], payer, latest.value.blockhash);
  const signatures: Record<string, Uint8Array> = {};
  for (const key of [payerKey, ...submission.signers]) {
    signatures[await ctx.signer.address(key)] = await ctx.signer.sign(key, message);
  }
  const raw = attachSignatures(message, signatures);
  const signature = bs58.encode(signatures[payer] as Uint8Array);
  const now = ctx.clock.now();
  const kept = await keep(ctx, submission, now, {
    id: newId(),
    raw,
    signature,
    lastValid: latest.value.lastValidBlockHeight,
  });
  if (!kept) return;
  ctx.metrics.transactions.inc({ purpose, step: 'prepared' });
  await ctx.failpoints.hit(`${purpose}.prepared`);
  await sendPrepared(ctx, { tenantId, signature, raw });
  await ctx.failpoints.hit(`${purpose}.submitted`);
}

/** Sends bytes that are kept already, however often. */
export async function sendPrepared(
  ctx: ChainContext,
  transaction: { tenantId: TenantId; signature: string; raw: Uint8Array },
): Promise<void> {
  const { tenantId, signature, raw } = transaction;
  try {
    await ctx.rpc.ask((node) => sendOnce(node, raw));
  } catch (error) {
    // Kept is kept: the tracker sends the same bytes again.
    ctx.log.warn({ tenantId, signature, err: (error as Error).message }, 'not sent yet');
    return;
  }
  const now = ctx.clock.now();
  await withTenant(ctx.db, tenantId, (tx) =>
    tx
      .updateTable('pending_transactions')
      .set({ status: 'submitted', submitted_at: now })
      .where('tenant_id', '=', tenantId)
      .where('tx_signature', '=', signature)
      .where('status', '=', 'prepared')
      .execute(),
  );
}

async function sendOnce(node: Node, raw: Uint8Array): Promise<void> {
  const [refusal] = await node.sendTransactions([raw]);
  if (refusal) throw refusal;
}

async function isAlive(ctx: ChainContext, { tenantId, purpose, subjectId }: Submission): Promise<boolean> {
  const live = await withTenant(ctx.db, tenantId, (tx) =>
    tx
      .selectFrom('pending_transactions')
      .select('id')
      .where('tenant_id', '=', tenantId)
      .where('purpose', '=', purpose)
      .where('subject_id', '=', subjectId)
      .where('status', 'in', ['prepared', 'submitted', 'confirmed'])
      .executeTakeFirst(),
  );
  return live !== undefined;
}

async function simulate(
  ctx: ChainContext,
  payer: string,
  instruction: TransactionInstruction,
  blockhash: string,
): Promise<number> {
  const message = compileMessage([instruction], toAddress(payer), blockhash);
  const blank = new Uint8Array(64);
  const signatures = Object.fromEntries(requiredSigners(message).map((signer) => [signer, blank]));
  const unsigned = attachSignatures(message, signatures);
  const value = await ctx.rpc.ask((node) => node.simulate(unsigned));
  if (value.err === null) return value.unitsConsumed ?? 200_000;
  const refusal = decodeProgramError(value.err);
  const reason = refusal?.name ?? JSON.stringify(value.err);
  if (refusal?.kind === 'retryable') throw new RetryableError(`the program refuses for now: ${reason}`);
  throw new ProgramRefusal(reason);
}

/** The program will not take the transaction, now or later. */
export class ProgramRefusal extends Error {
  readonly reason: string;

  constructor(reason: string) {
    super(`the program refuses: ${reason}`);
    this.name = 'ProgramRefusal';
    this.reason = reason;
  }
}

/** False when another live transaction was kept first. */
async function keep(
  ctx: ChainContext,
  submission: Submission,
  now: Date,
  signed: { id: string; raw: Uint8Array; signature: string; lastValid: number },
): Promise<boolean> {
  const { tenantId, purpose, subjectId, ticketId, claim } = submission;
  try {
    await withTenant(ctx.db, tenantId, async (tx) => {
      await claim?.(tx, now);
      const earlier = await tx
        .selectFrom('pending_transactions')
        .select((eb) => eb.fn.countAll<bigint>().as('count'))
        .where('tenant_id', '=', tenantId)
        .where('purpose', '=', purpose)
        .where('subject_id', '=', subjectId)
        .executeTakeFirstOrThrow();
      await tx
        .insertInto('pending_transactions')
        .values({
          tenant_id: tenantId,
          id: signed.id,
          purpose,
          subject_id: subjectId,
          ticket_id: ticketId ?? null,
          attempt: Number(earlier.count) + 1,
          status: 'prepared',
          tx_signature: signed.signature,
          raw: Buffer.from(signed.raw),
          last_valid_block_height: BigInt(signed.lastValid),
          prepared_at: now,
          next_check_at: new Date(now.getTime() + FIRST_LOOK_MS),
        })
        .execute();
    });
    return true;
  } catch (error) {
    if (error instanceof pg.DatabaseError && error.code === UNIQUE_VIOLATION) return false;
    throw error;
  }
}
