import { sql } from 'kysely';
import { withSystem } from '../../../platform/tenant-tx.ts';
import type { ListenerContext } from './listener-context.ts';

/** Whether the last audit is older than `seconds`, by the clock of the database. A young cluster waits as long. */
export async function isAuditDue(
  ctx: Pick<ListenerContext, 'db'>,
  clusterId: string,
  seconds: number,
): Promise<boolean> {
  const row = await withSystem(ctx.db, (tx) =>
    tx
      .selectFrom('chain_clusters')
      .select(
        sql<boolean>`coalesce(audited_at, started_at) < now() - make_interval(secs => ${seconds})`.as('due'),
      )
      .where('id', '=', clusterId)
      .executeTakeFirst(),
  );
  return row?.due ?? false;
}
