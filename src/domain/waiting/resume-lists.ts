import { sql } from 'kysely';
import type { AppContext } from '../../context.ts';
import type { Db } from '../../platform/db.ts';
import { toTenantId } from '../../platform/ids.ts';
import { withSystem } from '../../platform/tenant-tx.ts';
import { visitEach } from '../../platform/visit-each.ts';
import { offerPlaces } from './offer-places.ts';

const TYPES_AT_ONCE = 200;

/**
 * Looks after lists with places before them that no message told of: a sale that was closed when they came free is open
 * again. Returns how many offers were made.
 */
export async function resumeLists(
  ctx: Pick<AppContext, 'db' | 'cache' | 'clock' | 'log'>,
  relay: Db,
): Promise<number> {
  const lists = await withSystem(relay, (tx) =>
    tx
      .selectFrom('inventory as i')
      .innerJoin('events as e', (join) =>
        join.onRef('e.tenant_id', '=', 'i.tenant_id').onRef('e.id', '=', 'i.event_id'),
      )
      .select(['i.tenant_id', 'i.ticket_type_id'])
      .where('i.waiting', '>', 0)
      .where(sql<boolean>`i.held + i.sold < i.capacity`)
      .where('e.ends_at', '>', ctx.clock.now())
      // Sales that stay closed do not keep the others from their turn.
      .orderBy(sql`random()`)
      .limit(TYPES_AT_ONCE)
      .execute(),
  );
  let offers = 0;
  await visitEach(lists, async ({ tenant_id, ticket_type_id }) => {
    offers += await offerPlaces(ctx, toTenantId(tenant_id), ticket_type_id);
  });
  return offers;
}
