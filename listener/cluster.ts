import type { ListenerContext } from '../src/domain/chain/sync/listener-context.ts';
import { newId } from '../src/platform/ids.ts';
import { withSystem } from '../src/platform/tenant-tx.ts';
import type { Cursor } from './backfill.ts';

export type Cluster = { id: string; cursor: Cursor | undefined };

/** The chain behind the RPC URL is not the one that the database follows. */
export class WrongChain extends Error {
  constructor(signature: string) {
    super(
      `The chain at CHAIN_RPC_URL does not know the transaction ${signature}, which was final when we last looked: ` +
        'this is another chain, or it was reset. If that is intended, start the listener once with --new-chain.',
    );
    this.name = 'WrongChain';
  }
}

/**
 * The cluster row of the chain that the node serves, with the place to go on from.
 * @throws WrongChain when the cursor's transaction is not there
 */
export async function openCluster(
  ctx: ListenerContext,
  { newChain }: { newChain: boolean },
): Promise<Cluster> {
  const genesis = await ctx.rpc.genesis();
  const now = ctx.clock.now();
  const found = await withSystem(ctx.db, async (tx) => {
    if (newChain) {
      await tx
        .updateTable('chain_clusters')
        .set({ ended_at: now, updated_at: now })
        .where('program_id', '=', ctx.programId)
        .where('ended_at', 'is', null)
        .execute();
    }
    const current = await tx
      .selectFrom('chain_clusters')
      .selectAll()
      .where('genesis_hash', '=', genesis)
      .where('program_id', '=', ctx.programId)
      .where('ended_at', 'is', null)
      .executeTakeFirst();
    if (current) return current;
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
  const { cursor_signature: signature, cursor_slot: slot } = found;
  if (signature === null || slot === null) return { id: found.id, cursor: undefined };
  const { value } = await ctx.rpc.ask((node) => node.getStatuses([signature]));
  if (!value[0]) throw new WrongChain(signature);
  return { id: found.id, cursor: { signature, slot: Number(slot) } };
}

/** Everything up to `cursor` is applied and final: a restart goes on from there. */
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
      .execute(),
  );
}
