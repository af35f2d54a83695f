import bs58 from 'bs58';
import { attachSignatures } from '../../../../programs-client/send.ts';
import type { TenantId } from '../../../platform/ids.ts';

import { classifyFailure, type Failure } from './classify-failure.ts';
import type { Claim, Draft, DraftOutcome, SignedDraft } from './draft.ts';
import { keepTransactions } from './keep-transactions.ts';
import { notNow } from './not-now.ts';
import { sendKept } from './send-kept.ts';
import type { SendingContext } from './sending-context.ts';
import { costOf } from './transaction-cost.ts';

/** Headroom over what the simulation used. */
const COMPUTE_MARGIN = 1.2;

/**
 * Signs transactions, keeps their bytes, then sends them: a crash in between can only send the same bytes again. Each
 * step is taken for all of them at once. The tracker and the listener do the rest. Outcomes in the order of the drafts.
 * @throws DomainError unavailable when the chain does not answer
 */
export async function submitTransactions(
  ctx: SendingContext,
  tenantId: TenantId,
  drafts: readonly Draft[],
  claim?: Claim,
): Promise<DraftOutcome[]> {
  const latest = await ctx.rpc.latestBlockhash();
  const signed = await Promise.all(
    drafts.map((draft) => sign(ctx, draft, latest.blockhash).catch(asFailure)),
  );
  const good = signed.filter((one): one is SignedDraft => 'raw' in one);
  const kept = await keepTransactions(ctx, tenantId, good, latest.lastValidBlockHeight, claim);
  for (const one of good) if (!kept.includes(one)) ctx.payers.release(one.payer);
  for (const { purpose, subjects } of kept)
    ctx.metrics.transactions.inc({ purpose, step: 'prepared' }, subjects.length);
  const purposes = new Set(kept.map(({ purpose }) => purpose));
  for (const purpose of purposes) await ctx.failpoints.hit(`${purpose}.prepared`);
  await sendKept(
    ctx,
    kept.map(({ signature, raw }) => ({ tenantId, signature, raw })),
  );
  for (const purpose of purposes) await ctx.failpoints.hit(`${purpose}.submitted`);
  const keptOnes = new Set(kept.map(({ draft }) => draft));
  return signed.map((one) => ('raw' in one ? (keptOnes.has(one.draft) ? 'kept' : 'superfluous') : one));
}

/** A single one. @throws DomainError unavailable when it could not run for now, ProgramRefusal when never */
export async function submitTransaction(
  ctx: SendingContext,
  tenantId: TenantId,
  draft: Draft,
  claim?: Claim,
): Promise<void> {
  const [outcome] = await submitTransactions(ctx, tenantId, [draft], claim);
  if (typeof outcome === 'object') throw refusalOf(outcome);
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

/** The error that a failure stands for. What could not run for now waits, however long: that is nobody's fault. */
export function refusalOf({ kind, code }: Failure): Error {
  return kind === 'never' ? new ProgramRefusal(code) : notNow(code);
}

async function sign(ctx: SendingContext, draft: Draft, blockhash: string): Promise<SignedDraft | Failure> {
  const prices = ctx.payers.prices();
  const { unitPrice } = prices;
  const lamports = costOf(
    { accounts: draft.accounts, signatures: 1 + draft.signers.length, units: draft.units },
    prices,
  );
  const { key: payerKey, address: payer } = ctx.payers.choose(lamports);
  try {
    const keys = [payerKey, ...draft.signers];
    const signers = await Promise.all(keys.map((key) => ctx.signer.address(key)));
    let units: number | undefined;
    if (draft.careful) {
      const message = draft.write({ payer, blockhash, unitPrice, units: MOST_UNITS });
      const simulated = await simulate(ctx, message, signers);
      if (typeof simulated === 'object') {
        ctx.payers.release(payer);
        return simulated;
      }
      units = Math.ceil(simulated * COMPUTE_MARGIN);
    }
    const message = draft.write({ payer, blockhash, unitPrice, units });
    const signatures: Record<string, Uint8Array> = {};
    for (const [i, key] of keys.entries())
      signatures[signers[i] as string] = await ctx.signer.sign(key, message);
    const raw = attachSignatures(message, signatures);
    const signature = bs58.encode(signatures[payer] as Uint8Array);
    const { purpose, subjects } = draft;
    return { draft, purpose, subjects, raw, signature, payer, lamports };
  } catch (error) {
    ctx.payers.release(payer);
    throw error;
  }
}

/** What cannot be written at all, no program will take: a text or a number that does not fit its field. */
function asFailure(error: unknown): Failure {
  if (error instanceof RangeError) return { code: error.message.slice(0, 200), kind: 'never' };
  throw error;
}

/** What a transaction may ask for at most. */
const MOST_UNITS = 1_400_000;

/** The units that it takes, or why it would fail. */
async function simulate(
  ctx: SendingContext,
  message: Uint8Array,
  signers: readonly string[],
): Promise<number | Failure> {
  const blank = new Uint8Array(64);
  const unsigned = attachSignatures(message, Object.fromEntries(signers.map((signer) => [signer, blank])));
  const { err, unitsConsumed } = await ctx.rpc.ask((node) => node.simulate(unsigned));
  return err === null ? (unitsConsumed ?? MOST_UNITS) : classifyFailure(err);
}
