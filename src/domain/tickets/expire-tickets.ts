import { sql } from 'kysely';
import type { AppContext } from '../../context.ts';
import type { Db } from '../../platform/db.ts';
import { type TenantId, toTenantId } from '../../platform/ids.ts';
import { enqueue } from '../../platform/outbox.ts';
import { type TenantTx, withSystem, withTenant } from '../../platform/tenant-tx.ts';
import { visitEach } from '../../platform/visit-each.ts';
import { cacheTicket } from './publish-ticket.ts';
import type { TicketRow } from './queries.ts';

const EVENTS_AT_ONCE = 20;
const TICKETS_AT_ONCE = 500;

type Context = Pick<AppContext, 'db' | 'cache' | 'clock'>;

/** A sale that was under way when its event ended has its tickets by now, or never will. */
const SALE_MS = 60_000;

/** Ends the unused tickets of events that are over. Returns how many tickets. */
export async function expireTickets(ctx: Context, relay: Db): Promise<number> {
  const over = new Date(ctx.clock.now().getTime() - SALE_MS);
  const ended = await withSystem(relay, (tx) =>
    tx
      .selectFrom('events')
      .select(['tenant_id', 'id'])
      .where('ends_at', '<=', over)
      .where('expired_at', 'is', null)
      .orderBy('ends_at')
      .limit(EVENTS_AT_ONCE)
      .execute(),
  );
  let expired = 0;
  await visitEach(ended, async ({ tenant_id, id }) => {
    expired += await expireEvent(ctx, over, toTenantId(tenant_id), id);
  });
  return expired;
}

async function expireEvent(ctx: Context, over: Date, tenantId: TenantId, eventId: string): Promise<number> {
  let expired = 0;
  for (;;) {
    const tickets = await withTenant(ctx.db, tenantId, (tx) =>
      expireSome(tx, ctx.clock.now(), over, tenantId, eventId),
    );
    await Promise.all(tickets.map((ticket) => cacheTicket(ctx, ticket)));
    expired += tickets.length;
    if (tickets.length < TICKETS_AT_ONCE) return expired;
  }
}

async function expireSome(
  tx: TenantTx,
  now: Date,
  over: Date,
  tenantId: TenantId,
  eventId: string,
): Promise<TicketRow[]> {
  // Looked at again under its lock: it may have been put off, or another worker may be through with it.
  const event = await tx
    .selectFrom('events')
    .select('id')
    .where('tenant_id', '=', tenantId)
    .where('id', '=', eventId)
    .where('ends_at', '<=', over)
    .where('expired_at', 'is', null)
    .forNoKeyUpdate()
    .executeTakeFirst();
  if (!event) return [];
  const { rows } = await sql<TicketRow>`
    update tickets t set status = 'expired', status_actor = 'worker:expiry', status_reason = 'event_over',
      status_signature = null, status_gate = null, version = t.version + 1, updated_at = ${now}
    where t.tenant_id = ${tenantId} and t.id in (
      select u.id from tickets u where u.tenant_id = ${tenantId} and u.event_id = ${eventId}
        and u.status in ('sold', 'minting', 'active', 'transferred')
      order by u.id limit ${TICKETS_AT_ONCE} for no key update)
    returning t.*`.execute(tx);
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
}
