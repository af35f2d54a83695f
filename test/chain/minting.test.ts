import { randomUUID } from 'node:crypto';
import { Keypair, PublicKey } from '@solana/web3.js';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { decodeTicket } from '../../programs-client/accounts.ts';
import { toAddress } from '../../programs-client/addresses.ts';
import { ticketAddresses } from '../../programs-client/pdas.ts';
import { mintTickets } from '../../src/domain/chain/send/mint-tickets.ts';
import { createPayers } from '../../src/domain/chain/send/payers.ts';
import { revokeOnChain } from '../../src/domain/chain/send/revoke-on-chain.ts';
import { trackTransactions } from '../../src/domain/chain/send/track-transactions.ts';
import { transferOnChain } from '../../src/domain/chain/send/transfer-on-chain.ts';
import { type TenantId, toTenantId, uuidOf } from '../../src/platform/ids.ts';
import { type ChainWorld, createChainWorld } from '../support/chain-world.ts';
import { buy, openSale } from '../support/samples.ts';

let world: ChainWorld;
let tenantId: TenantId;
const cleanUps: (() => void)[] = [];

beforeAll(async () => {
  world = await createChainWorld();
  tenantId = toTenantId(world.tenant.tenantId);
  world.startListener();
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

async function sold(quantity: number, overrides: Record<string, unknown> = {}) {
  const { event, type } = await openSale(world.tenant, { type: { capacity: 20 }, ...overrides });
  const order = await buy(world.tenant.alice, type, { quantity });
  return { eventId: event.id, type, ids: order.tickets.map(({ id }) => id) };
}

const mint = (eventId: string, ticketIds: string[]) =>
  mintTickets(world.chainCtx, { tenantId, eventId, ticketIds });

const untilStatus = (id: string, status: string) =>
  world.until(`the ticket to be ${status}`, async () => {
    await trackTransactions(world.chainCtx);
    const row = await ticketRow(id);
    return row.status === status && row;
  });

async function minted(): Promise<{ id: string; eventId: string }> {
  const { eventId, ids } = await sold(1);
  await mint(eventId, ids);
  const [id = ''] = ids;
  await untilStatus(id, 'active');
  return { id, eventId };
}

const accountOf = async (id: string) => {
  const { chain_account: account } = await ticketRow(id);
  const info = await world.connection.getAccountInfo(new PublicKey(account));
  return info ? decodeTicket(info.data) : undefined;
};

describe('a batch of mints', () => {
  it('puts two tickets into a transaction, and sends nothing twice when two workers have the same', async () => {
    const { eventId, ids } = await sold(5);
    await Promise.all([mint(eventId, ids), mint(eventId, ids), mint(eventId, [...ids].reverse())]);
    for (const id of ids) await untilStatus(id, 'active');
    const rows = await query('select * from pending_transactions where subject_id = any($1)', [ids]);
    expect(rows).toHaveLength(5);
    expect(new Set(rows.map((row) => row.tx_signature)).size).toBe(3);
    const mints = await Promise.all(ids.map(async (id) => (await ticketRow(id)).nft_mint));
    expect(new Set(mints).size).toBe(5);
  });

  it('goes to a wallet of ours when its holder is named like an address and is none', async () => {
    const { eventId, ids } = await sold(3);
    const address = Keypair.generate().publicKey.toBase58();
    const holders = ['wallet:no address', `wallet:${address}0`, `wallet:${address}`];
    for (const [i, holder] of holders.entries())
      await query('update tickets set user_id = $2 where id = $1', [ids[i], holder]);
    await mint(eventId, ids);
    for (const id of ids) await untilStatus(id, 'active');
    const owners = await Promise.all(ids.map(async (id) => (await ticketRow(id)).owner_wallet));
    expect(owners[2]).toBe(address);
    const kept = await query(
      "select address from wallets where custody = 'custodial' and user_id = any($1)",
      [holders.slice(0, 2)],
    );
    expect(kept.map((row) => row.address).toSorted()).toEqual(owners.slice(0, 2).toSorted());
  });

  it('sends tickets of long texts alone', async () => {
    const { eventId, ids } = await sold(2, {
      event: { title: 'ü'.repeat(100) },
      type: { capacity: 5, name: 'ß'.repeat(60) },
    });
    await mint(eventId, ids);
    for (const id of ids) await untilStatus(id, 'active');
    const rows = await query('select * from pending_transactions where subject_id = any($1)', [ids]);
    expect(new Set(rows.map((row) => row.tx_signature)).size).toBeGreaterThan(0);
  });

  it('leaves out a ticket that was called off, and mints the one beside it', async () => {
    const { eventId, ids } = await sold(2);
    const [gone = '', kept = ''] = ids;
    // Called off between the look at the places and the keeping of the bytes.
    const late = {
      ...world.chainCtx,
      signer: {
        ...world.chainCtx.signer,
        async sign(...args: Parameters<typeof world.chainCtx.signer.sign>) {
          await query(
            `update tickets set status = 'cancelled', version = version + 1, updated_at = now() where id = $1 and status = 'sold'`,
            [gone],
          );
          return world.chainCtx.signer.sign(...args);
        },
      },
    };
    // The accounts of organizer and event are made by a mint of their own.
    await mintTickets(world.chainCtx, { tenantId, eventId, ticketIds: [] });
    await mintTickets(late, { tenantId, eventId, ticketIds: ids });
    expect(await attempts(gone)).toEqual([]);
    await mint(eventId, ids);
    await untilStatus(kept, 'active');
    expect(await ticketRow(gone)).toMatchObject({ status: 'cancelled', nft_mint: null });
    expect(await accountOf(gone)).toBeUndefined();
  });
});

describe('a ticket that cannot be written', () => {
  it('is parked with the reason, and the others of its batch are minted', async () => {
    const { eventId, ids } = await sold(4);
    const [first = '', odd = '', ...others] = ids;
    await mint(eventId, [first]);
    // In a coin of nine decimals more than 64 bits: no field of the instruction takes it.
    await query(
      'update chain_events set currency_mint = address, currency_decimals = 9 where event_id = $1',
      [eventId],
    );
    await query('update tickets set price_minor = 9000000000000000000 where id = $1', [odd]);
    await mint(eventId, [odd, ...others]);
    for (const id of others) await untilStatus(id, 'active');
    const [parked] = await query('select reason from parked_jobs where subject_id = $1', [odd]);
    expect(parked.reason).toMatch(/64 bits|does not fit|range/i);
    expect(await attempts(odd)).toEqual([]);
  });
});

describe('the database', () => {
  it('takes no second transaction of a ticket while one is alive', async () => {
    const { eventId, ids } = await sold(1);
    const [id = ''] = ids;
    await mint(eventId, ids);
    const second = query(
      `insert into pending_transactions (tenant_id, id, purpose, subject_id, ticket_id, status, tx_signature, raw, last_valid_block_height, prepared_at)
       values ($1, $2, 'mint', $3, $3, 'prepared', 'another signature', '', 1, now())`,
      [tenantId, randomUUID(), id],
    );
    await expect(second).rejects.toMatchObject({ constraint: 'pending_transactions_one_live' });
    await untilStatus(id, 'active');
  });
});

describe('a place on the chain', () => {
  it('is kept however often a node shows nothing there', async () => {
    const { eventId, ids } = await sold(1);
    const [id = ''] = ids;
    const heal = world.proxy.fault(({ method, params = [] }) => {
      if (method !== 'getMultipleAccounts') return undefined;
      const many = params[0] as string[];
      return many.includes(hidden)
        ? { result: { context: { slot: 1 }, value: many.map(() => null) } }
        : undefined;
    });
    cleanUps.push(heal);
    let hidden = '';
    await mint(eventId, ids);
    const before = await ticketRow(id);
    hidden = before.chain_account;
    // The copy is thrown away as if a fork had dropped the mint, which it did not.
    await untilStatus(id, 'active');
    await query(
      `update tickets set status = 'minting', chain_version = null, nft_mint = null, owner_wallet = null, version = version + 1,
         blockchain_sync_status = 'pending', updated_at = now() where id = $1`,
      [id],
    );
    await query(
      `update pending_transactions set status = 'expired', next_check_at = null where subject_id = $1`,
      [id],
    );
    // With another blockhash: the same bytes would be the same transaction.
    await world.until('another attempt', async () => {
      await mint(eventId, ids);
      return (await attempts(id)).length === 2;
    });
    await world.until('the refusal', async () => {
      await trackTransactions(world.chainCtx);
      return (await attempts(id)).at(-1)?.status === 'failed';
    });
    const later = await mint(eventId, ids);
    expect(later.get(id)).toMatchObject({ kind: 'unavailable' });
    expect((await ticketRow(id)).chain_account).toBe(before.chain_account);
    heal();
    expect((await mint(eventId, ids)).size).toBe(0);
    expect((await ticketRow(id)).chain_account).toBe(before.chain_account);
  });

  it('is given up only when another ticket is seen in it for good', async () => {
    const { eventId, ids } = await sold(2);
    const [first = '', second = ''] = ids;
    await mint(eventId, [first]);
    const taken = await untilStatus(first, 'active');
    // As after the database was restored from an older copy: the next place is one that is taken.
    await query('update chain_events set next_index = $2 where event_id = $1', [eventId, taken.chain_index]);
    await query('update tickets set chain_index = null, chain_account = null where id = $1', [first]);
    await mint(eventId, [second]);
    expect((await ticketRow(second)).chain_account).toBe(taken.chain_account);
    await world.until('the next place', async () => {
      await trackTransactions(world.chainCtx);
      await mint(eventId, [second]).catch(() => undefined);
      const row = await ticketRow(second);
      return row.chain_account !== taken.chain_account && row.status === 'active';
    });
    const account = await accountOf(second);
    expect(account && uuidOf(account.ticketId)).toBe(second);
  });
});

describe('what a tenant may spend', () => {
  it('lets go as many tickets of a batch as it pays for, and the others wait for the next hour', async () => {
    const { eventId, ids } = await sold(6);
    await mintTickets(world.chainCtx, { tenantId, eventId, ticketIds: [] });
    const [{ lamports: before }] = (await query('select sum(lamports) as lamports from chain_spending')) as [
      { lamports: string },
    ];
    const config = { ...world.chainCtx.config, CHAIN_SPEND_LIMIT_SOL: Number(before) / 1e9 + 0.04 };
    const bounded = { ...world.chainCtx, config };
    const sending = { ...bounded, payers: await createPayers(bounded) };
    await mintTickets(sending, { tenantId, eventId, ticketIds: ids });
    const rows = await query(
      `select subject_id, payer, lamports from pending_transactions where subject_id = any($1)`,
      [ids],
    );
    expect(rows).toHaveLength(4);
    expect(rows.filter(({ lamports }) => Number(lamports) > 0)).toHaveLength(2);
    const [{ lamports: after }] = (await query('select sum(lamports) as lamports from chain_spending')) as [
      { lamports: string },
    ];
    expect(Number(after) - Number(before)).toBe(
      rows.reduce((sum, { lamports }) => sum + Number(lamports), 0),
    );
    await expect(mintTickets(sending, { tenantId, eventId, ticketIds: ids })).rejects.toMatchObject({
      kind: 'unavailable',
    });
    await mint(eventId, ids);
    for (const id of ids) await untilStatus(id, 'active');
  });
});

describe('what could not run for now', () => {
  it('waits for money without being parked', async () => {
    const { eventId, ids } = await sold(1);
    const [id = ''] = ids;
    await mintTickets(world.chainCtx, { tenantId, eventId, ticketIds: [] });
    const poor = {
      ...world.chainCtx,
      payers: {
        ...world.chainCtx.payers,
        choose: () => ({
          key: { use: 'payer', index: 0 } as const,
          address: toAddress(broke.publicKey.toBase58()),
        }),
      },
      signer: {
        address: (key: Parameters<typeof world.chainCtx.signer.address>[0]) =>
          key.use === 'payer'
            ? Promise.resolve(broke.publicKey.toBase58())
            : world.chainCtx.signer.address(key),
        sign: async (...[key, message]: Parameters<typeof world.chainCtx.signer.sign>) =>
          key.use === 'payer' ? signWith(broke, message) : world.chainCtx.signer.sign(key, message),
      },
    };
    await mintTickets(poor, { tenantId, eventId, ticketIds: ids });
    expect(await attempts(id)).toHaveLength(1);
    await world.until('the end of the attempt', async () => {
      await trackTransactions(poor);
      return ['failed', 'expired'].includes((await attempts(id))[0]?.status);
    });
    expect(await ticketRow(id)).toMatchObject({ status: 'minting', blockchain_sync_status: 'pending' });
    expect(await query('select * from parked_jobs where subject_id = $1', [id])).toEqual([]);
    await mint(eventId, ids);
    await untilStatus(id, 'active');
  });

  it('mints at an address to which somebody sent lamports', async () => {
    const { eventId, ids } = await sold(2);
    await mintTickets(world.chainCtx, { tenantId, eventId, ticketIds: [] });
    const [{ address }] = (await query('select address from chain_events where event_id = $1', [
      eventId,
    ])) as [{ address: string }];
    for (const index of [0, 1]) {
      const places = ticketAddresses(toAddress(world.chainCtx.programId), toAddress(address), index);
      await world.chain.fund(places.ticket, 1_000_000);
      await world.chain.fund(places.mint, 1_000_000);
    }
    await mint(eventId, ids);
    for (const id of ids) await untilStatus(id, 'active');
    for (const id of ids) expect(await attempts(id)).toMatchObject([{ attempt: 1 }]);
  });
});

describe("jobs that got into each other's way", () => {
  it('derives a revocation again that lost against a transfer', async () => {
    const { id, eventId } = await minted();
    const wish = await world.tenant.alice.post<{ id: string }>(
      `/tickets/${id}/transfer`,
      { toUserId: 'bob' },
      { key: randomUUID() },
    );
    expect(wish.status).toBe(202);
    // The revocation is signed for the holder of this moment and sent when the transfer has landed.
    const held: string[] = [];
    const release = world.proxy.fault(({ method, params = [] }) => {
      if (method !== 'sendTransaction') return undefined;
      held.push(params[0] as string);
      return { result: '1'.repeat(64) };
    });
    cleanUps.push(release);
    await revokeOnChain(world.chainCtx, { tenantId, ticketId: id, reason: 'fraud' });
    expect(held).toHaveLength(1);
    release();
    await transferOnChain(world.chainCtx, { tenantId, transferId: wish.body.id });
    await world.until('the transfer', async () => {
      const account = await accountOf(id);
      return account && account.version === 2;
    });
    await world.until('the refusal of the revocation', async () => {
      await trackTransactions(world.chainCtx);
      const [row] = await query(
        `select status from pending_transactions where ticket_id = $1 and purpose = 'revoke'`,
        [id],
      );
      return row.status === 'failed';
    });
    const messages = await query('select messages, next_attempt_at from outbox order by id desc limit 20');
    expect(JSON.stringify(messages)).toContain('"ticket.revoke"');
    await revokeOnChain(world.chainCtx, { tenantId, ticketId: id, reason: 'fraud' });
    await world.until('the revocation', async () => (await accountOf(id))?.status === 'revoked');
    expect(await query('select * from parked_jobs where ticket_id = $1', [id])).toEqual([]);
    expect(eventId).toBeTruthy();
  });

  it('does not apply a transfer that is signed again to a ticket that went away and came back', async () => {
    const { id } = await minted();
    const wish = await world.tenant.alice.post<{ id: string }>(
      `/tickets/${id}/transfer`,
      { toUserId: 'bob' },
      { key: randomUUID() },
    );
    // It was signed once for an earlier version, and that transaction never landed.
    await query('update transfers set chain_version = 7 where id = $1', [wish.body.id]);
    await transferOnChain(world.chainCtx, { tenantId, transferId: wish.body.id });
    expect(
      (await query('select status, failure_code from transfers where id = $1', [wish.body.id]))[0],
    ).toEqual({
      status: 'failed',
      failure_code: 'owner_changed',
    });
    expect(await attempts(wish.body.id)).toEqual([]);
  });
});

const broke = Keypair.generate();

async function signWith(keypair: Keypair, message: Uint8Array): Promise<Uint8Array> {
  const { createPrivateKey, sign } = await import('node:crypto');
  const key = createPrivateKey({
    key: Buffer.concat([
      Buffer.from('302e020100300506032b657004220420', 'hex'),
      keypair.secretKey.slice(0, 32),
    ]),
    format: 'der',
    type: 'pkcs8',
  });
  return new Uint8Array(sign(null, message, key));
}
