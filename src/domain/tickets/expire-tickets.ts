import { sql } from 'kysely';
import type { AppContext } from '../../context.ts';
import type { Db } from '../../platform/db.ts';
import { type TenantId, toTenantId } from '../../platform/ids.ts';
import { enqueue } from '../../platform/outbox.ts';
import { withSystem, withTenant } from '../../platform/tenant-tx.ts';

const EVENTS_AT_ONCE = 20;
const TICKETS_AT_ONCE = 500;

/** Ends the unused tickets of events that are over. Returns how many tickets. */
export async function expireTickets(ctx: Pick<AppContext, 'db' | 'clock'>, relay: Db): Promise<number> {
  const ended = await withSystem(relay, (tx) =>
    tx
      .selectFrom('events')
      .select(['tenant_id', 'id'])
      .where('ends_at', '<=', ctx.clock.now())
      .where('expired_at', 'is', null)
      .orderBy('ends_at')
      .limit(EVENTS_AT_ONCE)
      .execute(),
  );
  let expired = 0;
  for (const { tenant_id, id } of ended) expired += await expireEvent(ctx, toTenantId(tenant_id), id);
  return expired;
}

async function expireEvent(
  ctx: Pick<AppContext, 'db' | 'clock'>,
  tenantId: TenantId,
  eventId: string,
): Promise<number> {
  let expired = 0;
  for (;;) {
    const now = ctx.clock.now();
    const ids = await withTenant(ctx.db, tenantId, async (tx) => {
      const { rows } = await sql<{ id: string; user_id: string }>`
        update tickets t set status = 'expired', status_actor = 'worker:expiry', status_reason = 'event_over',
          version = t.version + 1, updated_at = ${now}
        where t.tenant_id = ${tenantId} and t.id in (
          select u.id from tickets u where u.tenant_id = ${tenantId} and u.event_id = ${eventId}
            and u.status in ('sold', 'minting', 'active', 'transferred')
          order by u.id limit ${TICKETS_AT_ONCE} for no key update)
        returning t.id, t.user_id`.execute(tx);
      await enqueue(
        tx,
        now,
        rows.map((row) => ({
          kind: 'ticket.expired',
          body: { ticketId: row.id, eventId, userId: row.user_id },
        })),
      );
      if (rows.length < TICKETS_AT_ONCE) {
        await tx
          .updateTable('events')
          .set({ expired_at: now })
          .where('tenant_id', '=', tenantId)
          .where('id', '=', eventId)
          .execute();
      }
      return rows;
    });
    expired += ids.length;
    if (ids.length < TICKETS_AT_ONCE) return expired;
  }
}
