import { sql } from 'kysely';
import type { Db } from '../../../platform/db.ts';
import { withSystem } from '../../../platform/tenant-tx.ts';
import type { Audit } from './audit-chain.ts';

/** What the database knows of the chain and of our work on it, over all tenants, in numbers. Ages are in seconds. */
export type ChainStatus = {
  cluster: {
    id: string;
    genesisHash: string;
    programId: string;
    startedAt: string;
    cursorSlot: number | null;
    cursorSignature: string | null;
  } | null;
  /** The listeners that beat lately: one leads, the others stand by. */
  listeners: { instance: string; ageSeconds: number; details: Record<string, unknown> }[];
  backlog: { waiting: number; parked: number; oldestSeconds: number | null };
  /** Work that the program refused for good, the newest first. */
  parked: {
    count: number;
    newest: { purpose: string; ticketId: string; reason: string; parkedAt: string }[];
  };
  /** Who pays, as the mint workers last saw them; balances in lamports. */
  payers: { name: string; address: string; balance: string | null; inFlight: number; low: boolean }[];
  pending: {
    prepared: number;
    submitted: number;
    confirmed: number;
    oldestSeconds: number | null;
    highestAttempt: number;
  };
  quarantine: {
    tried: number;
    givenUp: number;
    newest: { signature: string; slot: number; reason: string; tries: number; givenUp: boolean }[];
  };
  /** Entries that a fork took back within a day. */
  orphans: number;
  audit: (Audit & { ageSeconds: number }) | null;
};

const SHOWN = 10;

/** Reads it with the listener's role. One short query for each part; all of them go by an index. */
export async function readChainStatus(db: Db, programId: string): Promise<ChainStatus> {
  return withSystem(db, async (tx) => {
    const cluster = await tx
      .selectFrom('chain_clusters')
      .selectAll()
      .select(sql<number | null>`extract(epoch from now() - audited_at)::float8`.as('audit_age'))
      .where('program_id', '=', programId)
      .where('ended_at', 'is', null)
      .orderBy('started_at', 'desc')
      .executeTakeFirst();
    const listeners = await tx
      .selectFrom('worker_heartbeats')
      .select(['instance', 'details'])
      .select(sql<number>`extract(epoch from now() - beat_at)::float8`.as('ageSeconds'))
      .where('worker', '=', 'listener')
      .where(sql<boolean>`beat_at > now() - interval '1 minute'`)
      .orderBy('beat_at', 'desc')
      .execute();
    const backlog = await sql<{ waiting: number; parked: number; oldest: number | null }>`
      select count(*) filter (where blockchain_sync_status <> 'parked')::integer as waiting,
        count(*) filter (where blockchain_sync_status = 'parked')::integer as parked,
        extract(epoch from now() - min(created_at) filter (where blockchain_sync_status <> 'parked'))::float8 as oldest
      from tickets where status in ('sold', 'minting')`.execute(tx);
    const pending = await sql<{
      prepared: number;
      submitted: number;
      attempt: number;
      oldest: number | null;
    }>`
      select count(*) filter (where status = 'prepared')::integer as prepared,
        count(*) filter (where status = 'submitted')::integer as submitted,
        coalesce(max(attempt), 0)::integer as attempt,
        extract(epoch from now() - min(prepared_at))::float8 as oldest
      from pending_transactions where status in ('prepared', 'submitted')`.execute(tx);
    const confirmed = await sql<{ count: number }>`
      select count(*)::integer as count from pending_transactions where status = 'confirmed'`.execute(tx);
    const counts = await sql<{ tried: number; given_up: number }>`
      select count(*) filter (where next_try_at is not null)::integer as tried,
        count(*) filter (where next_try_at is null)::integer as given_up from chain_quarantine`.execute(tx);
    const newest = await tx
      .selectFrom('chain_quarantine')
      .select(['signature', 'slot', 'reason', 'tries', 'next_try_at'])
      .orderBy('last_seen_at', 'desc')
      .limit(SHOWN)
      .execute();
    const parked = await tx
      .selectFrom('parked_jobs')
      .select(['purpose', 'ticket_id', 'reason', 'parked_at'])
      .select((eb) => eb.fn.countAll<bigint>().over().as('count'))
      .orderBy('parked_at', 'desc')
      .limit(SHOWN)
      .execute();
    const worker = await tx
      .selectFrom('worker_heartbeats')
      .select('details')
      .where('worker', '=', 'mint-worker')
      .orderBy('beat_at', 'desc')
      .executeTakeFirst();
    const orphans = await sql<{ count: number }>`
      select count(*)::integer as count from blockchain_sync
      where commitment = 'orphaned' and cluster_id = ${cluster?.id ?? null}
        and recorded_at > now() - interval '1 day'`.execute(tx);
    const [waiting] = backlog.rows;
    const [sent] = pending.rows;
    const [aside] = counts.rows;
    return {
      cluster: cluster
        ? {
            id: cluster.id,
            genesisHash: cluster.genesis_hash,
            programId: cluster.program_id,
            startedAt: cluster.started_at.toISOString(),
            cursorSlot: cluster.cursor_slot === null ? null : Number(cluster.cursor_slot),
            cursorSignature: cluster.cursor_signature,
          }
        : null,
      listeners: listeners.map((row) => ({ ...row, details: row.details as Record<string, unknown> })),
      backlog: {
        waiting: waiting?.waiting ?? 0,
        parked: waiting?.parked ?? 0,
        oldestSeconds: waiting?.oldest ?? null,
      },
      pending: {
        prepared: sent?.prepared ?? 0,
        submitted: sent?.submitted ?? 0,
        confirmed: confirmed.rows[0]?.count ?? 0,
        oldestSeconds: sent?.oldest ?? null,
        highestAttempt: sent?.attempt ?? 0,
      },
      parked: {
        count: Number(parked[0]?.count ?? 0),
        newest: parked.map(({ purpose, ticket_id, reason, parked_at }) => ({
          ...{ purpose, reason, ticketId: ticket_id, parkedAt: parked_at.toISOString() },
        })),
      },
      payers: (worker?.details as Partial<Pick<ChainStatus, 'payers'>> | undefined)?.payers ?? [],
      quarantine: {
        tried: aside?.tried ?? 0,
        givenUp: aside?.given_up ?? 0,
        newest: newest.map(({ next_try_at, slot, ...row }) => ({
          ...row,
          slot: Number(slot),
          givenUp: next_try_at === null,
        })),
      },
      orphans: orphans.rows[0]?.count ?? 0,
      audit:
        cluster?.audit && cluster.audit_age !== null
          ? { ...(cluster.audit as Audit), ageSeconds: cluster.audit_age }
          : null,
    };
  });
}
