import { sql } from 'kysely';
import type { AppContext } from '../../context.ts';
import type { Message } from '../../messages.ts';
import { newCode, newId, type TenantId } from '../../platform/ids.ts';
import { enqueue } from '../../platform/outbox.ts';
import { type TenantTx, withTenant } from '../../platform/tenant-tx.ts';
import { publishAvailability } from '../inventory/publish-availability.ts';
import { countWaiting, endOffers, lockCounter, whyNotOnSale } from './queries.ts';

type Offered = Extract<Message, { kind: 'waiting.offered' }>;

const OFFER_MS = 30 * 60_000;
/** How far down the line one transaction looks. */
const AT_ONCE = 100;

/**
 * Gives the free places of a ticket type to those who wait for it, as holds of half an hour: to the first whose wish they
 * fulfil, and what is too little for everybody to the first as a part. So no place stays empty while somebody waits. Ends
 * offers that nobody took first. Returns how many offers were made. Does nothing for a type without a list.
 */
export async function offerPlaces(
  ctx: Pick<AppContext, 'db' | 'cache' | 'clock' | 'log'>,
  tenantId: TenantId,
  ticketTypeId: string,
): Promise<number> {
  let offers = 0;
  for (;;) {
    const offered = await makeOffers(ctx, tenantId, ticketTypeId);
    const [first] = offered;
    if (!first) return offers;
    await publishAvailability(ctx, tenantId, first.body.eventId);
    offers += offered.length;
  }
}

async function makeOffers(
  ctx: Pick<AppContext, 'db' | 'clock'>,
  tenantId: TenantId,
  ticketTypeId: string,
): Promise<Offered[]> {
  const now = ctx.clock.now();
  return withTenant(ctx.db, tenantId, async (tx) => {
    const known = await tx
      .selectFrom('waiting_list')
      .select('id')
      .where('tenant_id', '=', tenantId)
      .where('ticket_type_id', '=', ticketTypeId)
      .where('state', 'in', ['waiting', 'offered'])
      .limit(1)
      .executeTakeFirst();
    if (!known || !(await lockCounter(tx, tenantId, ticketTypeId))) return [];
    await sql`select reclaim_expired_holds(${tenantId}, ${ticketTypeId}, ${now})`.execute(tx);
    await endOffers(tx, tenantId, now, ticketTypeId);
    // Nobody is offered what may not be sold: when it may be again, the next look offers it.
    if (await whyNotOnSale(tx, tenantId, now, ticketTypeId)) return [];
    const counter = await lockCounter(tx, tenantId, ticketTypeId);
    let left = counter ? counter.capacity - counter.held - counter.sold : 0;
    const entries = await tx
      .selectFrom('waiting_list')
      .selectAll()
      .where('tenant_id', '=', tenantId)
      .where('ticket_type_id', '=', ticketTypeId)
      .where('state', '=', 'waiting')
      .orderBy('id')
      .limit(AT_ONCE)
      .forUpdate()
      .execute();
    const messages: Offered[] = [];
    let passed: Entry | undefined;
    for (const entry of entries) {
      if (left === 0) break;
      const quantity = Math.min(entry.quantity, await allowance(tx, tenantId, now, entry));
      if (quantity === 0) await passOver(tx, tenantId, now, entry);
      else if (quantity > left) passed ??= entry;
      else {
        left -= quantity;
        messages.push(await offer(tx, tenantId, now, { ...entry, quantity }));
      }
    }
    if (passed && left > 0) {
      const quantity = Math.min(left, await allowance(tx, tenantId, now, passed));
      if (quantity > 0) messages.push(await offer(tx, tenantId, now, { ...passed, quantity }));
    }
    await countWaiting(tx, tenantId, now, ticketTypeId);
    await enqueue(tx, now, messages);
    return messages;
  });
}

type Entry = {
  id: string;
  event_id: string;
  ticket_type_id: string;
  user_id: string;
  customer_name: string;
  customer_email: string;
  verified_email: string | null;
  quantity: number;
};

/** How many more a person may have, by their user and their verified address. */
async function allowance(tx: TenantTx, tenantId: TenantId, now: Date, entry: Entry): Promise<number> {
  const { rows } = await sql<{ allowance: number | null }>`
    select case when t.per_customer_limit is not null then t.per_customer_limit
      - customer_share(${tenantId}, t.id, ${entry.user_id}, ${entry.verified_email}, ${now}) end as allowance
    from ticket_types t where t.tenant_id = ${tenantId} and t.id = ${entry.ticket_type_id}`.execute(tx);
  const allowed = rows[0]?.allowance;
  return allowed == null ? Number.POSITIVE_INFINITY : Math.max(allowed, 0);
}

/** Who owns as many as they may have is through; who only holds them keeps their place, for a hold may run out. */
async function passOver(tx: TenantTx, tenantId: TenantId, now: Date, entry: Entry): Promise<void> {
  const whenHoldsAreOver = new Date(now.getTime() + 86_400_000);
  if ((await allowance(tx, tenantId, whenHoldsAreOver, entry)) > 0) return;
  await tx
    .updateTable('waiting_list')
    .set({ state: 'expired', updated_at: now })
    .where('tenant_id', '=', tenantId)
    .where('id', '=', entry.id)
    .execute();
}

async function offer(tx: TenantTx, tenantId: TenantId, now: Date, entry: Entry): Promise<Offered> {
  const holdId = newId();
  const code = newCode('OFF', now);
  const expiresAt = new Date(now.getTime() + OFFER_MS);
  await tx
    .updateTable('inventory')
    .set((eb) => ({ held: eb('held', '+', entry.quantity) }))
    .where('tenant_id', '=', tenantId)
    .where('ticket_type_id', '=', entry.ticket_type_id)
    .execute();
  await tx
    .insertInto('holds')
    .columns([
      'tenant_id',
      'id',
      'group_id',
      'code',
      'kind',
      'event_id',
      'ticket_type_id',
      'user_id',
      'customer_name',
      'customer_email',
      'verified_email',
      'quantity',
      'unit_price_minor',
      'expires_at',
      'created_at',
    ])
    .expression((eb) =>
      eb
        .selectFrom('ticket_types as t')
        .select([
          't.tenant_id',
          sql<string>`${holdId}::uuid`.as('id'),
          sql<string>`${holdId}::uuid`.as('group_id'),
          sql<string>`${code}`.as('code'),
          sql<string>`'offer'`.as('kind'),
          't.event_id',
          't.id as ticket_type_id',
          sql<string>`${entry.user_id}`.as('user_id'),
          sql<string>`${entry.customer_name}`.as('customer_name'),
          sql<string>`${entry.customer_email}`.as('customer_email'),
          sql<string | null>`${entry.verified_email}::text`.as('verified_email'),
          sql<number>`${entry.quantity}::smallint`.as('quantity'),
          't.price_minor',
          sql<Date>`${expiresAt}::timestamptz`.as('expires_at'),
          sql<Date>`${now}::timestamptz`.as('created_at'),
        ])
        .where('t.tenant_id', '=', tenantId)
        .where('t.id', '=', entry.ticket_type_id),
    )
    .execute();
  await tx
    .updateTable('waiting_list')
    .set({ state: 'offered', hold_group: holdId, offer_expires_at: expiresAt, updated_at: now })
    .where('tenant_id', '=', tenantId)
    .where('id', '=', entry.id)
    .execute();
  const body = {
    entryId: entry.id,
    eventId: entry.event_id,
    userId: entry.user_id,
    code,
    quantity: entry.quantity,
    expiresAt: expiresAt.toISOString(),
  };
  return { kind: 'waiting.offered', body };
}
