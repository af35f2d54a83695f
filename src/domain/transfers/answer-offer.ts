import type { AppContext } from '../../context.ts';
import type { Actor } from '../../platform/actor.ts';
import { DomainError, notFound } from '../../platform/errors.ts';
import { idempotently } from '../../platform/idempotency.ts';
import { enqueue } from '../../platform/outbox.ts';
import { withTenant } from '../../platform/tenant-tx.ts';
import { lockTicket, type TicketRow } from '../tickets/queries.ts';
import { checkPolicy } from './check-policy.ts';
import { findTransfer, isStale, lockTransfer, showTransfer, type TransferRow } from './queries.ts';
import type { TransferView } from './schema.ts';

/** The receiver accepts an offered ticket, or the giver takes the offer back. */
export async function answerOffer(
  ctx: AppContext,
  actor: Actor,
  input: { id: string; answer: 'accept' | 'cancel' },
  call: { idempotencyKey: string; requestId?: string },
): Promise<TransferView> {
  const { tenantId } = actor;
  const now = ctx.clock.now();
  const key = {
    actor,
    route: `POST /transfers/{id}/${input.answer}`,
    key: call.idempotencyKey,
    request: input,
  };
  const { body } = await withTenant(ctx.db, tenantId, (tx) =>
    idempotently(tx, key, now, async () => {
      const known = await findTransfer(tx, tenantId, input.id);
      const entitled = input.answer === 'accept' ? known?.to_user_id : known?.from_user_id;
      if (!known || entitled !== actor.subject) throw notFound('transfer');
      // The ticket first, as everywhere: the listener holds it while it ends the transfers of it.
      const ticket = (await lockTicket(tx, tenantId, known.ticket_id)) as TicketRow;
      const transfer = (await lockTransfer(tx, tenantId, input.id)) as TransferRow;
      if (transfer.status !== 'offered' || isStale(transfer, now)) {
        const { status } = showTransfer(transfer, now);
        throw new DomainError('conflict', 'offer_over', `The transfer is ${status}.`);
      }
      if (input.answer === 'accept') {
        // Whoever was allowed to offer it had all the approval it takes.
        await checkPolicy(tx, tenantId, ticket, { now, approved: true });
        if (ticket.user_id !== transfer.from_user_id) {
          throw new DomainError('conflict', 'offer_over', 'The ticket is in other hands.');
        }
      }
      const row = await tx
        .updateTable('transfers')
        .set({ status: input.answer === 'accept' ? 'requested' : 'cancelled', updated_at: now })
        .where('tenant_id', '=', tenantId)
        .where('id', '=', transfer.id)
        .returningAll()
        .executeTakeFirstOrThrow();
      if (row.status === 'requested') {
        const message = { transferId: row.id, ticketId: ticket.id, eventId: ticket.event_id };
        await enqueue(tx, now, [{ kind: 'ticket.transfer', body: message }], call.requestId);
      }
      return { status: 200, body: showTransfer(row, now) };
    }),
  );
  return body as TransferView;
}
