import { sql } from 'kysely';
import { newId, type TenantId } from '../../../platform/ids.ts';
import { type TenantTx, withTenant } from '../../../platform/tenant-tx.ts';
import type { Claim, SignedDraft, Subject } from './draft.ts';
import type { SendingContext } from './sending-context.ts';

/** How soon the tracker looks for the first time: by then the listener has seen what went well. */
const FIRST_LOOK_MS = 3_000;

/** The cost of a transaction stands in the row of its first subject. */
type Row = { id: string; subject: Subject; signed: SignedDraft; lamports: bigint };

/**
 * Keeps signed transactions, all in one statement: one row for each subject. Those of which a subject needs none any
 * more, or has one alive, are left out. Returns the others, which may be sent now.
 */
export async function keepTransactions(
  ctx: Pick<SendingContext, 'db' | 'clock' | 'payers'>,
  tenantId: TenantId,
  signed: readonly SignedDraft[],
  lastValidBlockHeight: number,
  claim?: Claim,
): Promise<SignedDraft[]> {
  if (signed.length === 0) return [];
  const now = ctx.clock.now();
  return withTenant(ctx.db, tenantId, async (tx) => {
    const affordable = await takeAffordable(ctx, tx, tenantId, signed);
    const claimed = await claim?.(
      tx,
      now,
      new Set(affordable.flatMap(({ subjects }) => subjects.map(({ id }) => id))),
    );
    const wanted = claimed
      ? affordable.filter(({ subjects }) => subjects.every(({ id }) => claimed.has(id)))
      : affordable;
    const rows = wanted.flatMap((one) =>
      one.subjects.map(
        (subject, at): Row => ({ id: newId(), subject, signed: one, lamports: at === 0 ? one.lamports : 0n }),
      ),
    );
    if (rows.length === 0) return [];
    const attempts = await countAttempts(tx, tenantId, rows);
    const inserted = new Set(await insert(tx, tenantId, now, rows, attempts, lastValidBlockHeight));
    const kept = wanted.filter(({ subjects }) => subjects.every(({ id }) => inserted.has(id)));
    const rest = wanted.filter((one) => !kept.includes(one));
    // Half of a transaction cannot be kept: its other ticket is somebody else's now, and it goes with another.
    const halves = rest.flatMap(({ subjects }) => subjects.filter(({ id }) => inserted.has(id)));
    if (halves.length > 0) throw new Error('a transaction of two was claimed by half');
    if (kept.length > 0) await ctx.payers.afford(tx, tenantId, sum(kept));
    return kept;
  });
}

/** As many, in their order, as the tenant may still spend within this hour. @throws DomainError unavailable for none */
async function takeAffordable(
  ctx: Pick<SendingContext, 'payers'>,
  tx: TenantTx,
  tenantId: TenantId,
  signed: readonly SignedDraft[],
): Promise<readonly SignedDraft[]> {
  const left = await ctx.payers.left(tx, tenantId);
  if (sum(signed) <= left) return signed;
  const some = signed.filter((_, at) => sum(signed.slice(0, at + 1)) <= left);
  // Says who waits, and for what.
  if (some.length === 0) await ctx.payers.afford(tx, tenantId, sum(signed.slice(0, 1)));
  return some;
}

function sum(signed: readonly SignedDraft[]): bigint {
  return signed.reduce((total, { lamports }) => total + lamports, 0n);
}

async function insert(
  tx: TenantTx,
  tenantId: TenantId,
  now: Date,
  rows: readonly Row[],
  attempts: ReadonlyMap<string, number>,
  lastValidBlockHeight: number,
): Promise<string[]> {
  const firstLook = new Date(now.getTime() + FIRST_LOOK_MS);
  const inserted = await sql<{ subject_id: string }>`
    insert into pending_transactions (tenant_id, id, purpose, subject_id, ticket_id, attempt, status, tx_signature, raw,
      last_valid_block_height, prepared_at, next_check_at, payer, lamports)
    select ${tenantId}::uuid, id, purpose, subject_id, ticket_id, attempt, 'prepared', tx_signature, raw,
      ${lastValidBlockHeight}::bigint, ${now}::timestamptz, ${firstLook}::timestamptz, payer, lamports
    from unnest(
      ${rows.map(({ id }) => id)}::uuid[],
      ${rows.map(({ signed }) => signed.purpose)}::text[],
      ${rows.map(({ subject }) => subject.id)}::uuid[],
      ${rows.map(({ subject }) => subject.ticketId ?? null)}::uuid[],
      ${rows.map(({ subject }) => (attempts.get(subject.id) ?? 0) + 1)}::integer[],
      ${rows.map(({ signed }) => signed.signature)}::text[],
      ${rows.map(({ signed }) => Buffer.from(signed.raw))}::bytea[],
      ${rows.map(({ signed }) => signed.payer)}::text[],
      ${rows.map(({ lamports }) => lamports)}::bigint[]
    ) as one(id, purpose, subject_id, ticket_id, attempt, tx_signature, raw, payer, lamports)
    on conflict do nothing
    returning subject_id`.execute(tx);
  return inserted.rows.map(({ subject_id }) => subject_id);
}

/** How often each subject was tried before, for its purpose. */
async function countAttempts(
  tx: TenantTx,
  tenantId: TenantId,
  rows: readonly Row[],
): Promise<Map<string, number>> {
  const tickets = rows.flatMap(({ subject }) => subject.ticketId ?? []);
  const purposes = [...new Set(rows.map(({ signed }) => signed.purpose))];
  const subjects = rows.map(({ subject }) => subject.id);
  const counted = await tx
    .selectFrom('pending_transactions')
    .select(['subject_id', (eb) => eb.fn.countAll<bigint>().as('count')])
    .where('tenant_id', '=', tenantId)
    // By the ticket, where there is one: that is what the index knows.
    .where(
      tickets.length === rows.length
        ? sql<boolean>`ticket_id = any(${tickets}::uuid[])`
        : sql<boolean>`ticket_id is null`,
    )
    .where('purpose', 'in', purposes)
    .where(sql<boolean>`subject_id = any(${subjects}::uuid[])`)
    .groupBy('subject_id')
    .execute();
  return new Map(counted.map(({ subject_id, count }) => [subject_id, Number(count)]));
}
