import type { AppContext } from '../../context.ts';
import type { Actor } from '../../platform/actor.ts';
import { tenantKey } from '../../platform/cache.ts';
import { DomainError } from '../../platform/errors.ts';

/** How many places of one event the actor may hold at once, null for staff: they hold for groups, and answer for it. */
export function maxHeld(ctx: Pick<AppContext, 'config'>, actor: Actor): number | null {
  return actor.role === 'buyer' ? ctx.config.MAX_HELD_PLACES : null;
}

/**
 * Counts an attempt to take places, against the buyer and against the address that it came from. A shop that asks for its
 * buyers has one address for all of them, so there only the buyer counts. Counted in the cache as all rates are: without
 * Redis the limit loosens; how much one person holds is decided by the database.
 * @throws DomainError rate_limited `too_many_holds`
 */
export async function countHold(
  ctx: Pick<AppContext, 'cache' | 'clock' | 'config'>,
  actor: Actor,
  address: string | undefined,
): Promise<void> {
  if (actor.role !== 'buyer') return;
  const { HOLDS_PER_MINUTE: perBuyer, HOLDS_PER_MINUTE_AND_ADDRESS: perAddress } = ctx.config;
  const seconds = Math.floor(ctx.clock.now().getTime() / 1000);
  const retryAfter = 60 - (seconds % 60);
  const within = async (kind: string, of: string, limit: number): Promise<void> => {
    const key = tenantKey(actor.tenantId, 'holds', kind, of, String(Math.floor(seconds / 60)));
    if ((await ctx.cache.increment(key, 60)) <= limit) return;
    throw new DomainError(
      'rate_limited',
      'too_many_holds',
      'Too many reservations or seat locks in a minute.',
      {
        retryAfter,
      },
    );
  };
  await within('user', actor.subject, perBuyer);
  if (perAddress > 0 && address !== undefined && actor.keyId === undefined)
    await within('address', address, perAddress);
}
