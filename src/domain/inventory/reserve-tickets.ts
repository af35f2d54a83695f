import type { AppContext } from '../../context.ts';
import { type Actor, actorName, requireRole } from '../../platform/actor.ts';
import { tenantKey } from '../../platform/cache.ts';
import { requestHash } from '../../platform/idempotency.ts';
import { newCode, newId } from '../../platform/ids.ts';
import { createLanes } from '../../platform/lane.ts';
import { callFunction } from '../../platform/tenant-tx.ts';
import { countHold, maxHeld } from './limit-holds.ts';
import { publishAvailability } from './publish-availability.ts';
import { replayed } from './replayed.ts';
import { type SaleRow, saleRefusal } from './sale-refusal.ts';
import type { ReservationView, ReserveInput } from './schema.ts';
import { createShedRequest } from './shed-request.ts';
import type { SoldOutGate } from './sold-out-gate.ts';
import { timeRemaining } from './time-remaining.ts';

type Item = { actor: Actor; input: ReserveInput; key: string };
type Stored = Omit<ReservationView, 'timeRemaining'>;

export type ReserveTickets = (
  actor: Actor,
  input: ReserveInput,
  call: { idempotencyKey: string; address?: string | undefined },
) => Promise<ReservationView>;

const ROUTE = 'POST /tickets/reserve';
const MAX_BATCH = 128;
export const RESERVATION_MS = 15 * 60_000;

/** Takes places for a quarter of an hour, at the price of this moment and with the numbers the tickets will have. */
export function createReserveTickets(
  ctx: Pick<AppContext, 'db' | 'cache' | 'clock' | 'config' | 'log' | 'metrics'>,
  gate: SoldOutGate,
): ReserveTickets {
  const lanes = createLanes<Item, SaleRow>({
    maxBatch: MAX_BATCH,
    flush: (_key, items) => flush(ctx, items),
  });
  const shed = createShedRequest(ctx, gate);

  async function reserve(actor: Actor, input: ReserveInput, key: string, address?: string): Promise<SaleRow> {
    const { tenantId } = actor;
    const stored = await shed(actor, input, { route: ROUTE, idempotencyKey: key, request: input });
    if (stored) return stored;
    await countHold(ctx, actor, address);
    const row = await lanes.submit(`${tenantId}:${input.ticketTypeId}`, { actor, input, key });
    ctx.metrics.sales.inc({ outcome: row.outcome });
    if (row.outcome === 'sold_out') gate.close(tenantId, input.ticketTypeId, Number(row.details.available));
    return row;
  }

  return async (actor, input, { idempotencyKey, address }) => {
    requireRole(actor, 'buyer', 'organiser', 'support');
    const { tenantId } = actor;
    const row = await reserve(actor, input, idempotencyKey, address);
    const stored = row.outcome === 'replay' ? replayed<Stored>(row) : (row.details as Stored);
    if (row.outcome === 'reserved') {
      const key = tenantKey(tenantId, 'reservation', stored.reservationId);
      await ctx.cache.set(key, JSON.stringify({ ...stored, userId: actor.subject }), RESERVATION_MS / 1000);
      await publishAvailability(ctx, tenantId, input.eventId);
    } else if (row.outcome !== 'replay') throw saleRefusal(row, actor);
    return { ...stored, timeRemaining: timeRemaining(stored.expiresAt, ctx.clock.now()) };
  };
}

function flush(ctx: Pick<AppContext, 'db' | 'clock' | 'config'>, items: Item[]): Promise<SaleRow[]> {
  const now = ctx.clock.now();
  const requests = items.map(({ actor, input, key }, i) => ({
    n: i + 1,
    principal: actorName(actor),
    route: ROUTE,
    key,
    request_hash: `\\x${requestHash(input).toString('hex')}`,
    hold_id: newId(),
    code: newCode('RES', now),
    user_id: actor.subject,
    event_id: input.eventId,
    ticket_type_id: input.ticketTypeId,
    quantity: input.quantity,
    customer_name: input.customerName,
    customer_email: input.customerEmail,
    verified_email: actor.verifiedEmail,
    max_held: maxHeld(ctx, actor),
    customer_phone: input.customerPhone,
    notes: input.notes,
  }));
  return callFunction<SaleRow>(ctx.db, {
    name: 'reserve_places',
    text: 'select n, outcome, details from reserve_places($1, $2, $3, $4)',
    values: [
      (items[0] as Item).actor.tenantId,
      now,
      new Date(now.getTime() + RESERVATION_MS),
      JSON.stringify(requests),
    ],
  });
}
