import { sql } from 'kysely';
import { withSystem } from '../../../platform/tenant-tx.ts';
import type { ListedSignature } from '../rpc/node.ts';
import type { ListenerContext } from './listener-context.ts';

/** A transaction that could not be fetched, read or recorded, and why. */
export type Unusable = { listed: ListedSignature; reason: string };

/** After so many tries and so long it is given up, until somebody asks for it again. */
const TRIES = 6;
const PATIENCE = '2 minutes';
const AT_ONCE = 64;
const MAX_REASON = 500;

/**
 * Puts transactions aside, so that the listener can go on: they are tried again a few times, each time later, and are
 * then kept for people to see. Times are the database's. Returns those that were given up now.
 */
export async function quarantine(
  ctx: ListenerContext,
  clusterId: string,
  unusable: readonly Unusable[],
): Promise<string[]> {
  if (unusable.length === 0) return [];
  const rows = unusable.map(({ listed, reason }) => ({
    signature: listed.signature,
    slot: listed.slot,
    block_time: listed.blockTime === null ? null : new Date(listed.blockTime * 1_000),
    reason: reason.slice(0, MAX_REASON),
  }));
  const { rows: noted } = await withSystem(ctx.db, (tx) =>
    sql<{ signature: string; reason: string; tries: number; next_try_at: Date | null }>`
      insert into chain_quarantine as q (cluster_id, signature, slot, block_time, reason, next_try_at)
      select ${clusterId}, n.signature, n.slot, n.block_time, n.reason, now() + interval '1 second'
      from json_to_recordset(${JSON.stringify(rows)}::json) as n(
        signature text, slot bigint, block_time timestamptz, reason text)
      on conflict (cluster_id, signature) do update set
        reason = excluded.reason, tries = q.tries + 1, last_seen_at = now(),
        next_try_at = case
          when q.tries + 1 >= ${TRIES} and q.first_seen_at < now() - interval '${sql.raw(PATIENCE)}' then null
          else now() + least(power(2, q.tries), 60) * interval '1 second' end
      returning signature, reason, tries, next_try_at`.execute(tx),
  );
  for (const { signature, reason, tries } of noted) {
    if (tries > 1) continue;
    ctx.metrics.chainQuarantined.inc();
    ctx.log.warn({ signature, reason }, 'a transaction is put aside');
  }
  const givenUp = noted.filter(({ next_try_at }) => next_try_at === null);
  for (const { signature, reason } of givenUp)
    ctx.log.error({ signature, reason }, 'a transaction is given up; `npm run chain:retry` tries it again');
  return givenUp.map(({ signature }) => signature);
}

/** What is due for another try. */
export async function dueInQuarantine(ctx: ListenerContext, clusterId: string): Promise<ListedSignature[]> {
  const rows = await withSystem(ctx.db, (tx) =>
    tx
      .selectFrom('chain_quarantine')
      .select(['signature', 'slot', 'block_time'])
      .where('cluster_id', '=', clusterId)
      .where(sql<boolean>`next_try_at <= now()`)
      .orderBy('next_try_at')
      .limit(AT_ONCE)
      .execute(),
  );
  return rows.map(({ signature, slot, block_time }) => ({
    signature,
    slot: Number(slot),
    err: null,
    blockTime: block_time && block_time.getTime() / 1_000,
  }));
}

/** They could be used after all. */
export async function releaseFromQuarantine(
  ctx: ListenerContext,
  clusterId: string,
  signatures: readonly string[],
): Promise<void> {
  if (signatures.length === 0) return;
  await withSystem(ctx.db, (tx) =>
    tx
      .deleteFrom('chain_quarantine')
      .where('cluster_id', '=', clusterId)
      .where(sql<boolean>`signature = any(${signatures}::text[])`)
      .execute(),
  );
}

/** Makes all that were given up due again, for the listener to find. Returns how many. */
export async function retryQuarantined(ctx: Pick<ListenerContext, 'db'>): Promise<number> {
  const updated = await withSystem(ctx.db, (tx) =>
    sql`update chain_quarantine set next_try_at = now(), tries = 0, first_seen_at = now()
        where next_try_at is null`.execute(tx),
  );
  return Number(updated.numAffectedRows ?? 0n);
}
