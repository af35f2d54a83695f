import type { AppContext } from '../../context.ts';
import { type Actor, actorName, isStaff } from '../../platform/actor.ts';
import { withTenant } from '../../platform/tenant-tx.ts';
import { getTicket } from './get-ticket.ts';
import type { TicketStatus } from './ticket-state.ts';

/** Every step of a ticket since it was sold. Who holds it now learns nothing of who held it before, nor of the staff. */
export async function readHistory(ctx: AppContext, actor: Actor, input: { id: string }) {
  await getTicket(ctx, actor, input);
  const rows = await withTenant(ctx.db, actor.tenantId, (tx) =>
    tx
      .selectFrom('ticket_state_transitions')
      .selectAll()
      .where('tenant_id', '=', actor.tenantId)
      .where('ticket_id', '=', input.id)
      .orderBy('version')
      .execute(),
  );
  return {
    items: rows.map((row) => ({
      version: row.version,
      from: row.from_status as TicketStatus,
      to: row.to_status as TicketStatus,
      at: row.at.toISOString(),
      actor: showActor(actor, row.actor),
      reason: row.reason,
      signature: row.signature,
      gate: row.gate,
    })),
  };
}

/** Workers and the chain have no name to keep; of people a holder sees themselves, and that there was another. */
function showActor(viewer: Actor, name: string): string {
  if (isStaff(viewer) || /^(worker|chain):/.test(name)) return name;
  if (name.startsWith('scan:')) return 'scan';
  const person = name.replace(/^(jwt:|api_key:[0-9a-f-]{36}\/)/, '');
  const own = person === viewer.subject || name === actorName(viewer);
  return own ? name : 'other';
}
