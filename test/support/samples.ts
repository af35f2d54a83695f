import { generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto';
import bs58 from 'bs58';
import type { EventView, TicketTypeView } from '../../src/domain/events/schema.ts';
import type { OrderAnswer } from '../../src/domain/orders/schema.ts';
import { tenantKey } from '../../src/platform/cache.ts';
import { toTenantId } from '../../src/platform/ids.ts';
import type { Client, TestContext, TestTenant } from './test-context.ts';

const HOUR = 3_600_000;

/** A show in two hours, doors open. */
export function sampleEvent(overrides: Record<string, unknown> = {}) {
  const start = Date.now() + 2 * HOUR;
  return {
    title: 'Hamlet',
    venue: 'The Globe',
    startsAt: new Date(start).toISOString(),
    endsAt: new Date(start + 3 * HOUR).toISOString(),
    currency: 'EUR',
    ticketTypes: [sampleTicketType()],
    ...overrides,
  };
}

export function sampleTicketType(overrides: Record<string, unknown> = {}) {
  return { name: 'Standing', priceMinor: 2_500, capacity: 100, ...overrides };
}

export function samplePurchase(
  type: { id: string; eventId: string },
  overrides: Record<string, unknown> = {},
) {
  return {
    eventId: type.eventId,
    ticketTypeId: type.id,
    quantity: 1,
    customerName: 'Alice Example',
    customerEmail: 'alice@example.com',
    payment: { token: 'tok_success' },
    ...overrides,
  };
}

/** An event on sale with one ticket type. */
export async function openSale(
  tenant: TestTenant,
  overrides: { event?: Record<string, unknown>; type?: Record<string, unknown> } = {},
): Promise<{ event: EventView; type: TicketTypeView }> {
  const input = sampleEvent({ ticketTypes: [sampleTicketType(overrides.type)], ...overrides.event });
  const { status, body } = await tenant.organiser.post<EventView>('/events', input);
  const [type] = body.ticketTypes;
  if (status !== 201 || !type) throw new Error(`the sample event was refused: ${JSON.stringify(body)}`);
  return { event: body, type };
}

/** Buys and expects to succeed. */
export async function buy(
  buyer: Client,
  type: { id: string; eventId: string },
  overrides: Record<string, unknown> = {},
): Promise<OrderAnswer> {
  const answer = await buyer.post<OrderAnswer>('/tickets/purchase', samplePurchase(type, overrides), {
    key: randomUUID(),
  });
  if (answer.status !== 201)
    throw new Error(`the sample purchase was refused: ${JSON.stringify(answer.body)}`);
  return answer.body;
}

/** A wallet: its address, and the Ed25519 key that signs for it. */
export function sampleWallet(): { address: string; privateKey: KeyObject } {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const { x = '' } = publicKey.export({ format: 'jwk' });
  return { address: bs58.encode(Buffer.from(x, 'base64url')), privateKey };
}

/**
 * Writes columns of a ticket past all rules but those of the database, and makes the cache forget it. A change of
 * `status` is a step of its own in the ticket's history.
 */
export async function changeTicket(
  ctx: TestContext,
  ticketId: string,
  columns: Record<string, string | number | null>,
): Promise<void> {
  const names = Object.keys(columns);
  const { rows } = await ctx.database.owner.query(
    `update tickets set ${names.map((name, i) => `${name} = $${i + 2}, `).join('')}
       version = version + 1, status_actor = 'test', updated_at = clock_timestamp()
     where id = $1 returning tenant_id`,
    [ticketId, ...Object.values(columns)],
  );
  if (!rows[0]) throw new Error(`there is no ticket ${ticketId}`);
  await ctx.cache.delete(tenantKey(toTenantId(rows[0].tenant_id), 'ticket', ticketId));
}

/**
 * Brings a sold ticket to where the mint worker and the listener leave it: active, in the custodial wallet of its
 * holder, the copy of the chain final. `columns` are written over that.
 */
export async function putOnChain(
  ctx: TestContext,
  ticketId: string,
  columns: Record<string, string | number | null> = {},
): Promise<{ mint: string; account: string; wallet: string }> {
  const { owner } = ctx.database;
  const { rows } = await owner.query(
    `select t.tenant_id, t.user_id, w.address,
       (select coalesce(max(o.chain_index) + 1, 0) from tickets o where o.event_id = t.event_id) as index
     from tickets t left join wallets w on w.tenant_id = t.tenant_id and w.user_id = t.user_id and w.is_primary
     where t.id = $1`,
    [ticketId],
  );
  const wallet = rows[0].address ?? sampleWallet().address;
  await owner.query(
    `insert into wallets (tenant_id, address, user_id, custody, is_primary, verified_at)
     values ($1, $2, $3, 'custodial', true, now()) on conflict do nothing`,
    [rows[0].tenant_id, wallet, rows[0].user_id],
  );
  const chain = { nft_mint: sampleWallet().address, chain_account: sampleWallet().address };
  await changeTicket(ctx, ticketId, { status: 'minting' });
  await changeTicket(ctx, ticketId, {
    status: 'active',
    ...chain,
    chain_index: rows[0].index,
    chain_version: 1,
    owner_wallet: wallet,
    owner_slot: 100,
    blockchain_sync_status: 'finalized',
    ...columns,
  });
  return { mint: chain.nft_mint, account: chain.chain_account, wallet };
}
