import type { AppContext } from '../../context.ts';
import type { Cache } from '../../platform/cache.ts';
import type { TenantId } from '../../platform/ids.ts';
import { refreshAvailability } from './read-availability.ts';

/** The looks that are under way, by the cache that they are for. */
const looks = new WeakMap<Cache, Map<string, { again: boolean }>>();

/**
 * Right after a commit that moved counters: what readers see through the cache follows. Many commits of one event in a
 * moment need one look at its counters, taken after the last of them. What was committed stands without it.
 */
export async function publishAvailability(
  ctx: Pick<AppContext, 'db' | 'cache' | 'clock' | 'log'>,
  tenantId: TenantId,
  eventId: string,
): Promise<void> {
  const key = `${tenantId}:${eventId}`;
  const underWay = looks.get(ctx.cache) ?? new Map<string, { again: boolean }>();
  looks.set(ctx.cache, underWay);
  const running = underWay.get(key);
  if (running) {
    running.again = true;
    return;
  }
  const entry = { again: false };
  underWay.set(key, entry);
  await refresh(ctx, tenantId, eventId);
  // In a rush there is always one more; whoever began the first look does not wait for the rest.
  void (async () => {
    while (entry.again) {
      entry.again = false;
      await refresh(ctx, tenantId, eventId);
    }
    underWay.delete(key);
  })();
}

async function refresh(
  ctx: Pick<AppContext, 'db' | 'cache' | 'clock' | 'log'>,
  tenantId: TenantId,
  eventId: string,
): Promise<void> {
  try {
    await refreshAvailability(ctx, tenantId, eventId);
  } catch (error) {
    ctx.log.warn({ eventId, err: (error as Error).message }, 'the cached availability is late');
  }
}
