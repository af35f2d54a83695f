import { sql } from 'kysely';
import type { AppContext } from '../../context.ts';
import { type Actor, isStaff } from '../../platform/actor.ts';
import { DomainError } from '../../platform/errors.ts';
import { instant } from '../../platform/http/shapes.ts';
import { UUID_PATTERN } from '../../platform/ids.ts';
import { badCursor, type Page, readCursor, toPage } from '../../platform/page.ts';
import { withTenant } from '../../platform/tenant-tx.ts';
import { showEvents } from './queries.ts';
import type { EventFilter, EventView } from './schema.ts';

/** Events by their start, the earliest first. */
export async function listEvents(
  ctx: AppContext,
  actor: Actor,
  filter: EventFilter,
): Promise<Page<EventView>> {
  if (filter.includeInactive && !isStaff(actor)) {
    throw new DomainError('forbidden', 'forbidden', 'Only staff see inactive events.');
  }
  const after = readKey(filter.cursor);
  return withTenant(ctx.db, actor.tenantId, async (tx) => {
    let query = tx
      .selectFrom('events')
      .selectAll()
      .where('tenant_id', '=', actor.tenantId)
      .orderBy('starts_at')
      .orderBy('id')
      .limit(filter.limit + 1);
    if (!filter.includeInactive) query = query.where('is_active', '=', true);
    if (filter.startsAfter) query = query.where('starts_at', '>=', filter.startsAfter);
    if (filter.startsBefore) query = query.where('starts_at', '<', filter.startsBefore);
    if (filter.venue) query = query.where('venue', '=', filter.venue);
    if (filter.search) query = query.where(sql`strpos(lower(title), lower(${filter.search}))`, '>', 0);
    if (after)
      query = query.where(sql<boolean>`(starts_at, id) > (${after[0]}::timestamptz, ${after[1]}::uuid)`);
    const rows = await query.execute();
    const shown = new Map((await showEvents(tx, actor.tenantId, rows)).map((event) => [event.id, event]));
    return toPage(
      rows,
      filter.limit,
      (row) => [row.starts_at.toISOString(), row.id],
      (row) => shown.get(row.id) as EventView,
    );
  });
}

/** The start and the id of the last event before the page. */
function readKey(cursor: string | undefined): [startsAt: string, id: string] | undefined {
  const key = readCursor(cursor, 2);
  if (!key) return undefined;
  const [startsAt = '', id = ''] = key;
  if (!instant.safeParse(startsAt).success || !UUID_PATTERN.test(id)) throw badCursor();
  return [startsAt, id];
}
