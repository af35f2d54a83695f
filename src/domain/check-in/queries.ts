import type { TenantId } from '../../platform/ids.ts';
import type { TenantTx } from '../../platform/tenant-tx.ts';

export type ScannedTicket = {
  id: string;
  ticketNumber: string;
  ticketType: string;
  holderName: string;
  seat: string | null;
  status: string;
  ownerWallet: string | null;
  ownerSlot: bigint | null;
  chainAccount: string | null;
  syncStatus: string;
};

/** What a gate needs to know of a ticket of this event. */
export async function findScannedTicket(
  tx: TenantTx,
  tenantId: TenantId,
  eventId: string,
  ticketId: string,
): Promise<ScannedTicket | undefined> {
  return tx
    .selectFrom('tickets as t')
    .innerJoin('ticket_types as y', (join) =>
      join.onRef('y.tenant_id', '=', 't.tenant_id').onRef('y.id', '=', 't.ticket_type_id'),
    )
    .select([
      't.id',
      't.ticket_number as ticketNumber',
      'y.name as ticketType',
      't.holder_name as holderName',
      't.seat',
      't.status',
      't.owner_wallet as ownerWallet',
      't.owner_slot as ownerSlot',
      't.chain_account as chainAccount',
      't.blockchain_sync_status as syncStatus',
    ])
    .where('t.tenant_id', '=', tenantId)
    .where('t.event_id', '=', eventId)
    .where('t.id', '=', ticketId)
    .executeTakeFirst();
}
