import { sql } from 'kysely';
import type { AppContext } from '../../context.ts';
import { tenantKey } from '../../platform/cache.ts';
import type { Db } from '../../platform/db.ts';
import { type TenantId, toTenantId } from '../../platform/ids.ts';
import { enqueue } from '../../platform/outbox.ts';
import { withSystem, withTenant } from '../../platform/tenant-tx.ts';
import { visitEach } from '../../platform/visit-each.ts';
import { publishAvailability } from './publish-availability.ts';
import { capacityMessages } from './queries.ts';

type Context = Pick<AppContext, 'db' | 'cache' | 'clock' | 'log'>;
type Overdue = {
  group_id: string | null;
  order_id: string | null;
  code: string | null;
  event_id: string;
  quantity: number;
  seat_ids: string[] | null;
};

const TYPES_AT_ONCE = 200;

/**
 * Cleans up holds that ran out. Correctness does not wait for it, a sale that needs the places takes them itself; but the
 * counters read true again, and the people concerned are told. Returns how many ticket types were looked at.
 */
export async function expireHolds(ctx: Context, relay: Db): Promise<number> {
  const now = ctx.clock.now();
  const due = await withSystem(relay, (tx) =>
    tx
      .selectFrom('holds')
      .select(['tenant_id', 'ticket_type_id'])
      .distinct()
      .where('state', '=', 'active')
      .where('expires_at', '<=', now)
      .limit(TYPES_AT_ONCE)
      .execute(),
  );
  await visitEach(due, ({ tenant_id, ticket_type_id }) => expire(ctx, toTenantId(tenant_id), ticket_type_id));
  return due.length;
}

async function expire(ctx: Context, tenantId: TenantId, ticketTypeId: string): Promise<void> {
  const now = ctx.clock.now();
  const ended = await withTenant(ctx.db, tenantId, async (tx) => {
    await sql`select from inventory where tenant_id = ${tenantId} and ticket_type_id = ${ticketTypeId} for update`.execute(
      tx,
    );
    const overdue: Overdue[] = await tx
      .selectFrom('holds')
      .select(['group_id', 'order_id', 'code', 'event_id', 'quantity', 'seat_ids'])
      .where('tenant_id', '=', tenantId)
      .where('ticket_type_id', '=', ticketTypeId)
      .where('state', '=', 'active')
      .where('expires_at', '<=', now)
      .execute();
    const [first] = overdue;
    if (!first) return [];
    await sql`select reclaim_expired_holds(${tenantId}, ${ticketTypeId}, ${now})`.execute(tx);
    const freed = {
      event_id: first.event_id,
      ticket_type_id: ticketTypeId,
      quantity: overdue.reduce((sum, hold) => sum + hold.quantity, 0),
    };
    const messages = await capacityMessages(tx, tenantId, [freed], {
      transactionId: first.group_id ?? (first.order_id as string),
      operation: 'release',
    });
    await enqueue(tx, now, messages);
    return overdue;
  });
  const [first] = ended;
  if (!first) return;
  const keys = ended.flatMap(({ code, event_id, seat_ids }) => [
    ...(code === null ? [] : [tenantKey(tenantId, 'reservation', code)]),
    ...(seat_ids ?? []).map((seat) => tenantKey(tenantId, 'seat_lock', event_id, seat)),
  ]);
  if (keys.length > 0) await ctx.cache.delete(...keys);
  await publishAvailability(ctx, tenantId, first.event_id);
}
