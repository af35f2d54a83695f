import { sql } from 'kysely';
import pg from 'pg';
import type { AppContext } from '../../context.ts';
import { type Actor, requireRole } from '../../platform/actor.ts';
import { DomainError, notFound } from '../../platform/errors.ts';
import { newId } from '../../platform/ids.ts';
import { withTenant } from '../../platform/tenant-tx.ts';
import { countWaiting, findEntry, lockCounter } from './queries.ts';
import type { EntryView, JoinInput } from './schema.ts';

/** Gets in line for a ticket type that is sold out. While there is a free place the answer is to buy it. */
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
      const type = await tx
        .selectFrom('ticket_types as t')
        .innerJoin('events as e', (join) =>
          join.onRef('e.tenant_id', '=', 't.tenant_id').onRef('e.id', '=', 't.event_id'),
        )
        .select([
          't.event_id',
          't.is_active',
          't.is_seated',
          't.per_order_limit',
          'e.is_active as eventActive',
          'e.starts_at',
        ])
        .where('t.tenant_id', '=', tenantId)
        .where('t.id', '=', input.ticketTypeId)
        .executeTakeFirst();
      const counter = type && (await lockCounter(tx, tenantId, input.ticketTypeId));
      if (!type || !counter) throw notFound('ticket type');
      if (!type.is_active || !type.eventActive || type.starts_at <= now)
        throw conflict('not_on_sale', 'This is not on sale.');
      if (type.is_seated)
        throw conflict('seats_required', 'This is sold by the seat; there is no list for it.');
      if (input.quantity > type.per_order_limit)
        throw conflict('order_limit_exceeded', `At most ${type.per_order_limit} in one order.`);
      const { rows } = await sql<{
        freed: number;
      }>`select reclaim_expired_holds(${tenantId}, ${input.ticketTypeId}, ${now}) as freed`.execute(tx);
      const left = counter.capacity - counter.held - counter.sold + (rows[0]?.freed ?? 0);
      const waiting = await tx
        .selectFrom('waiting_list')
        .select('id')
        .where('tenant_id', '=', tenantId)
        .where('ticket_type_id', '=', input.ticketTypeId)
        .where('state', '=', 'waiting')
        .limit(1)
        .executeTakeFirst();
      if (!waiting && left >= input.quantity)
        throw conflict('not_sold_out', 'There are places left: buy them.');
      const id = newId();
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

function conflict(code: string, message: string): DomainError {
  return new DomainError('conflict', code, message);
}
