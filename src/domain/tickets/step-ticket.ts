import { sql, type Updateable } from 'kysely';
import { DomainError } from '../../platform/errors.ts';
import type { TenantId } from '../../platform/ids.ts';
import type { Tickets } from '../../platform/schema.ts';
import type { TenantTx } from '../../platform/tenant-tx.ts';
import { canStep, type TicketStatus } from './ticket-state.ts';

/** `signature` is that of the chain transaction behind the step. */
export type Step = { to: TicketStatus; actor: string; reason?: string | null; signature?: string | null };

/** Columns that may change together with a step. */
export type TicketChange = Pick<
  Updateable<Tickets>,
  | 'user_id'
  | 'holder_name'
  | 'nft_mint'
  | 'chain_account'
  | 'chain_index'
  | 'chain_version'
  | 'owner_wallet'
  | 'owner_slot'
  | 'owner_epoch'
  | 'blockchain_sync_status'
>;

/**
 * Takes a ticket one step further: a compare-and-set on (status, version). The database writes the history row and
 * refuses a step that the rules do not know. Returns the new version.
 * @throws DomainError conflict when the ticket is not where the caller saw it
 */
export async function stepTicket(
  tx: TenantTx,
  tenantId: TenantId,
  now: Date,
  ticket: { id: string; status: string; version: number },
  step: Step,
  change: TicketChange = {},
): Promise<number> {
  if (!canStep(ticket.status as TicketStatus, step.to)) {
    throw new DomainError(
      'conflict',
      'illegal_ticket_step',
      `A ticket cannot go from ${ticket.status} to ${step.to}.`,
    );
  }
  const stepped = await tx
    .updateTable('tickets')
    .set({
      ...change,
      status: step.to,
      status_actor: step.actor,
      status_reason: step.reason ?? null,
      status_signature: step.signature ?? null,
      status_gate: null,
      version: sql<number>`version + 1`,
      updated_at: now,
    })
    .where('tenant_id', '=', tenantId)
    .where('id', '=', ticket.id)
    .where('status', '=', ticket.status)
    .where('version', '=', ticket.version)
    .returning('version')
    .executeTakeFirst();
  if (!stepped)
    throw new DomainError('conflict', 'ticket_changed', 'The ticket changed meanwhile.', { retryAfter: 1 });
  return stepped.version;
}
