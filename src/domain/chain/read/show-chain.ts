import type { AppContext } from '../../../context.ts';
import type { Actor } from '../../../platform/actor.ts';
import { withTenant } from '../../../platform/tenant-tx.ts';
import { getTicket } from '../../tickets/get-ticket.ts';
import type { TicketView } from '../../tickets/schema.ts';

/** What is known of a ticket on the chain: where, whose, by which transactions, and what was seen of it. */
export async function showChain(ctx: AppContext, actor: Actor, input: { id: string }) {
  await getTicket(ctx, actor, input);
  return withTenant(ctx.db, actor.tenantId, async (tx) => {
    const { tenantId } = actor;
    const transactions = await tx
      .selectFrom('pending_transactions')
      .selectAll()
      .where('tenant_id', '=', tenantId)
      .where('ticket_id', '=', input.id)
      .orderBy('prepared_at')
      .execute();
    const log = await tx
      .selectFrom('blockchain_sync')
      .selectAll()
      .where('tenant_id', '=', tenantId)
      .where('ticket_id', '=', input.id)
      .orderBy('slot')
      .orderBy('ordinal')
      .execute();
    // Last, and not from the cache: it is never behind what the lists say.
    const row = await tx
      .selectFrom('tickets')
      .select([
        'id',
        'chain_account',
        'chain_version',
        'nft_mint',
        'owner_wallet',
        'owner_slot',
        'blockchain_sync_status',
      ])
      .where('tenant_id', '=', tenantId)
      .where('id', '=', input.id)
      .executeTakeFirstOrThrow();
    return {
      ticketId: row.id,
      programId: ctx.config.CHAIN_PROGRAM_ID ?? '',
      account: row.chain_account,
      mint: row.nft_mint,
      owner: row.owner_wallet,
      slot: row.owner_slot === null ? null : Number(row.owner_slot),
      version: row.chain_version,
      syncStatus: row.blockchain_sync_status as TicketView['blockchainSyncStatus'],
      transactions: transactions.map((pending) => ({
        purpose: pending.purpose,
        signature: pending.tx_signature,
        status: pending.status,
        attempt: pending.attempt,
        confirmationCount: pending.confirmation_count,
        slot: pending.slot === null ? null : Number(pending.slot),
        submittedAt: pending.submitted_at?.toISOString() ?? null,
        confirmedAt: pending.confirmed_at?.toISOString() ?? null,
        finalizedAt: pending.finalized_at?.toISOString() ?? null,
        errorCode: pending.error_code,
      })),
      log: log.map((entry) => ({
        kind: entry.kind,
        signature: entry.signature,
        slot: Number(entry.slot),
        from: entry.from_wallet,
        to: entry.to_wallet,
        version: entry.chain_version,
        commitment: entry.commitment,
        outcome: entry.outcome,
        recordedAt: entry.recorded_at.toISOString(),
      })),
    };
  });
}
