import { sql } from 'kysely';
import type { TenantId } from '../../platform/ids.ts';
import type { TenantTx } from '../../platform/tenant-tx.ts';

/** Adds one message to the minute in which it happened. */
export async function countMessage(
  tx: TenantTx,
  tenantId: TenantId,
  message: { kind: string; occurredAt: Date; body: { eventId: string; amountMinor?: number } },
): Promise<void> {
  const minute = new Date(Math.floor(message.occurredAt.getTime() / 60_000) * 60_000);
  const { eventId, amountMinor = 0 } = message.body;
  await tx
    .insertInto('event_statistics')
    .values({
      tenant_id: tenantId,
      event_id: eventId,
      minute,
      kind: message.kind,
      count: 1n,
      amount_minor: BigInt(amountMinor),
    })
    .onConflict((conflict) =>
      conflict.columns(['tenant_id', 'event_id', 'minute', 'kind']).doUpdateSet({
        count: sql`event_statistics.count + 1`,
        amount_minor: sql`event_statistics.amount_minor + excluded.amount_minor`,
      }),
    )
    .execute();
}
