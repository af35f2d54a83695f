import type { AppContext } from '../../context.ts';
import { tenantKey, unversioned } from '../../platform/cache.ts';
import type { TenantId } from '../../platform/ids.ts';
import { callFunction } from '../../platform/tenant-tx.ts';

export type Availability = {
  eventId: string;
  asOf: string;
  ticketTypes: Counter[];
};

type Counter = { ticketTypeId: string; capacity: number; held: number; sold: number; available: number };

/** Holds run out without anybody writing, so what is cached may be this much too low, never too high for a sale. */
const TTL_SECONDS = 10;

/** How much of an event is left. From the cache where it is fresh; the sale itself never looks here. */
export async function readAvailability(
  ctx: AppContext,
  tenantId: TenantId,
  eventId: string,
): Promise<Availability> {
  const cached = await ctx.cache.get(tenantKey(tenantId, 'event', eventId));
  if (cached !== undefined) return JSON.parse(unversioned(cached)) as Availability;
  return refreshAvailability(ctx, tenantId, eventId);
}

/** Reads the counters and writes them to the cache; called right after every commit that moved them. */
export async function refreshAvailability(
  ctx: Pick<AppContext, 'db' | 'cache' | 'clock'>,
  tenantId: TenantId,
  eventId: string,
): Promise<Availability> {
  const now = ctx.clock.now();
  const counters = await callFunction<Counter & { version: bigint }>(ctx.db, {
    name: 'event_counters',
    text: `select ticket_type_id as "ticketTypeId", capacity, held, sold, available, version from event_counters($1, $2, $3)`,
    values: [tenantId, eventId, now],
  });
  const availability: Availability = {
    eventId,
    asOf: now.toISOString(),
    ticketTypes: counters.map(({ version, ...counter }) => counter),
  };
  // Versions only grow, so their sum orders the states of the event.
  const version = counters.reduce((sum, counter) => sum + counter.version, 0n);
  await ctx.cache.setNewer(
    tenantKey(tenantId, 'event', eventId),
    JSON.stringify(availability),
    version,
    TTL_SECONDS,
  );
  return availability;
}
