import type { AppContext } from '../../context.ts';
import type { Db } from '../../platform/db.ts';
import { toTenantId } from '../../platform/ids.ts';
import { withSystem } from '../../platform/tenant-tx.ts';
import { visitEach } from '../../platform/visit-each.ts';
import { offerPlaces } from './offer-places.ts';

const TYPES_AT_ONCE = 200;

/** Looks after lists whose offers ran out, whether or not a message came. Returns how many offers were made. */
export async function sweepOffers(
  ctx: Pick<AppContext, 'db' | 'cache' | 'clock' | 'log'>,
  relay: Db,
): Promise<number> {
  const due = await withSystem(relay, (tx) =>
    tx
      .selectFrom('waiting_list')
      .select(['tenant_id', 'ticket_type_id'])
      .distinct()
      .where('state', '=', 'offered')
      .where('offer_expires_at', '<=', ctx.clock.now())
      .limit(TYPES_AT_ONCE)
      .execute(),
  );
  let offers = 0;
  await visitEach(due, async ({ tenant_id, ticket_type_id }) => {
    offers += await offerPlaces(ctx, toTenantId(tenant_id), ticket_type_id);
  });
  return offers;
}
