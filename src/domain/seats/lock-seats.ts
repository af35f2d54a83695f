import type { AppContext } from '../../context.ts';
import { type Actor, actorName, requireRole } from '../../platform/actor.ts';
import { tenantKey } from '../../platform/cache.ts';
import { DomainError, notFound } from '../../platform/errors.ts';
import { requestHash } from '../../platform/idempotency.ts';
import { newCode, newId } from '../../platform/ids.ts';
import { createLanes } from '../../platform/lane.ts';
import { callFunction, withTenant } from '../../platform/tenant-tx.ts';
import { countHold, maxHeld } from '../inventory/limit-holds.ts';
import { publishAvailability } from '../inventory/publish-availability.ts';
import { replayed } from '../inventory/replayed.ts';
import { type SaleRow, saleRefusal } from '../inventory/sale-refusal.ts';
import { timeRemaining } from '../inventory/time-remaining.ts';
import { createFindTaken } from './find-taken.ts';
import { findAdjacent, hasSeats } from './queries.ts';
import type { LockInput, LockView } from './schema.ts';

type Item = { actor: Actor; eventId: string; seatIds: string[]; request: LockInput; key: string };
type Stored = Omit<LockView, 'timeRemaining'>;
type Context = Pick<AppContext, 'db' | 'cache' | 'clock' | 'config' | 'log' | 'metrics'>;

export type LockSeats = (
  actor: Actor,
  input: LockInput,
  call: { idempotencyKey: string; address?: string | undefined },
) => Promise<LockView>;

const ROUTE = 'POST /seats/lock';
const MAX_BATCH = 128;
const LOCK_MS = 5 * 60_000;
/** How many runs of seats are tried before "best available" gives up; each is another the next time. */
const TRIES = 8;
const DRAWN = 16;

/** Locks seats for five minutes, all of them or none. Locks of one event that arrive together are one statement. */
export function createLockSeats(ctx: Context): LockSeats {
  const lanes = createLanes<Item, SaleRow>({
    maxBatch: MAX_BATCH,
    flush: (_key, items) => flush(ctx, items),
  });

  const findTaken = createFindTaken(ctx);

  async function lock(actor: Actor, input: LockInput, seatIds: string[], key: string): Promise<SaleRow> {
    const unavailable = await findTaken({ actor, eventId: input.eventId, seatIds, route: ROUTE, key });
    if (unavailable.length > 0) {
      ctx.metrics.sales.inc({ outcome: 'shed' });
      return { n: 1, outcome: 'seats_unavailable', details: { unavailable } };
    }
    const item = { actor, eventId: input.eventId, seatIds, request: input, key };
    const row = await lanes.submit(`${actor.tenantId}:${input.eventId}`, item);
    ctx.metrics.sales.inc({ outcome: row.outcome });
    return row;
  }

  return async (actor, input, { idempotencyKey, address }) => {
    requireRole(actor, 'buyer', 'organiser', 'support');
    await countHold(ctx, actor, address);
    const row = input.seatIds
      ? await lock(actor, input, input.seatIds, idempotencyKey)
      : await lockBest(ctx, actor, input, (seatIds) => lock(actor, input, seatIds, idempotencyKey));
    const stored = row.outcome === 'replay' ? replayed<Stored>(row) : (row.details as Stored);
    if (row.outcome === 'locked') await publishLock(ctx, actor, stored);
    else if (row.outcome !== 'replay') throw saleRefusal(row, actor);
    return { ...stored, timeRemaining: timeRemaining(stored.expiresAt, ctx.clock.now()) };
  };
}

/** The best run of neighbours that nobody takes meanwhile. After the first try runs are drawn, so that a crowd parts. */
async function lockBest(
  ctx: Context,
  actor: Actor,
  input: LockInput,
  lock: (seatIds: string[]) => Promise<SaleRow>,
): Promise<SaleRow> {
  const wish = input.bestAvailable as NonNullable<LockInput['bestAvailable']>;
  for (let tried = 0; tried < TRIES; tried++) {
    const limit = tried === 0 ? 1 : DRAWN;
    const runs = await withTenant(ctx.db, actor.tenantId, (tx) =>
      findAdjacent(tx, actor.tenantId, ctx.clock.now(), { eventId: input.eventId, ...wish, limit }),
    );
    const run = runs[Math.floor(Math.random() * runs.length)];
    // An empty lock takes nothing; it only finds out what became of an earlier request with this key.
    const row = await lock(run ?? []);
    if (row.outcome === 'no_seats') break;
    if (row.outcome !== 'seats_unavailable') return row;
  }
  const known = await withTenant(ctx.db, actor.tenantId, (tx) =>
    hasSeats(tx, actor.tenantId, { eventId: input.eventId, ...wish }),
  );
  if (!known) throw notFound('seats of this ticket type and section');
  throw new DomainError(
    'conflict',
    'no_adjacent_seats',
    `There are no ${wish.quantity} free seats side by side.`,
  );
}

function flush(ctx: Context, items: Item[]): Promise<SaleRow[]> {
  const now = ctx.clock.now();
  const requests = items.map(({ actor, eventId, seatIds, request, key }, i) => ({
    n: i + 1,
    principal: actorName(actor),
    route: ROUTE,
    key,
    request_hash: `\\x${requestHash(request).toString('hex')}`,
    group_id: newId(),
    hold_ids: seatIds.map(newId),
    code: newCode('LCK', now),
    user_id: actor.subject,
    event_id: eventId,
    seat_ids: seatIds,
    customer_name: request.customerName,
    customer_email: request.customerEmail,
    verified_email: actor.verifiedEmail,
    max_held: maxHeld(ctx, actor),
    customer_phone: request.customerPhone,
  }));
  return callFunction<SaleRow>(ctx.db, {
    name: 'lock_seats',
    text: 'select n, outcome, details from lock_seats($1, $2, $3, $4)',
    values: [
      (items[0] as Item).actor.tenantId,
      now,
      new Date(now.getTime() + LOCK_MS),
      JSON.stringify(requests),
    ],
  });
}

/** Tells the readers of the cache; the lock stands without it. */
async function publishLock(ctx: Context, actor: Actor, lock: Stored): Promise<void> {
  const { tenantId } = actor;
  await Promise.all(
    lock.seats.map(({ id }) =>
      ctx.cache.set(tenantKey(tenantId, 'seat_lock', lock.eventId, id), actor.subject, LOCK_MS / 1000),
    ),
  );
  await publishAvailability(ctx, tenantId, lock.eventId);
}
