import type { TicketAccount } from '../../../../programs-client/accounts.ts';
import { toAddress } from '../../../../programs-client/addresses.ts';
import { transferTicket } from '../../../../programs-client/instructions/transfer-ticket.ts';
import type { TenantId } from '../../../platform/ids.ts';
import { type TenantTx, withTenant } from '../../../platform/tenant-tx.ts';
import { findEvent } from '../../events/queries.ts';
import { findTicket, lockTicket, type TicketRow } from '../../tickets/queries.ts';
import { lockTransfer, type TransferRow } from '../../transfers/queries.ts';
import { openCustodialWallet } from '../../wallets/open-custodial-wallet.ts';
import { organizerKey } from './chain-context.ts';
import { draftOfInstruction } from './draft-of-instruction.ts';
import { findTicketOnChain } from './find-ticket-on-chain.ts';
import { notNow } from './not-now.ts';
import type { SendingContext } from './sending-context.ts';
import { ProgramRefusal, submitTransaction } from './submit-transactions.ts';

/** Sends an accepted transfer of a ticket in a custodial wallet; the listener completes it when the chain has it. */
export async function transferOnChain(
  ctx: SendingContext,
  input: { tenantId: TenantId; transferId: string },
): Promise<void> {
  const { tenantId, transferId } = input;
  const wish = await prepare(ctx, tenantId, transferId);
  if (!wish) return;
  const { transfer, ticket, to, approve } = wish;
  const found = await findTicketOnChain(ctx, tenantId, ticket.id);
  if (!found) throw notNow('the ticket is not on the chain yet');
  const approver = approve ? toAddress(await ctx.signer.address(organizerKey(tenantId))) : undefined;
  const draft = draftOfInstruction({
    purpose: 'transfer',
    subjects: [{ id: transferId, ticketId: ticket.id }],
    signers: [
      { use: 'custodial', tenantId, userId: transfer.from_user_id },
      ...(approve ? [organizerKey(tenantId)] : []),
    ],
    instruction: 'transfer_ticket',
    build: (payer) =>
      transferTicket(toAddress(ctx.programId), {
        payer,
        holder: toAddress(transfer.from_wallet),
        to: toAddress(to),
        organizer: found.organizer,
        event: found.event,
        index: found.index,
        rentRecipient: found.rentRecipient,
        approver,
      }),
  });
  try {
    await submitTransaction(ctx, tenantId, draft, async (tx) => {
      await claimTicket(tx, tenantId, transfer, found.account);
      return new Set([transferId]);
    });
  } catch (error) {
    if (!(error instanceof ProgramRefusal || error instanceof TicketGone)) throw error;
    ctx.log.warn({ tenantId, transferId, reason: error.reason }, 'a transfer cannot be carried out');
    await failTransfer(ctx, tenantId, transferId, error.reason);
  }
}

/** The ticket was used, ended or moved after its transfer was asked for. */
class TicketGone extends Error {
  readonly reason: string;

  constructor(reason: string) {
    super(`the ticket is no longer to be given: ${reason}`);
    this.name = 'TicketGone';
    this.reason = reason;
  }
}

/**
 * With the bytes of the transaction kept the ticket is on its way; until then the gate or a refund may come first. The
 * transfer is of one version of the ticket: signed again, it does not apply to one that went away and came back.
 */
async function claimTicket(
  tx: TenantTx,
  tenantId: TenantId,
  transfer: TransferRow,
  account: TicketAccount,
): Promise<void> {
  const ticket = await lockTicket(tx, tenantId, transfer.ticket_id);
  if (ticket?.status !== 'active') throw new TicketGone(`ticket_${ticket?.status}`);
  const expected = transfer.chain_version ?? account.version;
  const moved = account.holder !== transfer.from_wallet || ticket.owner_wallet !== transfer.from_wallet;
  if (moved || account.version !== expected) throw new TicketGone('owner_changed');
  if (transfer.chain_version !== null) return;
  await tx
    .updateTable('transfers')
    .set({ chain_version: expected })
    .where('tenant_id', '=', tenantId)
    .where('id', '=', transfer.id)
    .execute();
}

/** Frees the ticket for another try. */
export async function failTransfer(
  ctx: Pick<SendingContext, 'db' | 'clock'>,
  tenantId: TenantId,
  id: string,
  reason: string,
): Promise<void> {
  await withTenant(ctx.db, tenantId, (tx) =>
    tx
      .updateTable('transfers')
      .set({ status: 'failed', failure_code: reason, updated_at: ctx.clock.now() })
      .where('tenant_id', '=', tenantId)
      .where('id', '=', id)
      .where('status', '=', 'requested')
      .execute(),
  );
}

async function prepare(ctx: SendingContext, tenantId: TenantId, transferId: string) {
  return withTenant(ctx.db, tenantId, async (tx) => {
    const transfer = await lockTransfer(tx, tenantId, transferId);
    if (transfer?.status !== 'requested') return undefined;
    const ticket = (await findTicket(tx, tenantId, transfer.ticket_id)) as TicketRow;
    const event = await findEvent(tx, tenantId, ticket.event_id);
    const to = transfer.to_wallet ?? (await resolveReceiver(ctx, tx, tenantId, transfer));
    return { transfer, ticket, to, approve: event?.transfer_policy === 'organiser_approved' };
  });
}

async function resolveReceiver(
  ctx: SendingContext,
  tx: TenantTx,
  tenantId: TenantId,
  transfer: TransferRow,
): Promise<string> {
  const userId = transfer.to_user_id as string;
  const now = ctx.clock.now();
  const custodial = await ctx.signer.address({ use: 'custodial', tenantId, userId });
  const { address } = await openCustodialWallet(tx, tenantId, now, { userId, address: custodial });
  await tx
    .updateTable('transfers')
    .set({ to_wallet: address, updated_at: now })
    .where('tenant_id', '=', tenantId)
    .where('id', '=', transfer.id)
    .execute();
  return address;
}
