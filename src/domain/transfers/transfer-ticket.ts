import pg from 'pg';
import type { AppContext } from '../../context.ts';
import { type Actor, mayTransferForOthers } from '../../platform/actor.ts';
import { DomainError, notFound } from '../../platform/errors.ts';
import { idempotently } from '../../platform/idempotency.ts';
import { newId, type TenantId } from '../../platform/ids.ts';
import { enqueue } from '../../platform/outbox.ts';
import { type TenantTx, withTenant } from '../../platform/tenant-tx.ts';
import { lockTicket, maySee } from '../tickets/queries.ts';
import { checkPolicy } from './check-policy.ts';
import { OFFER_EXPIRED, showTransfer } from './queries.ts';
import type { TransferInput, TransferView } from './schema.ts';
import { recordStaffTransfer, staffOrder } from './staff-transfer.ts';

const OFFER_LASTS_MS = 72 * 3_600_000;

/**
 * Gives a ticket away, on the chain first: this only notes the wish and wakes the worker that signs. The copy of the
 * owner changes when the chain has confirmed. Staff who have the right to it may give away what is not theirs, with a
 * reason; that is audited, and its holder hears of it at once.
 */
export async function transferTicket(
  ctx: AppContext,
  actor: Actor,
  input: TransferInput & { ticketId: string },
  call: { idempotencyKey: string; requestId?: string },
): Promise<TransferView> {
  const { tenantId } = actor;
  const now = ctx.clock.now();
  const key = { actor, route: 'POST /tickets/{id}/transfer', key: call.idempotencyKey, request: input };
  if (input.toWallet !== undefined && !ctx.chain.isAddress(input.toWallet)) {
    throw new DomainError('invalid', 'bad_address', 'toWallet is no address of a wallet.');
  }
  try {
    const { body } = await withTenant(ctx.db, tenantId, (tx) =>
      idempotently(tx, key, now, async () => {
        const ticket = await lockTicket(tx, tenantId, input.ticketId);
        if (!ticket || !maySee(actor, { userId: ticket.user_id })) throw notFound('ticket');
        const order = staffOrder(actor, ticket, input.reason);
        const approved = mayTransferForOthers(actor);
        const endsAt = await checkPolicy(tx, tenantId, ticket, { now, approved });
        if (input.toUserId === ticket.user_id || input.toWallet === ticket.owner_wallet) {
          throw new DomainError('conflict', 'transfer_to_self', 'The ticket is there already.');
        }
        await endStaleOffer(tx, tenantId, ticket.id, now);
        const lastsUntil = new Date(now.getTime() + OFFER_LASTS_MS);
        const row = await tx
          .insertInto('transfers')
          .values({
            tenant_id: tenantId,
            id: newId(),
            ticket_id: ticket.id,
            from_user_id: ticket.user_id,
            from_wallet: ticket.owner_wallet as string,
            to_user_id: input.toUserId ?? null,
            to_wallet: input.toWallet ?? null,
            status: input.requireAcceptance ? 'offered' : 'requested',
            expires_at: input.requireAcceptance ? earlier(lastsUntil, endsAt) : null,
            ordered_by: order?.by ?? null,
            reason: order?.reason ?? null,
            created_at: now,
            updated_at: now,
          })
          .returningAll()
          .executeTakeFirstOrThrow();
        if (row.status === 'requested') {
          const message = { transferId: row.id, ticketId: ticket.id, eventId: ticket.event_id };
          await enqueue(tx, now, [{ kind: 'ticket.transfer', body: message }], call.requestId);
        }
        if (order) {
          const { requestId } = call;
          await recordStaffTransfer(tx, tenantId, now, row, { order, eventId: ticket.event_id, requestId });
        }
        return { status: 202, body: showTransfer(row, now) };
      }),
    );
    return body as TransferView;
  } catch (error) {
    if (error instanceof pg.DatabaseError && error.constraint === 'transfers_one_open') {
      throw new DomainError(
        'conflict',
        'transfer_under_way',
        'Another transfer of this ticket is under way.',
      );
    }
    throw error;
  }
}

/** An offer that ran out stands in nobody's way. */
async function endStaleOffer(tx: TenantTx, tenantId: TenantId, ticketId: string, now: Date): Promise<void> {
  await tx
    .updateTable('transfers')
    .set({ status: 'failed', failure_code: OFFER_EXPIRED, updated_at: now })
    .where('tenant_id', '=', tenantId)
    .where('ticket_id', '=', ticketId)
    .where('status', '=', 'offered')
    .where('expires_at', '<=', now)
    .execute();
}

function earlier(a: Date, b: Date): Date {
  return a < b ? a : b;
}
