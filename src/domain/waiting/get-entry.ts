import type { AppContext } from '../../context.ts';
import { type Actor, isStaff } from '../../platform/actor.ts';
import { notFound } from '../../platform/errors.ts';
import { withTenant } from '../../platform/tenant-tx.ts';
import { findEntry } from './queries.ts';
import type { EntryView } from './schema.ts';

/** Where somebody stands in line, and their offer when they have one. */
export async function getEntry(ctx: AppContext, actor: Actor, input: { id: string }): Promise<EntryView> {
  const found = await withTenant(ctx.db, actor.tenantId, (tx) => findEntry(tx, actor.tenantId, input.id));
  if (!found || (found.userId !== actor.subject && !isStaff(actor))) throw notFound('waiting list entry');
  const { userId: _userId, ...entry } = found;
  return entry;
}
