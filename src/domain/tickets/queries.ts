import type { Selectable } from 'kysely';
import { type Actor, isStaff } from '../../platform/actor.ts';
import type { TenantId } from '../../platform/ids.ts';
import type { Tickets } from '../../platform/schema.ts';
import type { TenantTx } from '../../platform/tenant-tx.ts';
import type { TicketView } from './schema.ts';
import type { TicketStatus } from './ticket-state.ts';

export type TicketRow = Selectable<Tickets>;

export async function findTicket(
  tx: TenantTx,
  tenantId: TenantId,
  id: string,
): Promise<TicketRow | undefined> {
  return tx
    .selectFrom('tickets')
    .selectAll()
    .where('tenant_id', '=', tenantId)
    .where('id', '=', id)
    .executeTakeFirst();
}

/** The same with its row locked until the transaction ends. */
export async function lockTicket(
  tx: TenantTx,
  tenantId: TenantId,
  id: string,
): Promise<TicketRow | undefined> {
  return tx
    .selectFrom('tickets')
    .selectAll()
    .where('tenant_id', '=', tenantId)
    .where('id', '=', id)
    .forNoKeyUpdate()
    .executeTakeFirst();
}

/** A holder sees their own tickets, staff and scanners the tenant's. */
export function maySee(actor: Actor, ticket: { userId: string }): boolean {
  return isStaff(actor) || ticket.userId === actor.subject;
}

export function showTicket(row: TicketRow): TicketView {
  return {
    id: row.id,
    eventId: row.event_id,
    ticketTypeId: row.ticket_type_id,
    orderId: row.order_id,
    userId: row.user_id,
    ticketNumber: row.ticket_number,
    holderName: row.holder_name,
    seat: row.seat,
    status: row.status as TicketStatus,
    priceMinor: Number(row.price_minor),
    currency: row.currency,
    version: row.version,
    nftMint: row.nft_mint,
    ownerWallet: row.owner_wallet,
    blockchainSyncStatus: row.blockchain_sync_status as TicketView['blockchainSyncStatus'],
    createdAt: row.created_at.toISOString(),
    updatedAt: row.updated_at.toISOString(),
  };
}

/** All tickets of an order, their rows locked until the transaction ends. */
export async function lockTicketsOfOrder(
  tx: TenantTx,
  tenantId: TenantId,
  orderId: string,
): Promise<TicketRow[]> {
  return tx
    .selectFrom('tickets')
    .selectAll()
    .where('tenant_id', '=', tenantId)
    .where('order_id', '=', orderId)
    .orderBy('id')
    .forNoKeyUpdate()
    .execute();
}
