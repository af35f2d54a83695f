import pg from 'pg';
import type { AppContext } from '../../context.ts';
import { type Actor, isStaff } from '../../platform/actor.ts';
import { DomainError, notFound } from '../../platform/errors.ts';
import { idempotently } from '../../platform/idempotency.ts';
import { newId } from '../../platform/ids.ts';
import { enqueue } from '../../platform/outbox.ts';
import { type TenantTx, withTenant } from '../../platform/tenant-tx.ts';
import { lockTicket, maySee, type TicketRow } from '../tickets/queries.ts';
import { findWallet } from '../wallets/queries.ts';
import { showTransfer } from './queries.ts';
import type { TransferInput, TransferView } from './schema.ts';

/**
 * Gives a ticket away, on the chain first: this only notes the wish and wakes the worker that signs. The copy of the
 * owner changes when the chain has confirmed.
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
        await checkTransferable(tx, actor, ticket, input);
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
            created_at: now,
            updated_at: now,
          })
          .returningAll()
          .executeTakeFirstOrThrow();
        if (row.status === 'requested') {
          const message = { transferId: row.id, ticketId: ticket.id, eventId: ticket.event_id };
          await enqueue(tx, now, [{ kind: 'ticket.transfer', body: message }], call.requestId);
        }
        return { status: 202, body: showTransfer(row) };
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

async function checkTransferable(
  tx: TenantTx,
  actor: Actor,
  ticket: TicketRow,
  input: TransferInput,
): Promise<void> {
  if (ticket.status !== 'active' || ticket.owner_wallet === null) {
    throw new DomainError(
      'conflict',
      'not_transferable',
      `A ticket that is ${ticket.status} cannot be transferred.`,
      {
        extra: { ticketStatus: ticket.status },
      },
    );
  }
  const { tenantId } = actor;
  const event = await tx
    .selectFrom('events')
    .select('transfer_policy')
    .where('tenant_id', '=', tenantId)
    .where('id', '=', ticket.event_id)
    .executeTakeFirstOrThrow();
  const policy = event.transfer_policy;
  if (
    policy === 'locked' ||
    policy === 'resale_only' ||
    (policy === 'organiser_approved' && !isStaff(actor))
  ) {
    throw new DomainError('conflict', 'transfer_not_allowed', 'The event does not allow this transfer.', {
      extra: { transferPolicy: policy },
    });
  }
  if (input.toUserId === ticket.user_id || input.toWallet === ticket.owner_wallet) {
    throw new DomainError('conflict', 'transfer_to_self', 'The ticket is there already.');
  }
  const wallet = await findWallet(tx, tenantId, ticket.owner_wallet);
  if (wallet?.custody !== 'custodial') {
    // Only its owner can sign for it; the listener sees the transfer that they send from there.
    throw new DomainError(
      'conflict',
      'wallet_self_custodial',
      'The ticket is in a wallet of its own; transfer it from there.',
    );
  }
}
