import type { AppContext } from '../../context.ts';
import type { TenantId } from '../../platform/ids.ts';
import { createLanes } from '../../platform/lane.ts';
import { callFunction } from '../../platform/tenant-tx.ts';
import type { SaleRow } from '../inventory/sale-refusal.ts';

/** A request as `place_orders` or `settle_orders` takes it, but for its number in the batch. */
type Item = { kind: Kind; tenantId: TenantId; request: Record<string, unknown> };
type Kind = 'place' | 'settle';

export type SaleLanes = {
  /** One lane for each name; what two lanes do at once must not need each other's orders. */
  submit(name: string, item: Item): Promise<SaleRow>;
};

const MAX_BATCH = 128;
const HOLD_MS = 15 * 60_000;
/** A payment that nobody settled by then is asked for at the provider. */
const POLL_AFTER_MS = 60_000;
const POLL_AGAIN_MS = 15_000;

/**
 * New orders of a ticket type and the payments of earlier ones need the same hot row, so they go through one lane and in
 * one transaction: in two they would wait for each other's commit, with half as many in each batch.
 */
export function createSaleLanes(ctx: Pick<AppContext, 'db' | 'clock'>): SaleLanes {
  const lanes = createLanes<Item, SaleRow>({
    maxBatch: MAX_BATCH,
    flush: (_name, items) => flush(ctx, items),
  });
  return { submit: (name, item) => lanes.submit(`${item.tenantId}:${name}`, item) };
}

async function flush(ctx: Pick<AppContext, 'db' | 'clock'>, items: Item[]): Promise<SaleRow[]> {
  const now = ctx.clock.now();
  const later = (ms: number): Date => new Date(now.getTime() + ms);
  const tenantId = (items[0] as Item).tenantId;
  const batch = (kind: Kind): string | undefined => {
    const own = items.filter((item) => item.kind === kind);
    return own.length > 0
      ? JSON.stringify(own.map(({ request }, i) => ({ ...request, n: i + 1 })))
      : undefined;
  };
  const placed = batch('place');
  const settled = batch('settle');
  const rows = await callFunction<SaleRow & { kind: Kind }>(ctx.db, {
    ...(placed !== undefined && settled !== undefined
      ? {
          name: 'sell',
          // What fails to be paid frees its places before others are refused.
          text: `select 'settle' as kind, n, outcome, details from settle_orders($1, $2, $3, $4)
                 union all select 'place', n, outcome, details from place_orders($1, $2, $5, $6, $7)`,
          values: [
            tenantId,
            now,
            later(POLL_AGAIN_MS),
            settled,
            later(HOLD_MS),
            later(POLL_AFTER_MS),
            placed,
          ],
        }
      : placed !== undefined
        ? {
            name: 'place_orders',
            text: `select 'place' as kind, n, outcome, details from place_orders($1, $2, $3, $4, $5)`,
            values: [tenantId, now, later(HOLD_MS), later(POLL_AFTER_MS), placed],
          }
        : {
            name: 'settle_orders',
            text: `select 'settle' as kind, n, outcome, details from settle_orders($1, $2, $3, $4)`,
            values: [tenantId, now, later(POLL_AGAIN_MS), settled],
          }),
  });
  const answers = new Map(rows.map((row) => [`${row.kind}:${row.n}`, row]));
  const counts = { place: 0, settle: 0 };
  return items.map(({ kind }) => answers.get(`${kind}:${++counts[kind]}`) as SaleRow);
}
