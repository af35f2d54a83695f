import { sql } from 'kysely';
import { withSystem } from '../../../platform/tenant-tx.ts';
import type { ListedSignature } from '../rpc/node.ts';
import type { ListenerContext } from './listener-context.ts';

const AT_ONCE = 1_024;

/**
 * What we sent longer than `afterSeconds` ago, and the chain has although its list of signatures did not show it. Lists
 * have holes; statuses do not depend on them.
 */
export async function findUnseen(ctx: ListenerContext, afterSeconds: number): Promise<ListedSignature[]> {
  const sent = await withSystem(ctx.db, (tx) =>
    tx
      .selectFrom('pending_transactions')
      .select('tx_signature')
      .where('status', 'in', ['prepared', 'submitted'])
      .where(sql<boolean>`prepared_at < now() - make_interval(secs => ${afterSeconds})`)
      .orderBy('prepared_at', 'desc')
      .limit(AT_ONCE)
      .execute(),
  );
  const signatures = [...new Set(sent.map(({ tx_signature }) => tx_signature))];
  if (signatures.length === 0) return [];
  const { value } = await ctx.rpc.ask((node) => node.getStatuses(signatures));
  return signatures.flatMap((signature, at): ListedSignature[] => {
    const status = value[at];
    const landed = status && !status.err && status.confirmationStatus !== 'processed';
    return landed ? [{ signature, slot: status.slot, err: null, blockTime: null }] : [];
  });
}
