import type { AppContext } from '../../context.ts';
import type { TenantId } from '../../platform/ids.ts';
import { createLanes } from '../../platform/lane.ts';
import { callFunction } from '../../platform/tenant-tx.ts';
import type { SaleRow } from '../inventory/sale-refusal.ts';

/** A request as `place_orders` or `settle_orders` takes it, but for its number in the batch. */
type Item = { kind: Kind; tenantId: TenantId; request: Record<string, unknown> };
type Kind = 'place' | 'settle';

export type SaleLanes = {
  /** `name` is what the item's order is of; what two names do at once must not need each other's orders. */
  submit(name: string, item: Item): Promise<SaleRow>;
};

/** Of the connections, what selling takes at most: with all of them it had smaller batches and was three times slower. */
const SHARE = 2 / 5;
/** From so many requests of one name at once on it has a lane of its own. */
const RUSH = 8;

const MAX_BATCH = 256;
const HOLD_MS = 15 * 60_000;
/** A payment that nobody settled by then is asked for at the provider. */
const POLL_AFTER_MS = 60_000;
const POLL_AGAIN_MS = 15_000;

/**
 * In a rush, new orders of a ticket type and the payments of earlier ones need the same hot row, so they go through one
 * lane and in one transaction: in two they would wait for each other's commit, with half as many in each batch. What a
 * tenant sells here and there goes together too, orders apart from payments: each call locks its counters in one order,
 * but two calls in one transaction would not.
 */
export function createSaleLanes(ctx: Pick<AppContext, 'db' | 'clock' | 'config'>): SaleLanes {
  const lanes = createLanes<Item, SaleRow>({
    maxBatch: MAX_BATCH,
    atOnce: Math.ceil(ctx.config.DATABASE_POOL_SIZE * SHARE),
    flush: (_name, items) => flush(ctx, items),
  });
  const under = new Map<string, number>();
  return {
    async submit(name, item) {
      const key = `${item.tenantId}:${name}`;
      const others = under.get(key) ?? 0;
      under.set(key, others + 1);
      try {
        return await lanes.submit(others >= RUSH ? key : `${item.tenantId}:${item.kind}`, item);
      } finally {
        const left = (under.get(key) as number) - 1;
        if (left === 0) under.delete(key);
        else under.set(key, left);
      }
    },
  };
}

async function flush(ctx: Pick<AppContext, 'db' | 'clock'>, items: Item[]): Promise<SaleRow[]> {
  const rows = await callFunction<SaleRow & { kind: Kind }>(ctx.db, toCall(ctx.clock.now(), items));
  const answers = new Map(rows.map((row) => [`${row.kind}:${row.n}`, row]));
  const counts = { place: 0, settle: 0 };
  return items.map(({ kind }) => answers.get(`${kind}:${++counts[kind]}`) as SaleRow);
}

/** The one call for a batch; most batches under load have both kinds. */
function toCall(now: Date, items: Item[]): { name: string; text: string; values: unknown[] } {
  const { tenantId } = items[0] as Item;
  const later = (ms: number): Date => new Date(now.getTime() + ms);
  const placed = toBatch(items, 'place');
  const settled = toBatch(items, 'settle');
  if (settled === undefined) {
    const text = `select 'place' as kind, n, outcome, details from place_orders($1, $2, $3, $4, $5)`;
    return {
      name: 'place_orders',
      text,
      values: [tenantId, now, later(HOLD_MS), later(POLL_AFTER_MS), placed],
    };
  }
  const text = `select 'settle' as kind, n, outcome, details from settle_orders($1, $2, $3, $4)`;
  const values = [tenantId, now, later(POLL_AGAIN_MS), settled];
  if (placed === undefined) return { name: 'settle_orders', text, values };
  return {
    name: 'sell',
    // Settling comes first: what fails to be paid frees its places before others are refused.
    text: `${text} union all select 'place', n, outcome, details from place_orders($1, $2, $5, $6, $7)`,
    values: [...values, later(HOLD_MS), later(POLL_AFTER_MS), placed],
  };
}

/** The requests of one kind, numbered from 1 on as the functions want them; undefined when there are none. */
function toBatch(items: Item[], kind: Kind): string | undefined {
  const own = items.filter((item) => item.kind === kind);
  return own.length > 0 ? JSON.stringify(own.map(({ request }, i) => ({ ...request, n: i + 1 }))) : undefined;
}
