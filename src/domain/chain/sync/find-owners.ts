import { sql } from 'kysely';
import type { TenantId } from '../../../platform/ids.ts';
import type { TenantTx } from '../../../platform/tenant-tx.ts';
import type { Owner } from './follow-ticket.ts';

export type Holding = { ticketId: string; wallet: string };

/**
 * Whose the wallets are that tickets are in now: who linked the wallet, or whom a transfer names that is under way. A
 * wallet that nobody here has linked becomes somebody's when its owner links it; until then the user is `wallet:…`.
 */
export async function findOwners(
  tx: TenantTx,
  tenantId: TenantId,
  holdings: readonly Holding[],
): Promise<(ticketId: string) => (wallet: string) => Owner> {
  const known = new Map<string, Owner>();
  if (holdings.length > 0) {
    const { rows } = await sql<Holding & Owner>`
      select n."ticketId", n.wallet, o.user_id as "userId", coalesce(u.name, o.user_id) as name
      from json_to_recordset(${JSON.stringify(holdings)}::json) as n("ticketId" uuid, wallet text)
      left join wallets w on w.tenant_id = ${tenantId} and w.address = n.wallet
      left join transfers f on f.tenant_id = ${tenantId} and f.ticket_id = n."ticketId"
        and f.to_wallet = n.wallet and f.status = 'requested'
      cross join lateral (select coalesce(w.user_id, f.to_user_id, 'wallet:' || n.wallet) as user_id) o
      left join users u on u.tenant_id = ${tenantId} and u.user_id = o.user_id`.execute(tx);
    for (const { ticketId, wallet, userId, name } of rows)
      known.set(`${ticketId} ${wallet}`, { userId, name });
  }
  return (ticketId) => (wallet) => {
    const owner = known.get(`${ticketId} ${wallet}`);
    if (!owner) throw new Error(`nobody asked whose the wallet ${wallet} is`);
    return owner;
  };
}

/** A ticket that changed hands ends the transfer that was under way: as it was wished, or as failed. */
export async function endTransfers(
  tx: TenantTx,
  tenantId: TenantId,
  now: Date,
  moves: readonly Holding[],
): Promise<void> {
  if (moves.length === 0) return;
  await sql`
    update transfers f set
      status = case when f.to_wallet = n.wallet then 'completed' else 'failed' end,
      failure_code = case when f.to_wallet = n.wallet then null else 'owner_changed' end,
      updated_at = ${now}
    from json_to_recordset(${JSON.stringify(moves)}::json) as n("ticketId" uuid, wallet text)
    where f.tenant_id = ${tenantId} and f.ticket_id = n."ticketId" and f.status in ('offered', 'requested')`.execute(
    tx,
  );
}
