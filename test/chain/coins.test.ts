import { PublicKey } from '@solana/web3.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeEvent, decodeTicket } from '../../programs-client/accounts.ts';
import { type Address, toAddress } from '../../programs-client/addresses.ts';
import { resell } from '../../programs-client/instructions/resell.ts';
import { decodeProgramError } from '../../programs-client/program-errors.ts';
import { createApp } from '../../src/api/app.ts';
import { firstRentRecipient, fundedKeys, organizerKey } from '../../src/domain/chain/send/chain-context.ts';
import { findCoinFault } from '../../src/domain/chain/send/check-coin.ts';
import { ensureEvent } from '../../src/domain/chain/send/ensure-event.ts';
import { mintTickets } from '../../src/domain/chain/send/mint-tickets.ts';
import { type TenantId, toTenantId } from '../../src/platform/ids.ts';
import { type ChainWorld, createChainWorld } from '../support/chain-world.ts';
import { buy, openSale } from '../support/samples.ts';
import { coinOf, createCoin, giveCoin } from '../support/stable-coin.ts';
import { createTestTenant, type TestTenant } from '../support/test-context.ts';
import { actor } from './program/support/actors.ts';
import { land, type Signatory } from './program/support/whole-path.ts';

const SOL = 1_000_000_000;
const euro = actor('a euro coin');
const yen = actor('a yen coin');
const dollar = actor('a dollar coin that is not on this chain');
const maker = actor('who makes the coins');
const bob = actor('a buyer with coins');

let world: ChainWorld;
beforeAll(async () => {
  world = await createChainWorld({
    CHAIN_CURRENCIES: JSON.stringify({
      EUR: { mint: euro.address, decimals: 6 },
      // The coin below has none.
      JPY: { mint: yen.address, decimals: 4 },
      USD: { mint: dollar.address, decimals: 6 },
    }),
  });
  await Promise.all([maker, bob].map(({ address }) => world.chain.fund(address, 10 * SOL)));
  await createCoin(world.connection, maker, euro, 6);
  await createCoin(world.connection, maker, yen, 0);
});
afterAll(() => world.close());

const query = async (text: string, values: unknown[] = []) =>
  (await world.ctx.database.owner.query(text, values)).rows;
const accountOf = async (address: string) =>
  (await world.connection.getAccountInfo(new PublicKey(address)))?.data ?? new Uint8Array();

/** A ticket of a new event, minted as the worker mints it. */
async function minted(
  event: Record<string, unknown>,
  tenant: TestTenant = world.tenant,
): Promise<{ tenantId: TenantId; ticketId: string; eventId: string; ticket: Address; event: Address }> {
  const tenantId = toTenantId(tenant.tenantId);
  const sale = await openSale(tenant, { event });
  const order = await buy(tenant.alice, sale.type);
  const ticketId = order.tickets[0]?.id ?? '';
  await mintTickets(world.chainCtx, { tenantId, eventId: sale.event.id, ticketIds: [ticketId] });
  const ticket = await world.until('the ticket on chain', async () => {
    const [row] = await query('select chain_account from tickets where id = $1', [ticketId]);
    return (await accountOf(row.chain_account)).length > 0 && toAddress(row.chain_account);
  });
  const account = decodeTicket(await accountOf(ticket));
  return { tenantId, ticketId, eventId: sale.event.id, ticket, event: account.event };
}

describe('an event whose currency has a coin', () => {
  it('counts face values in it, and its cap of resales holds in it', async () => {
    const sold = await minted({ currency: 'EUR', resaleCapBps: 11_000 });
    const event = decodeEvent(await accountOf(sold.event));
    expect(event).toMatchObject({ currencyMint: euro.address, resaleCapBps: 11_000, transferPolicy: 'open' });
    const ticket = decodeTicket(await accountOf(sold.ticket));
    expect(ticket.faceValue).toBe(25_000_000n);

    const { signer, programId } = world.chainCtx;
    const organizer = await signer.address(organizerKey(sold.tenantId));
    const admin = await signer.address({ use: 'admin' });
    const alice: Signatory = {
      address: ticket.holder,
      sign: (message) => signer.sign({ use: 'custodial', tenantId: sold.tenantId, userId: 'alice' }, message),
    };
    const cap = 27_500_000n;
    for (const owner of [ticket.holder, toAddress(organizer), toAddress(admin)])
      await giveCoin(world.connection, maker, { mint: euro.address, owner, amount: 0n });
    await giveCoin(world.connection, maker, { mint: euro.address, owner: bob.address, amount: 2n * cap });
    const sell = (price: bigint, currency: { mint: Address } | undefined = { mint: euro.address }) =>
      land(
        world.connection,
        [
          resell(toAddress(programId), {
            payer: bob.address,
            seller: ticket.holder,
            buyer: bob.address,
            organizer: event.organizer,
            event: sold.event,
            index: ticket.index,
            feeRecipient: toAddress(organizer),
            treasury: toAddress(admin),
            rentRecipient: event.rentRecipient,
            price,
            currency,
          }),
        ],
        [bob, alice],
      );
    expect(await refusalOf(sell(cap + 1n))).toBe('PriceAboveCap');
    expect(await refusalOf(sell(1n, { mint: yen.address }))).toBe('BadAccount');
    await sell(cap);
    expect(decodeTicket(await accountOf(sold.ticket)).holder).toBe(bob.address);
    expect(await coinOf(world.connection, euro.address, alice.address)).toBe(cap);
    expect(await coinOf(world.connection, euro.address, bob.address)).toBe(cap);
  });

  it('keeps its coin and its recipient of rents, whatever is configured later', async () => {
    const sold = await minted({ currency: 'EUR' });
    const later = { ...world.ctx.config, CHAIN_CURRENCIES: new Map(), CHAIN_PAYERS: 2 };
    const accounts = await ensureEvent({ ...world.chainCtx, config: later }, sold.tenantId, sold.eventId);
    expect(accounts.coin).toEqual({ mint: euro.address, decimals: 6 });
    const { rentRecipient } = decodeEvent(await accountOf(sold.event));
    expect(accounts.rentRecipient).toBe(rentRecipient);
    expect(rentRecipient).toBe(await world.chainCtx.signer.address({ use: 'treasury' }));
  });

  it.each([
    ['has other decimals', 'JPY', /4 decimals, and its mint .* has 0/],
    ['is not on this chain', 'USD', /on this chain that is no mint/],
  ])('waits, and gets no terms, while its coin %s', async (_, currency, sentence) => {
    const tenantId = toTenantId(world.tenant.tenantId);
    const sale = await openSale(world.tenant, { event: { currency } });
    const order = await buy(world.tenant.alice, sale.type);
    const ticketIds = order.tickets.map(({ id }) => id);
    const asked = mintTickets(world.chainCtx, { tenantId, eventId: sale.event.id, ticketIds });
    await expect(asked).rejects.toMatchObject({ kind: 'unavailable' });
    await expect(asked).rejects.toThrow(sentence);
    expect(await query('select * from chain_events where event_id = $1', [sale.event.id])).toEqual([]);
  });

  it('is told apart from one whose mint is another kind of account', async () => {
    const wallet = { mint: bob.address, decimals: 6 };
    expect(await findCoinFault(world.chainCtx.rpc, 'EUR', wallet)).toMatch(/is no mint/);
    expect(
      await findCoinFault(world.chainCtx.rpc, 'EUR', { mint: euro.address, decimals: 6 }),
    ).toBeUndefined();
  });
});

describe('an event whose currency has no coin', () => {
  it('cannot be resold on chain for any price, and says its price in minor units', async () => {
    const other = await createTestTenant(
      world.ctx,
      createApp({ ...world.ctx, chain: world.chainReader }),
      'Other',
    );
    const sold = await minted(
      { currency: 'CHF', transferPolicy: 'resale_only', resaleCapBps: 20_000 },
      other,
    );
    const event = decodeEvent(await accountOf(sold.event));
    expect(event).toMatchObject({ currencyMint: undefined, resaleCapBps: 0, transferPolicy: 'locked' });
    expect(decodeTicket(await accountOf(sold.ticket)).faceValue).toBe(2_500n);
  });

  it('of the policy open may be given away, and is not sold for a single lamport', async () => {
    const sold = await minted({ currency: 'CHF', transferPolicy: 'open', resaleCapBps: 20_000 });
    const { signer, programId } = world.chainCtx;
    const event = decodeEvent(await accountOf(sold.event));
    const ticket = decodeTicket(await accountOf(sold.ticket));
    const alice: Signatory = {
      address: ticket.holder,
      sign: (message) => signer.sign({ use: 'custodial', tenantId: sold.tenantId, userId: 'alice' }, message),
    };
    const sell = resell(toAddress(programId), {
      payer: bob.address,
      seller: ticket.holder,
      buyer: bob.address,
      organizer: event.organizer,
      event: sold.event,
      index: ticket.index,
      feeRecipient: toAddress(await signer.address(organizerKey(sold.tenantId))),
      treasury: toAddress(await signer.address({ use: 'admin' })),
      rentRecipient: event.rentRecipient,
      price: 1n,
    });
    expect(await refusalOf(land(world.connection, [sell], [bob, alice]))).toBe('PriceAboveCap');
  });
});

it('gives an event from before recipients were kept the payer that it had', async () => {
  const sold = await minted({ currency: 'EUR' });
  await query(
    `update chain_events set rent_recipient = null, currency_mint = null, currency_decimals = null where event_id = $1`,
    [sold.eventId],
  );
  const legacy = await world.chainCtx.signer.address(firstRentRecipient(sold.eventId));
  const accounts = await ensureEvent(world.chainCtx, sold.tenantId, sold.eventId);
  expect(accounts).toMatchObject({ rentRecipient: legacy, coin: undefined });
  const [row] = await query('select rent_recipient from chain_events where event_id = $1', [sold.eventId]);
  expect(row.rent_recipient).toBe(legacy);
});

it('has one currency for all ticket types of an event: a type cannot bring its own', async () => {
  const sale = await openSale(world.tenant);
  const type = { name: 'In dollars', priceMinor: 100, capacity: 1, currency: 'USD' };
  const answer = await world.tenant.organiser.post(`/events/${sale.event.id}/ticket-types`, type);
  expect(answer.status).toBe(400);
});

it('asks money for the treasury too', () => {
  expect(fundedKeys(2)).toEqual([
    { use: 'admin' },
    { use: 'treasury' },
    { use: 'payer', index: 0 },
    { use: 'payer', index: 1 },
  ]);
});

async function refusalOf(sent: Promise<unknown>): Promise<string | undefined> {
  return sent.then(
    () => 'it landed',
    (error: unknown) => decodeProgramError(error)?.name,
  );
}
