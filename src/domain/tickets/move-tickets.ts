import { sql } from 'kysely';
import { DomainError } from '../../platform/errors.ts';
import type { TenantId } from '../../platform/ids.ts';
import type { TenantTx } from '../../platform/tenant-tx.ts';
import type { TicketRow } from './queries.ts';

/**
 * Writes tickets as they are to be: what the chain says of them and the steps that follow from it. `rows` may have a
 * ticket several times; its states are written one after the other, so that each step has its history row, and those of
 * different tickets together. The rows are locked by the caller, who made the states from them.
 * @throws DomainError conflict when one of them is not there
 */
export async function moveTickets(
  tx: TenantTx,
  tenantId: TenantId,
  now: Date,
  rows: readonly TicketRow[],
): Promise<void> {
  for (const wave of inWaves(rows)) {
    const updated = await sql`
      update tickets t set
        status = n.status, status_actor = n.status_actor, status_reason = n.status_reason,
        status_signature = n.status_signature, status_gate = n.status_gate, version = n.version,
        user_id = n.user_id, holder_name = n.holder_name, owner_epoch = n.owner_epoch, nft_mint = n.nft_mint,
        chain_version = n.chain_version, owner_wallet = n.owner_wallet, owner_slot = n.owner_slot,
        blockchain_sync_status = n.blockchain_sync_status, updated_at = ${now}
      from json_to_recordset(${JSON.stringify(wave.map(toJson))}::json) as n(
        id uuid, status text, status_actor text, status_reason text, status_signature text, status_gate text, version integer, user_id text, holder_name text,
        owner_epoch integer, nft_mint text, chain_version integer, owner_wallet text, owner_slot bigint,
        blockchain_sync_status text)
      where t.tenant_id = ${tenantId} and t.id = any(${wave.map(({ id }) => id)}::uuid[]) and t.id = n.id`.execute(
      tx,
    );
    if (updated.numAffectedRows !== BigInt(wave.length))
      throw new DomainError('conflict', 'ticket_changed', 'A ticket is gone.', { retryAfter: 1 });
  }
}

/** The nth state of each ticket in the nth wave. */
function inWaves(rows: readonly TicketRow[]): TicketRow[][] {
  const waves: TicketRow[][] = [];
  const seen = new Map<string, number>();
  for (const row of rows) {
    const nth = seen.get(row.id) ?? 0;
    seen.set(row.id, nth + 1);
    waves[nth] ??= [];
    waves[nth].push(row);
  }
  return waves;
}

function toJson(row: TicketRow) {
  const { id, status, status_actor, status_reason, status_signature, status_gate, version } = row;
  const { user_id, holder_name, owner_epoch } = row;
  const { nft_mint, chain_version, owner_wallet, owner_slot, blockchain_sync_status } = row;
  return {
    ...{ id, status, status_actor, status_reason, status_signature, status_gate, version },
    ...{ user_id, holder_name, owner_epoch },
    ...{ nft_mint, chain_version, owner_wallet, blockchain_sync_status },
    owner_slot: owner_slot === null ? null : String(owner_slot),
  };
}
