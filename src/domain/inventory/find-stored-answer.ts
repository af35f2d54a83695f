import { sql } from 'kysely';
import type { AppContext } from '../../context.ts';
import { type Actor, actorName } from '../../platform/actor.ts';
import { requestHash } from '../../platform/idempotency.ts';
import { createLanes } from '../../platform/lane.ts';
import { withTenant } from '../../platform/tenant-tx.ts';
import type { SaleRow } from './sale-refusal.ts';

type Question = { actor: Actor; route: string; idempotencyKey: string; request: unknown };
type Known = {
  nth: number;
  status: number | null;
  response: unknown;
  request_hash: Buffer;
  subject_id: string;
  locked_until: Date | null;
};

const MAX_BATCH = 512;

/**
 * What an earlier request with the same key came to, without taking any lock. Questions of a tenant that arrive together
 * are one query.
 */
export function findStoredAnswer(
  ctx: Pick<AppContext, 'db' | 'clock'>,
): (actor: Actor, input: Omit<Question, 'actor'>) => Promise<SaleRow | undefined> {
  const lanes = createLanes<Question, SaleRow | undefined>({
    maxBatch: MAX_BATCH,
    flush: (_key, items) => ask(ctx, items),
  });
  return (actor, { route, idempotencyKey, request }) =>
    lanes.submit(actor.tenantId, { actor, route, idempotencyKey, request });
}

async function ask(
  ctx: Pick<AppContext, 'db' | 'clock'>,
  items: Question[],
): Promise<(SaleRow | undefined)[]> {
  const { tenantId } = (items[0] as Question).actor;
  const rows = await withTenant(ctx.db, tenantId, async (tx) => {
    const principals = items.map(({ actor }) => actorName(actor));
    const { rows } = await sql<Known>`
      select q.nth::integer as nth, k.status, k.response, k.request_hash, k.subject_id, k.locked_until
      from unnest(${principals}::text[], ${items.map((item) => item.route)}::text[], ${items.map((item) => item.idempotencyKey)}::text[])
        with ordinality as q(principal, route, key, nth)
      cross join lateral (
        select * from idempotency_keys
        where tenant_id = ${tenantId} and principal = q.principal and route = q.route and key = q.key offset 0) k
      `.execute(tx);
    return rows;
  });
  const known = new Map(rows.map((row) => [row.nth - 1, row]));
  return items.map(({ request }, i) => {
    const row = known.get(i);
    if (!row) return undefined;
    const n = i + 1;
    if (!row.request_hash.equals(requestHash(request))) return { n, outcome: 'key_reused', details: {} };
    if (row.status === null) {
      const outcome = row.locked_until && row.locked_until > ctx.clock.now() ? 'in_flight' : 'resume';
      return { n, outcome, details: { orderId: row.subject_id } };
    }
    return { n, outcome: 'replay', details: { status: row.status, body: row.response } };
  });
}
