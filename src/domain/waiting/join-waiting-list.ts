import { sql } from 'kysely';
import pg from 'pg';
import type { AppContext } from '../../context.ts';
import { type Actor, isStaff, requireRole } from '../../platform/actor.ts';
import { DomainError, notFound } from '../../platform/errors.ts';
import { newIdAt } from '../../platform/ids.ts';
import { withTenant } from '../../platform/tenant-tx.ts';
import { saleRefusal } from '../inventory/sale-refusal.ts';
import { countWaiting, endOffers, findEntry, lockCounter, whyNotOnSale } from './queries.ts';
import type { EntryView, JoinInput } from './schema.ts';

/** Gets in line for a ticket type that is sold out. While any place is free the answer is to buy that. */
export async function joinWaitingList(
  ctx: AppContext,
  actor: Actor,
  input: JoinInput & { ticketTypeId: string },
): Promise<EntryView> {
  requireRole(actor, 'buyer');
  const { tenantId } = actor;
  const now = ctx.clock.now();
  try {
    return await withTenant(ctx.db, tenantId, async (tx) => {
      const counter = await lockCounter(tx, tenantId, input.ticketTypeId);
      const type = await tx
        .selectFrom('ticket_types as t')
        .select(['t.event_id', 't.is_seated', 't.per_order_limit', 't.per_customer_limit'])
        .where('t.tenant_id', '=', tenantId)
        .where('t.id', '=', input.ticketTypeId)
        .executeTakeFirst();
      if (!type || !counter) throw notFound('ticket type');
      const refusal = await whyNotOnSale(tx, tenantId, now, input.ticketTypeId);
      if (refusal === 'event_hidden' && !isStaff(actor)) throw notFound('ticket type');
      if (refusal) throw saleRefusal({ n: 1, outcome: refusal, details: {} }, actor);
      if (type.is_seated)
        throw conflict('seats_required', 'This is sold by the seat; there is no list for it.');
      if (input.quantity > type.per_order_limit)
        throw saleRefusal(
          { n: 1, outcome: 'limit_exceeded', details: { limit: type.per_order_limit } },
          actor,
        );
      const { rows } = await sql<{ freed: number; share: number }>`
        select reclaim_expired_holds(${tenantId}, ${input.ticketTypeId}, ${now}) as freed,
          customer_share(${tenantId}, ${input.ticketTypeId}, ${actor.subject}, ${actor.verifiedEmail ?? null}, ${now}) as share`.execute(
        tx,
      );
      // Whoever bought their offer may wait for more.
      await endOffers(tx, tenantId, now, input.ticketTypeId);
      const { freed = 0, share = 0 } = rows[0] ?? {};
      const customerLimit = type.per_customer_limit;
      if (customerLimit !== null && share + input.quantity > customerLimit)
        throw saleRefusal({ n: 1, outcome: 'customer_limit_exceeded', details: { customerLimit } }, actor);
      const left = counter.capacity - counter.held - counter.sold + freed;
      const waiting = await tx
        .selectFrom('waiting_list')
        .select('id')
        .where('tenant_id', '=', tenantId)
        .where('ticket_type_id', '=', input.ticketTypeId)
        .where('state', '=', 'waiting')
        .limit(1)
        .executeTakeFirst();
      if (!waiting && left > 0)
        throw conflict('not_sold_out', 'There are places left: buy them.', { available: left });
      // Under the lock, by the clock that all processes share: the line is in the order of the ids.
      const id = newIdAt(ctx.clock.now());
      await tx
        .insertInto('waiting_list')
        .values({
          tenant_id: tenantId,
          id,
          event_id: type.event_id,
          ticket_type_id: input.ticketTypeId,
          user_id: actor.subject,
          customer_name: input.customerName,
          customer_email: input.customerEmail,
          verified_email: actor.verifiedEmail ?? null,
          quantity: input.quantity,
          state: 'waiting',
          created_at: now,
          updated_at: now,
        })
        .execute();
      await countWaiting(tx, tenantId, now, input.ticketTypeId);
      const { userId: _userId, ...entry } = (await findEntry(tx, tenantId, id)) as EntryView & {
        userId: string;
      };
      return entry;
    });
  } catch (error) {
    if (error instanceof pg.DatabaseError && error.constraint === 'waiting_list_once') {
      throw conflict('already_waiting', 'You are on this list already.');
    }
    throw error;
  }
}

function conflict(code: string, message: string, extra: Record<string, unknown> = {}): DomainError {
  return new DomainError('conflict', code, message, { extra });
}
