import { sql } from 'kysely';
import type { AppContext } from '../../context.ts';
import { type Actor, actorName, isStaff } from '../../platform/actor.ts';
import { recordAudit } from '../../platform/audit.ts';
import { tenantKey } from '../../platform/cache.ts';
import { DomainError, notFound } from '../../platform/errors.ts';
import { enqueue } from '../../platform/outbox.ts';
import { withTenant } from '../../platform/tenant-tx.ts';
import { publishAvailability } from './publish-availability.ts';
import { capacityMessages } from './queries.ts';
import type { SoldOutGate } from './sold-out-gate.ts';

/** Gives a reservation, a seat lock or an offer up; what it held is on sale again at once. */
export async function releaseHold(
  ctx: Pick<AppContext, 'db' | 'cache' | 'clock' | 'log'>,
  gate: SoldOutGate,
  actor: Actor,
  input: { code: string },
): Promise<{ id: string; status: 'released' }> {
  const { tenantId } = actor;
  const now = ctx.clock.now();
  const released = await withTenant(ctx.db, tenantId, async (tx) => {
    const lines = await tx
      .selectFrom('holds')
      .select(['group_id', 'user_id', 'event_id', 'ticket_type_id', 'quantity', 'seat_ids', 'state'])
      .where('tenant_id', '=', tenantId)
      .where('code', '=', input.code)
      // What has a code has a group.
      .$narrowType<{ group_id: string }>()
      .execute();
    const [first] = lines;
    if (!first || (first.user_id !== actor.subject && !isStaff(actor))) throw notFound('reservation or lock');
    const { rows } = await sql<{ event: string | null }>`
      select release_hold(${tenantId}, ${now}, ${first.group_id}) as event`.execute(tx);
    if (!rows[0]?.event) {
      throw new DomainError('conflict', 'hold_over', 'It has run out, was used, or is being paid for.');
    }
    const active = lines.filter((line) => line.state === 'active');
    await enqueue(
      tx,
      now,
      await capacityMessages(tx, tenantId, active, { transactionId: input.code, operation: 'release' }),
    );
    await recordAudit(tx, tenantId, now, {
      actor: actorName(actor),
      action: 'hold.released',
      subject: first.group_id,
      details: { code: input.code },
    });
    return { eventId: first.event_id, lines: active };
  });
  for (const { ticket_type_id } of released.lines) gate.open(tenantId, ticket_type_id);
  const seats = released.lines.flatMap(({ seat_ids }) => seat_ids ?? []);
  await ctx.cache.delete(
    tenantKey(tenantId, 'reservation', input.code),
    ...seats.map((seat) => tenantKey(tenantId, 'seat_lock', released.eventId, seat)),
  );
  await publishAvailability(ctx, tenantId, released.eventId);
  return { id: input.code, status: 'released' };
}
