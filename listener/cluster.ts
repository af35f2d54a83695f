import { sql } from 'kysely';
import { agreeOnAccounts, agreeOnStatuses } from '../src/domain/chain/rpc/agree.ts';
import type { ListenerContext } from '../src/domain/chain/sync/listener-context.ts';
import { RetryableError } from '../src/platform/errors.ts';
import { newId, toTenantId } from '../src/platform/ids.ts';
import { withSystem, withTenant } from '../src/platform/tenant-tx.ts';
import type { Cursor } from './source.ts';

export type Cluster = {
  id: string;
  cursor: Cursor | undefined;
  /** The nodes have forgotten what happened at the cursor, and still have the accounts. */
  pruned: boolean;
};

/** The chain behind the RPC URL is not the one that the database follows. */
export class WrongChain extends Error {
  constructor(what: string) {
    super(
      `${what}: this is another chain, or it was reset. ` +
        'If that is intended, start the listener once with --new-chain.',
    );
    this.name = 'WrongChain';
  }
}

/**
 * The cluster row of the chain that the nodes serve, with the place to go on from. A chain whose history is pruned is
 * still ours while accounts that were final are there.
 * @throws WrongChain for another genesis, or when those accounts are gone; RetryableError, DomainError unavailable while
 * nobody can say
 */
export async function openCluster(
  ctx: ListenerContext,
  { newChain }: { newChain: boolean },
): Promise<Cluster> {
  const genesis = await ctx.rpc.genesis();
  const found = await findRow(ctx, genesis, newChain);
  const { cursor_signature: signature, cursor_slot: slot } = found;
  if (signature === null || slot === null) return { id: found.id, cursor: undefined, pruned: false };
  const cursor = { signature, slot: Number(slot) };
  const [status] = await agreeOnStatuses(ctx.rpc, [cursor]);
  if (typeof status === 'object') return { id: found.id, cursor, pruned: false };
  if (status !== 'absent') throw new RetryableError('the nodes cannot say yet whether this is our chain');
  await expectOurAccounts(ctx, cursor);
  ctx.log.warn(
    { cursor },
    'the nodes have forgotten where we were; tickets are compared with their accounts',
  );
  return { id: found.id, cursor, pruned: true };
}

/** Everything up to `cursor` is applied and final: a restart goes on from there. It never moves back. */
export async function saveCursor(ctx: ListenerContext, cluster: Cluster, cursor: Cursor): Promise<void> {
  await withSystem(ctx.db, (tx) =>
    tx
      .updateTable('chain_clusters')
      .set({
        cursor_signature: cursor.signature,
        cursor_slot: BigInt(cursor.slot),
        sentinel_signature: cursor.signature,
        updated_at: ctx.clock.now(),
      })
      .where('id', '=', cluster.id)
      .where(sql<boolean>`coalesce(cursor_slot, 0) <= ${cursor.slot}`)
      .execute(),
  );
}

async function findRow(ctx: ListenerContext, genesis: string, newChain: boolean) {
  const now = ctx.clock.now();
  return withSystem(ctx.db, async (tx) => {
    if (newChain)
      await tx
        .updateTable('chain_clusters')
        .set({ ended_at: now, updated_at: now })
        .where('program_id', '=', ctx.programId)
        .where('ended_at', 'is', null)
        .execute();
    const current = await tx
      .selectFrom('chain_clusters')
      .selectAll()
      .where('program_id', '=', ctx.programId)
      .where('ended_at', 'is', null)
      .orderBy('started_at', 'desc')
      .execute();
    const ours = current.find((row) => row.genesis_hash === genesis);
    if (ours) return ours;
    const [other] = current;
    if (other)
      throw new WrongChain(
        `The chain at CHAIN_RPC_URL has the genesis hash ${genesis}, and the database follows ${other.genesis_hash}`,
      );
    return tx
      .insertInto('chain_clusters')
      .values({
        id: newId(),
        genesis_hash: genesis,
        program_id: ctx.programId,
        started_at: now,
        updated_at: now,
      })
      .returningAll()
      .executeTakeFirstOrThrow();
  });
}

const EVENTS = 20;
const TICKETS_OF_EACH = 10;

/** Some accounts that were final: on our chain at least one of them is there. */
async function expectOurAccounts(ctx: ListenerContext, cursor: Cursor): Promise<void> {
  const events = await withSystem(ctx.db, (tx) =>
    tx
      .selectFrom('chain_events')
      .select(['tenant_id', 'event_id', 'address'])
      .where('registered_at', 'is not', null)
      .orderBy('registered_at', 'desc')
      .limit(EVENTS)
      .execute(),
  );
  const accounts = events.map(({ address }) => address);
  for (const { tenant_id, event_id } of events) {
    const tenantId = toTenantId(tenant_id);
    const tickets = await withTenant(ctx.db, tenantId, (tx) =>
      tx
        .selectFrom('tickets')
        .select('chain_account')
        .where('tenant_id', '=', tenantId)
        .where('event_id', '=', event_id)
        .where('chain_version', 'is not', null)
        .where('blockchain_sync_status', '=', 'finalized')
        .limit(TICKETS_OF_EACH)
        .execute(),
    );
    accounts.push(...tickets.flatMap(({ chain_account }) => chain_account ?? []));
  }
  const agreed = await agreeOnAccounts(ctx.rpc, accounts, { minSlot: 0 });
  const isOurs = agreed.some((one) => typeof one === 'object' && one.known.owner === ctx.programId);
  if (isOurs || accounts.length === 0) return;
  if (agreed.includes('unknown'))
    throw new RetryableError('the nodes cannot say yet whether this is our chain');
  throw new WrongChain(
    `The chain at CHAIN_RPC_URL does not know the transaction ${cursor.signature}, which was final when we last looked, ` +
      `and none of ${accounts.length} accounts that were there`,
  );
}
