import { sql } from 'kysely';
import type { AppContext } from '../../../context.ts';
import type { Db } from '../../../platform/db.ts';
import { type TenantId, toTenantId } from '../../../platform/ids.ts';
import { enqueue } from '../../../platform/outbox.ts';
import { withSystem, withTenant } from '../../../platform/tenant-tx.ts';
import { moveTickets } from '../../tickets/move-tickets.ts';
import type { Rpc } from '../rpc/rpc.ts';
import { forgetOnChain } from './follow-ticket.ts';

type RecoveryContext = Pick<AppContext, 'db' | 'clock'> & { relay: Db; rpc: Rpc; programId: string };

/**
 * For a chain that was started anew from a snapshot, as the embedded one is: brings the database back in step with it.
 * Transactions that were under way can never land and start over; organizers, events and tickets that the chain no
 * longer has are made again, at the same addresses as before. Returns how many tickets and transactions that were.
 */
export async function recoverFromReset(ctx: RecoveryContext): Promise<{ reminted: number; open: number }> {
  const tenants = await withSystem(ctx.relay, (tx) => tx.selectFrom('tenants').select('tenant_id').execute());
  let reminted = 0;
  let open = 0;
  for (const { tenant_id } of tenants) {
    const tenantId = toTenantId(tenant_id);
    open += await reopenTransactions(ctx, tenantId);
    await forgetMissingAccounts(ctx, tenantId);
    reminted += await remintMissing(ctx, tenantId);
  }
  return { reminted, open };
}

async function reopenTransactions(ctx: RecoveryContext, tenantId: TenantId): Promise<number> {
  const now = ctx.clock.now();
  return withTenant(ctx.db, tenantId, async (tx) => {
    const ended = await tx
      .updateTable('pending_transactions')
      .set({ status: 'expired', error_code: 'chain_reset', next_check_at: null })
      .where('tenant_id', '=', tenantId)
      .where('status', 'in', ['prepared', 'submitted', 'confirmed'])
      .returning(['purpose', 'subject_id', 'ticket_id'])
      .execute();
    for (const { purpose, subject_id, ticket_id } of ended) {
      if (purpose !== 'transfer' || !ticket_id) continue;
      const ticket = await tx
        .selectFrom('tickets')
        .select('event_id')
        .where('tenant_id', '=', tenantId)
        .where('id', '=', ticket_id)
        .executeTakeFirstOrThrow();
      const body = { transferId: subject_id, ticketId: ticket_id, eventId: ticket.event_id };
      await enqueue(tx, now, [{ kind: 'ticket.transfer', body }]);
    }
    return ended.length;
  });
}

async function forgetMissingAccounts(ctx: RecoveryContext, tenantId: TenantId): Promise<void> {
  const known = await withTenant(ctx.db, tenantId, async (tx) => ({
    organizers: await tx
      .selectFrom('chain_organizers')
      .select('address')
      .where('tenant_id', '=', tenantId)
      .execute(),
    events: await tx.selectFrom('chain_events').select('address').where('tenant_id', '=', tenantId).execute(),
  }));
  const missing = await findMissing(
    ctx,
    [...known.organizers, ...known.events].map((row) => row.address),
  );
  if (missing.length === 0) return;
  await withTenant(ctx.db, tenantId, async (tx) => {
    for (const table of ['chain_organizers', 'chain_events'] as const) {
      await tx
        .updateTable(table)
        .set({ registered_at: null })
        .where('tenant_id', '=', tenantId)
        .where('address', 'in', missing)
        .execute();
    }
  });
}

async function remintMissing(ctx: RecoveryContext, tenantId: TenantId): Promise<number> {
  const now = ctx.clock.now();
  const onChain = await withTenant(ctx.db, tenantId, (tx) =>
    tx
      .selectFrom('tickets')
      .select('chain_account')
      .where('tenant_id', '=', tenantId)
      .where('chain_account', 'is not', null)
      .where('status', 'in', ['sold', 'minting', 'active', 'transferred', 'checked_in'])
      .execute(),
  );
  const missing = await findMissing(
    ctx,
    onChain.map((row) => row.chain_account as string),
  );
  if (missing.length === 0) return 0;
  await withTenant(ctx.db, tenantId, async (tx) => {
    const tickets = await tx
      .selectFrom('tickets')
      .selectAll()
      .where('tenant_id', '=', tenantId)
      .where(sql<boolean>`chain_account = any(${missing}::text[])`)
      .orderBy('id')
      .forNoKeyUpdate()
      .execute();
    const forgotten = tickets.map((ticket) => forgetOnChain(ticket, 'chain_reset'));
    await moveTickets(
      tx,
      tenantId,
      now,
      forgotten.flatMap(({ rows }) => rows),
    );
    await enqueue(
      tx,
      now,
      forgotten.flatMap(({ messages }) => messages),
    );
  });
  return missing.length;
}

async function findMissing(ctx: RecoveryContext, addresses: string[]): Promise<string[]> {
  const { value } = await ctx.rpc.ask((node) => node.getAccounts(addresses, { commitment: 'confirmed' }));
  return addresses.filter((_, i) => value[i]?.owner !== ctx.programId);
}
