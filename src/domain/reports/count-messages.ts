import { sql } from 'kysely';
import type { TenantId } from '../../platform/ids.ts';
import type { TenantTx } from '../../platform/tenant-tx.ts';

/** Adds each message to the minute in which it happened. */
export async function countMessages(
  tx: TenantTx,
  tenantId: TenantId,
  messages: readonly { kind: string; occurredAt: Date; body: { eventId: string; amountMinor?: number } }[],
): Promise<void> {
  const rows = messages.map(({ kind, occurredAt, body }) => ({
    event_id: body.eventId,
    at: occurredAt,
    kind,
    amount_minor: body.amountMinor ?? 0,
  }));
  // Every transaction takes the rows in the order of their key, so two of them cannot wait for each other.
  await sql`
    insert into event_statistics as s (tenant_id, event_id, minute, kind, count, amount_minor)
    select ${tenantId}, r.event_id, date_trunc('minute', r.at), r.kind, count(*), sum(r.amount_minor)
    from json_to_recordset(${JSON.stringify(rows)}) as r (event_id uuid, at timestamptz, kind text, amount_minor bigint)
    group by 2, 3, 4 order by 2, 3, 4
    on conflict (tenant_id, event_id, minute, kind) do update
    set count = s.count + excluded.count, amount_minor = s.amount_minor + excluded.amount_minor`.execute(tx);
}
