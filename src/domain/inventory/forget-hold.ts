import type { AppContext } from '../../context.ts';
import { tenantKey } from '../../platform/cache.ts';
import type { TenantId } from '../../platform/ids.ts';
import { withTenant } from '../../platform/tenant-tx.ts';

/**
 * Right after the commit that ended a hold: the cache must not show a reservation that is over, nor a seat as locked.
 * Of reservations and offers the code says all; the seats of a lock, and what an order held, are looked up.
 */
export async function forgetHold(
  ctx: Pick<AppContext, 'db' | 'cache'>,
  tenantId: TenantId,
  by: { code: string } | { orderId: string },
): Promise<void> {
  if ('code' in by && !by.code.startsWith('LCK_')) {
    await ctx.cache.delete(tenantKey(tenantId, 'reservation', by.code));
    return;
  }
  const holds = await withTenant(ctx.db, tenantId, (tx) =>
    tx
      .selectFrom('holds')
      .select(['code', 'event_id', 'seat_ids'])
      .where('tenant_id', '=', tenantId)
      .where((eb) => ('code' in by ? eb('code', '=', by.code) : eb('order_id', '=', by.orderId)))
      .execute(),
  );
  const keys = holds.flatMap(({ code, event_id, seat_ids }) => [
    ...(code === null ? [] : [tenantKey(tenantId, 'reservation', code)]),
    ...(seat_ids ?? []).map((seat) => tenantKey(tenantId, 'seat_lock', event_id, seat)),
  ]);
  if (keys.length > 0) await ctx.cache.delete(...keys);
}
