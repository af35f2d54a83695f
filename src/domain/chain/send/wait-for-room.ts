import { sql } from 'kysely';
import { sleep } from '../../../platform/retry.ts';
import { withSystem } from '../../../platform/tenant-tx.ts';
import type { ChainContext } from './chain-context.ts';
import { notNow } from './not-now.ts';

/** Tickets and other subjects that may be sent and unconfirmed at once: half a second of what a validator takes. */
const WINDOW = 512;
const LOOK_MS = 200;
const PATIENCE_MS = 20_000;

/**
 * Waits until the chain has caught up with what was sent. A node that is slower than the sale would otherwise be asked by
 * nobody but us: it answered neither the sender nor the listener any more, and nothing was confirmed.
 * @throws DomainError unavailable when there is no room for long
 */
export async function waitForRoom(ctx: Pick<ChainContext, 'relay'>, signal: AbortSignal): Promise<void> {
  const begin = performance.now();
  while ((await countUnderWay(ctx)) >= WINDOW) {
    if (performance.now() - begin > PATIENCE_MS || !(await sleep(LOOK_MS, signal)))
      throw notNow('as much as the chain takes at once is under way');
  }
}

async function countUnderWay({ relay }: Pick<ChainContext, 'relay'>): Promise<number> {
  const { rows } = await withSystem(relay, (tx) =>
    sql<{ count: number }>`
      select count(*)::integer as count from (
        select from pending_transactions
        where next_check_at is not null and status in ('prepared', 'submitted') limit ${WINDOW}) under_way`.execute(
      tx,
    ),
  );
  return rows[0]?.count ?? 0;
}
