import type { AppContext } from '../../context.ts';
import { DomainError } from '../../platform/errors.ts';
import { readListenerState } from '../../platform/listener-state.ts';
import type { ScannedTicket } from './queries.ts';
import type { ScanReason } from './schema.ts';

/** How sure we are of the owner: asked just now, from the listener's finalized copy, from an old copy, or not at all. */
export type OwnerCheck = {
  mode: 'live' | 'copy' | 'last_known' | 'none';
  owner: string | null;
  slot: bigint | null;
  checkedAt: Date;
  reason?: ScanReason;
};

type Policy = 'cached' | 'strict';

/**
 * Whether the wallet that we hold for the owner owns the ticket on chain.
 *
 * `cached` takes the listener's finalized copy while the listener keeps up, and asks the chain when the copy is not
 * final or the listener lags; when the chain does not answer, the last owner known must do, so that the queue moves.
 * `strict` always asks and refuses without an answer.
 */
export async function checkOwner(
  ctx: AppContext,
  ticket: ScannedTicket,
  policy: Policy,
): Promise<OwnerCheck> {
  const checkedAt = ctx.clock.now();
  const { ownerWallet: owner, ownerSlot: slot, chainAccount } = ticket;
  const copy = { owner, slot, checkedAt };
  if (owner === null || chainAccount === null) return { mode: 'none', ...copy, reason: 'not_minted' };
  const final = ticket.syncStatus === 'finalized';
  if (policy === 'cached' && final && (await isFresh(ctx))) return { mode: 'copy', ...copy };

  try {
    const live = await ctx.chain.readTicket(chainAccount);
    const reason = live ? mismatch(live, owner) : 'not_minted';
    return {
      mode: 'live',
      owner: live?.owner ?? null,
      slot: live?.slot ?? null,
      checkedAt,
      ...(reason ? { reason } : {}),
    };
  } catch (error) {
    if (!(error instanceof DomainError && error.kind === 'unavailable')) throw error;
    if (policy === 'strict' || !final) return { mode: 'none', ...copy, reason: 'chain_unavailable' };
    return { mode: 'last_known', ...copy };
  }
}

function mismatch(live: { owner: string; status: string }, owner: string): ScanReason | undefined {
  if (live.status === 'revoked') return 'revoked';
  return live.owner === owner ? undefined : 'owner_mismatch';
}

async function isFresh(ctx: AppContext): Promise<boolean> {
  const state = await readListenerState(ctx);
  return state !== undefined && state.lagSlots <= ctx.config.CHAIN_MAX_LAG_SLOTS;
}
