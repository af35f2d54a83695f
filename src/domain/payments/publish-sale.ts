import type { AppContext } from '../../context.ts';
import { tenantKey } from '../../platform/cache.ts';
import type { TenantId } from '../../platform/ids.ts';
import { publishAvailability } from '../inventory/publish-availability.ts';
import type { OrderAnswer } from '../orders/schema.ts';

/** Right after the commit: what readers see through the cache follows the sale. The sale stands without it. */
export async function publishSale(
  ctx: Pick<AppContext, 'db' | 'cache' | 'clock' | 'log'>,
  tenantId: TenantId,
  sale: OrderAnswer,
  userId: string,
): Promise<void> {
  await ctx.cache.delete(tenantKey(tenantId, 'event_tickets', userId));
  await publishAvailability(ctx, tenantId, sale.eventId);
}
