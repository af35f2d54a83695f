import { PublicKey } from '@solana/web3.js';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { toAddress } from '../../programs-client/addresses.ts';
import { verifyTicket } from '../../programs-client/verify-ticket.ts';
import { mintTickets } from '../../src/domain/chain/send/mint-tickets.ts';
import { resumeParked } from '../../src/domain/chain/send/resume-parked.ts';
import { trackTransactions } from '../../src/domain/chain/send/track-transactions.ts';
import { type TenantId, toTenantId } from '../../src/platform/ids.ts';
import { type ChainWorld, createChainWorld, type Running } from '../support/chain-world.ts';
import { buy, openSale, sampleTicketType } from '../support/samples.ts';

let world: ChainWorld;
let sale: Awaited<ReturnType<typeof openSale>>;
let tenantId: TenantId;
let listener: Running;
const cleanUps: (() => void)[] = [];

beforeAll(async () => {
  world = await createChainWorld();
  tenantId = toTenantId(world.tenant.tenantId);
  sale = await openSale(world.tenant, { type: { capacity: 3 } });
  listener = world.startListener();
});
afterEach(() => {
  for (const cleanUp of cleanUps.splice(0)) cleanUp();
});
afterAll(() => world.close());

const query = async (text: string, values: unknown[] = []) =>
  (await world.ctx.database.owner.query(text, values)).rows;
const ticketRow = async (id: string) => (await query('select * from tickets where id = $1', [id]))[0];
const attempts = (id: string) =>
  query('select * from pending_transactions where subject_id = $1 order by attempt', [id]);

async function soldTicket(type = sale.type): Promise<string> {
  const order = await buy(world.tenant.alice, type);
  return order.tickets[0]?.id ?? '';
}

async function mint(ticketId: string): Promise<void> {
  const { event_id: eventId } = await ticketRow(ticketId);
  const later = await mintTickets(world.chainCtx, { tenantId, eventId, ticketIds: [ticketId] });
  for (const error of later.values()) throw error;
}

async function untilFinal(id: string) {
  return world.until('the final mint', async () => {
    await trackTransactions(world.chainCtx);
    const row = await ticketRow(id);
    return row.blockchain_sync_status === 'finalized' && row;
  });
}

/** The tickets of the sale's event on the chain. */
async function ticketsOnChain(): Promise<number> {
  const [event] = await query('select address from chain_events where event_id = $1', [sale.event.id]);
  const accounts = await world.connection.getProgramAccounts(new PublicKey(world.chainCtx.programId), {
    filters: [{ memcmp: { offset: 10, bytes: event.address } }],
  });
  return accounts.length;
}

describe('submitting a mint', () => {
  it('asks once however often and from however many sides it is called', async () => {
    const id = await soldTicket();
    await Promise.all(Array.from({ length: 8 }, () => mint(id)));
    await untilFinal(id);
    await mint(id);
    expect(await attempts(id)).toHaveLength(1);
    expect(await ticketsOnChain()).toBe(1);
  });

  it('never says minted while the chain does not answer, and goes on when it does', async () => {
    const id = await soldTicket();
    const mend = world.proxy.fault(() => 'break');
    cleanUps.push(mend);
    await mint(id).catch((error) => expect(error).toMatchObject({ kind: 'unavailable' }));
    const { status, nft_mint, chain_version } = await ticketRow(id);
    expect({ sold: status === 'sold' || status === 'minting', nft_mint, chain_version }).toEqual({
      sold: true,
      nft_mint: null,
      chain_version: null,
    });
    mend();
    await world.until('the circuit to close', () =>
      mint(id).then(
        () => true,
        () => false,
      ),
    );
    await untilFinal(id);
    expect(await attempts(id)).toMatchObject([{ status: 'finalized' }]);
  });

  it('sends the same bytes again when the first sending was lost', async () => {
    const id = await soldTicket();
    const mend = world.proxy.fault(({ method }) =>
      method === 'sendTransaction' ? { result: '1'.repeat(64) } : undefined,
    );
    cleanUps.push(mend);
    await mint(id);
    const [kept] = await attempts(id);
    mend();
    await untilFinal(id);
    expect(await attempts(id)).toMatchObject([
      { tx_signature: kept.tx_signature, attempt: 1, status: 'finalized' },
    ]);
  });

  it('signs anew only when the first transaction can never land, and mints once', async () => {
    const { type } = await openSale(world.tenant, { type: { capacity: 5 } });
    const id = await soldTicket(type);
    const mend = world.proxy.fault(({ method }) =>
      method === 'sendTransaction' ? { result: '1'.repeat(64) } : undefined,
    );
    cleanUps.push(mend);
    // The accounts of organizer and event must exist, or the mint waits for them.
    mend();
    const first = await soldTicket(type);
    await mint(first);
    await untilFinal(first);
    cleanUps.push(
      world.proxy.fault(({ method }) =>
        method === 'sendTransaction' ? { result: '1'.repeat(64) } : undefined,
      ),
    );
    await mint(id);
    const expired = await world.until('the expiry', async () => {
      await trackTransactions(world.chainCtx);
      const [row] = await attempts(id);
      return row.status === 'expired' && row;
    });
    expect(Number(await world.connection.getBlockHeight('finalized'))).toBeGreaterThan(
      Number(expired.last_valid_block_height),
    );
    const messages = await query(
      `select messages from outbox where messages::jsonb @> '[{"kind": "ticket.mint"}]'`,
    );
    expect(messages.some((row) => JSON.stringify(row.messages).includes(id))).toBe(true);
    for (const cleanUp of cleanUps.splice(0)) cleanUp();
    await mint(id);
    const row = await untilFinal(id);
    expect((await attempts(id)).map(({ attempt, status }) => [attempt, status])).toEqual([
      [1, 'expired'],
      [2, 'finalized'],
    ]);
    expect(await verifyTicket(world.connection, toAddress(row.nft_mint))).toMatchObject({ status: 'active' });
  });

  it('lets the event on chain grow when its capacity did', async () => {
    const [before] = await query('select max_supply, next_index from chain_events where event_id = $1', [
      sale.event.id,
    ]);
    const wider = sampleTicketType({ capacity: before.max_supply + 2 });
    const edited = await world.tenant.organiser.patch(`/ticket-types/${sale.type.id}`, wider);
    expect(edited.status).toBe(200);
    const ids = [];
    for (let i = before.next_index; i < before.max_supply + 1; i++) ids.push(await soldTicket());
    for (const id of ids) {
      await mint(id);
      await untilFinal(id);
    }
    const [after] = await query('select max_supply from chain_events where event_id = $1', [sale.event.id]);
    expect(after.max_supply).toBe(before.max_supply + 2);
  });

  it('parks a mint that the program refuses for good, and lets it go on when the cause is gone', async () => {
    const id = await soldTicket((await openSale(world.tenant)).type);
    // More than the account of a ticket can take as a face value.
    await query('update tickets set price_minor = 300000000000000 where id = $1', [id]);
    await mint(id);
    await world.until('the refusal', async () => {
      await trackTransactions(world.chainCtx);
      return (await attempts(id))[0]?.status === 'failed';
    });
    expect(await attempts(id)).toMatchObject([{ error_code: 'MathOverflow' }]);
    // It starts over with care: a simulation says the same, and nothing is sent for nothing.
    await mint(id);
    const parked = () => query('select purpose, reason from parked_jobs where subject_id = $1', [id]);
    expect(await parked()).toEqual([{ purpose: 'mint', reason: 'MathOverflow' }]);
    expect(await ticketRow(id)).toMatchObject({ status: 'minting', blockchain_sync_status: 'parked' });
    expect(await attempts(id)).toHaveLength(1);
    await mint(id);
    expect(await attempts(id)).toHaveLength(1);

    expect(await resumeParked(world.chainCtx, { olderThanMs: 60_000 })).toBe(0);
    expect(await resumeParked(world.chainCtx, { olderThanMs: -1 })).toBe(1);
    await mint(id);
    expect(await parked()).toHaveLength(1);

    await query('update tickets set price_minor = 1000 where id = $1', [id]);
    await resumeParked(world.chainCtx, { olderThanMs: -1 });
    await mint(id);
    expect(await parked()).toEqual([]);
    await untilFinal(id);
  });
});

describe('a fork', () => {
  it('takes a mint back that it dropped, and takes it in again when it lands once more', async () => {
    const { type } = await openSale(world.tenant, { type: { capacity: 5 } });
    const other = await soldTicket(type);
    await mint(other);
    await untilFinal(other);
    await listener.stop();

    const id = await soldTicket(type);
    await mint(id);
    const [{ tx_signature: signature }] = (await attempts(id)) as [{ tx_signature: string }];
    await world.until(
      'the mint',
      async () => (await world.connection.getSignatureStatus(signature)).value?.err === null,
    );
    const account = (await ticketRow(id)).chain_account;
    // Confirmed at first; then the node knows neither the transaction nor the account.
    let dropped = false;
    cleanUps.push(
      world.proxy.fault(({ method, params = [] }) => {
        if (method === 'getSignatureStatuses') {
          const signatures = params[0] as string[];
          if (!signatures.includes(signature)) return undefined;
          const status = dropped
            ? null
            : { slot: 1, confirmations: 1, err: null, confirmationStatus: 'confirmed' };
          return {
            result: {
              context: { slot: 1 },
              value: signatures.map((one) => (one === signature ? status : null)),
            },
          };
        }
        if (dropped && method === 'getMultipleAccounts' && (params[0] as string[]).includes(account))
          // It says so as of a late slot: a node that is behind would prove nothing.
          return { result: { context: { slot: 1_000_000 }, value: (params[0] as string[]).map(() => null) } };
        return undefined;
      }),
    );
    listener = world.startListener();
    await world.until('the provisional mint', async () => (await ticketRow(id)).status === 'active');
    dropped = true;
    const back = await world.until('the compensation', async () => {
      const row = await ticketRow(id);
      return row.status === 'minting' && row;
    });
    expect(back).toMatchObject({
      nft_mint: null,
      owner_wallet: null,
      chain_version: null,
      blockchain_sync_status: 'pending',
    });
    const [entry] = await query('select * from blockchain_sync where signature = $1', [signature]);
    expect(entry).toMatchObject({ commitment: 'orphaned', outcome: 'compensated' });
    await listener.stop();

    // It landed again after all: the node knows it, and the listener comes by once more.
    for (const cleanUp of cleanUps.splice(0)) cleanUp();
    await query(
      'update chain_clusters set cursor_signature = null, cursor_slot = null where ended_at is null',
    );
    listener = world.startListener();
    const again = await world.until('the mint', async () => {
      const row = await ticketRow(id);
      return row.status === 'active' && row.blockchain_sync_status === 'finalized' && row;
    });
    expect(again.nft_mint).not.toBeNull();
    const steps = await query(
      'select to_status from ticket_state_transitions where ticket_id = $1 order by version',
      [id],
    );
    expect(steps.map((row) => row.to_status)).toEqual(['sold', 'minting', 'active', 'minting', 'active']);
  });
});
