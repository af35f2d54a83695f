import { createPrivateKey, generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { Keypair, PublicKey } from '@solana/web3.js';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { WrongChain } from '../../listener/cluster.ts';
import { type Address, toAddress } from '../../programs-client/addresses.ts';
import { transferTicket } from '../../programs-client/instructions/transfer-ticket.ts';
import { attachSignatures, compileMessage } from '../../programs-client/send.ts';
import { checkInOnChain } from '../../src/domain/chain/send/check-in-on-chain.ts';
import type { TicketView } from '../../src/domain/tickets/schema.ts';
import { toTenantId } from '../../src/platform/ids.ts';
import { type ChainWorld, createChainWorld } from '../support/chain-world.ts';
import { buy, openSale } from '../support/samples.ts';

let world: ChainWorld;
let sale: Awaited<ReturnType<typeof openSale>>;

beforeAll(async () => {
  world = await createChainWorld();
  world.startWorker();
  sale = await openSale(world.tenant, { type: { capacity: 1_000 } });
});
afterAll(() => world.close());

const query = async (text: string, values: unknown[] = []) =>
  (await world.ctx.database.owner.query(text, values)).rows;
const ticketRow = async (id: string) => (await query('select * from tickets where id = $1', [id]))[0];
const entriesOf = (id: string) =>
  query('select * from blockchain_sync where ticket_id = $1 order by slot, ordinal', [id]);

/** Bought, and its mint confirmed on the chain, whether or not a listener runs. */
async function mintedTicket(): Promise<string> {
  const order = await buy(world.tenant.alice, sale.type);
  const id = order.tickets[0]?.id ?? '';
  await world.until('the account on chain', async () => {
    const { chain_account: account } = await ticketRow(id);
    return account && (await world.connection.getAccountInfo(new PublicKey(account))) !== null;
  });
  return id;
}

const untilActive = (id: string) =>
  world.until('the ticket', async () => {
    const row = await ticketRow(id);
    return row.status === 'active' && row;
  });

async function transferToBob(id: string): Promise<void> {
  const wish = await world.tenant.alice.post<{ id: string }>(
    `/tickets/${id}/transfer`,
    { toUserId: 'bob' },
    { key: randomUUID() },
  );
  expect(wish.status).toBe(202);
  await world.until('the transfer on chain', async () => {
    const [row] = await query(`select tx_signature from pending_transactions where subject_id = $1`, [
      wish.body.id,
    ]);
    const status = row && (await world.connection.getSignatureStatus(row.tx_signature)).value;
    return status?.confirmationStatus !== undefined && status.err === null;
  });
}

describe('the listener', () => {
  it('confirms what we sent, applies it and makes it final', async () => {
    const listener = world.startListener();
    const id = await mintedTicket();
    const active = await untilActive(id);
    expect(active).toMatchObject({
      chain_version: 1,
      blockchain_sync_status: expect.stringMatching(/provisional|finalized/),
    });
    const final = await world.until('the final state', async () => {
      const row = await ticketRow(id);
      return row.blockchain_sync_status === 'finalized' && row;
    });
    expect(final.nft_mint).not.toBeNull();
    expect(await entriesOf(id)).toMatchObject([
      { kind: 'ticket_minted', commitment: 'finalized', outcome: 'applied' },
    ]);
    const [pending] = await query(`select * from pending_transactions where subject_id = $1`, [id]);
    expect(pending).toMatchObject({ status: 'finalized', confirmation_count: 32 });
    expect(pending.confirmed_at).toBeInstanceOf(Date);
    await listener.stop();
  });

  it('leaves the database alone while it is away, and afterwards applies everything once and in order', async () => {
    const ids = await Promise.all(Array.from({ length: 6 }, mintedTicket));
    for (const id of ids) expect(await ticketRow(id)).toMatchObject({ status: 'minting', nft_mint: null });
    const listener = world.startListener();
    for (const id of ids) await untilActive(id);
    for (const id of ids) expect(await entriesOf(id)).toHaveLength(1);
    await listener.stop();

    const [before] = await query('select count(*)::integer as count from blockchain_sync');
    const again = world.startListener();
    await mintedTicket().then(untilActive);
    const [after] = await query('select count(*)::integer as count from blockchain_sync');
    expect(after.count).toBe(before.count + 1);
    await again.stop();
  });

  it('applies each entry once when two listeners run', async () => {
    const listeners = [world.startListener(), world.startListener()];
    const ids = await Promise.all(Array.from({ length: 4 }, mintedTicket));
    for (const id of ids) {
      await untilActive(id);
      expect(await entriesOf(id)).toHaveLength(1);
      const history = await query(
        `select to_status from ticket_state_transitions where ticket_id = $1 order by version`,
        [id],
      );
      expect(history.map((row) => row.to_status)).toEqual(['sold', 'minting', 'active']);
    }
    await Promise.all(listeners.map((listener) => listener.stop()));
  });

  it('tries a transaction again that could not be recorded, before any later one', async () => {
    let failures = 2;
    const failpoints = {
      hit: async (name: string) => {
        if (name === 'listener.recorded' && failures-- > 0) throw new Error('the database hiccups');
      },
    };
    const listener = world.startListener({ ctx: { failpoints } });
    const id = await mintedTicket();
    await untilActive(id);
    expect(failures).toBeLessThan(0);
    expect(await entriesOf(id)).toHaveLength(1);
    await listener.stop();
  });

  it('moves owner, holder and codes when a transfer is confirmed, and the ticket is active in new hands at once', async () => {
    const listener = world.startListener();
    const id = await mintedTicket();
    const before = await untilActive(id);
    await transferToBob(id);
    const after = await world.until('the new owner', async () => {
      const row = await ticketRow(id);
      return row.user_id === 'bob' && row;
    });
    expect(after.owner_wallet).not.toBe(before.owner_wallet);
    expect(after).toMatchObject({ owner_epoch: 2, chain_version: 2, status: 'active' });
    const bobs = await world.tenant.bob.get<{ items: TicketView[] }>('/tickets');
    expect(bobs.body.items).toMatchObject([{ id, status: 'active' }]);
    const final = await world.until('the final state', async () => {
      const row = await ticketRow(id);
      return row.blockchain_sync_status === 'finalized' && row;
    });
    expect(final).toMatchObject({ user_id: 'bob', status: 'active', version: after.version });
    const { body } = await world.tenant.bob.get<{ items: object[] }>(`/tickets/${id}/history`);
    const [minted, moved] = await query(
      `select tx_signature as signature from pending_transactions
       where ticket_id = $1 and status = 'finalized' order by purpose`,
      [id],
    );
    const onChain = { actor: 'chain:listener', reason: null, gate: null };
    expect(body.items).toMatchObject([
      { from: 'reserved', to: 'sold', signature: null },
      { from: 'sold', to: 'minting', signature: null },
      { from: 'minting', to: 'active', ...onChain, ...minted },
      { from: 'active', to: 'transferred', ...onChain, ...moved },
      { from: 'transferred', to: 'active', ...onChain, ...moved },
    ]);
    expect((await world.tenant.alice.get(`/tickets/${id}`)).status).toBe(404);
    expect((await world.tenant.bob.get<TicketView>(`/tickets/${id}`)).body.userId).toBe('bob');
    await listener.stop();
  });

  it('reads the account when it meets a version that does not follow', async () => {
    const id = await mintedTicket();
    const listener = world.startListener();
    await untilActive(id);
    await listener.stop();
    await transferToBob(id);
    // As if the entry of the transfer had been lost: noted as known, and never applied.
    const [transfer] = await query(
      `select tx_signature from pending_transactions where ticket_id = $1 and purpose = 'transfer'`,
      [id],
    );
    const [cluster] = await query('select id from chain_clusters where ended_at is null');
    await query(
      `insert into blockchain_sync (tenant_id, cluster_id, signature, instruction_path, ordinal, kind, slot, commitment, outcome, recorded_at)
       values ($1, $2, $3, '1', 0, 'ticket_transferred', 1, 'finalized', 'already_known', now())`,
      [world.tenant.tenantId, cluster.id, transfer.tx_signature],
    );
    await checkInOnChain(world.chainCtx, { tenantId: toTenantId(world.tenant.tenantId), ticketId: id });
    const again = world.startListener();
    const corrected = await world.until('the correction', async () => {
      const row = await ticketRow(id);
      return row.chain_version === 3 && row;
    });
    expect(corrected.user_id).toBe('bob');
    expect((await entriesOf(id)).at(-1)).toMatchObject({ kind: 'ticket_checked_in', outcome: 'corrected' });
    await again.stop();
  });

  it('follows a holder who moves the ticket from a wallet of their own to one nobody knows', async () => {
    const { address, signWith } = await linkWallet('erin');
    const erin = await world.tenant.as('erin', 'buyer');
    const listener = world.startListener();
    const order = await buy(erin, sale.type);
    const id = order.tickets[0]?.id ?? '';
    const minted = await untilActive(id);
    expect(minted.owner_wallet).toBe(address);
    const refused = await erin.post(`/tickets/${id}/transfer`, { toUserId: 'bob' }, { key: randomUUID() });
    expect(refused).toMatchObject({ status: 409, body: { code: 'wallet_self_custodial' } });

    const stranger = toAddress(Keypair.generate().publicKey);
    await sendTransfer(id, address, stranger, signWith);
    const moved = await world.until('the stranger', async () => {
      const row = await ticketRow(id);
      return row.owner_wallet === stranger && row;
    });
    expect(moved).toMatchObject({ user_id: `wallet:${stranger}`, owner_epoch: 2 });
    expect((await erin.get(`/tickets/${id}/qr`)).status).toBe(404);
    await listener.stop();
  });

  it('passes over what other organisers do with the same program', async () => {
    const listener = world.startListener();
    const id = await mintedTicket();
    await untilActive(id);
    await listener.stop();
    await query('update chain_events set address = $1 where event_id = $2', [
      toAddress(Keypair.generate().publicKey),
      sale.event.id,
    ]);
    try {
      await transferToBob(id);
      const again = world.startListener();
      await world.until('the confirmation', async () => {
        const [row] = await query(
          `select status from pending_transactions where ticket_id = $1 and purpose = 'transfer'`,
          [id],
        );
        return row?.status === 'finalized';
      });
      expect(await entriesOf(id)).toHaveLength(1);
      await again.stop();
    } finally {
      const [row] = await query('select chain_account from tickets where id = $1', [id]);
      const account = await world.connection.getAccountInfo(new PublicKey(row.chain_account));
      const event = new PublicKey(account?.data.subarray(10, 42) ?? []).toBase58();
      await query('update chain_events set address = $1 where event_id = $2', [event, sale.event.id]);
    }
  });
});

describe('a chain that is not ours', () => {
  beforeEach(async () => {
    const listener = world.startListener();
    await mintedTicket().then(untilActive);
    await world.until('a cursor', async () => {
      const [row] = await query('select cursor_signature from chain_clusters where ended_at is null');
      return row?.cursor_signature !== null;
    });
    await listener.stop();
  });

  it('stops the listener with a sentence, and changes nothing', async () => {
    const [before] = await query('select count(*)::integer as count from blockchain_sync');
    const restore = forget({ accounts: true });
    await expect(world.startListener().ended).rejects.toThrow(
      /does not know the transaction .* and none of \d+ accounts that were there: this is another chain/,
    );
    restore();
    const [after] = await query('select count(*)::integer as count from blockchain_sync');
    expect(after.count).toBe(before.count);
  });

  it('is told by its genesis hash too', async () => {
    const [cluster] = await query('select id, genesis_hash from chain_clusters where ended_at is null');
    const rename = (hash: string) =>
      query('update chain_clusters set genesis_hash = $2 where id = $1', [cluster.id, hash]);
    await rename('another');
    await expect(world.startListener().ended).rejects.toThrow(WrongChain);
    await rename(cluster.genesis_hash);
  });

  it('is still ours when only its history was forgotten: tickets are healed from their accounts', async () => {
    const id = await mintedTicket();
    await world.until('the mint to be final', async () => {
      const { chain_account: account } = await ticketRow(id);
      return (await world.connection.getAccountInfo(new PublicKey(account), 'finalized')) !== null;
    });
    const restore = forget({ accounts: false });
    const listener = world.startListener();
    const healed = await untilActive(id);
    expect(healed).toMatchObject({ chain_version: 1, blockchain_sync_status: 'finalized' });
    expect(await entriesOf(id)).toMatchObject([{ kind: 'audit', outcome: 'corrected' }]);
    await listener.stop();
    restore();
  });

  it('is followed from its beginning when the operator says so', async () => {
    const listener = world.startListener({ newChain: true });
    await mintedTicket().then(untilActive);
    const clusters = await query('select ended_at from chain_clusters order by started_at');
    expect(clusters.at(-1)?.ended_at).toBeNull();
    expect(clusters.at(-2)?.ended_at).toBeInstanceOf(Date);
    await listener.stop();
  });
});

/** The nodes know of no transaction before now, and perhaps of no account. */
function forget({ accounts }: { accounts: boolean }): () => void {
  return world.proxy.fault(({ method, params = [] }) => {
    const nothing = (one: unknown) => ({
      result: { context: { slot: 1_000_000 }, value: (one as unknown[]).map(() => null) },
    });
    if (method === 'getSignaturesForAddress') return { result: [] };
    if (method === 'getSignatureStatuses') return nothing(params[0]);
    if (method === 'getMultipleAccounts' && accounts) return nothing(params[0]);
    return undefined;
  });
}

/** Links a fresh wallet to `user` by a signed challenge. */
async function linkWallet(
  user: string,
): Promise<{ address: Address; signWith: (message: Uint8Array) => Uint8Array }> {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const address = toAddress(new Uint8Array(publicKey.export({ format: 'der', type: 'spki' }).subarray(12)));
  const key = createPrivateKey({
    key: privateKey.export({ format: 'der', type: 'pkcs8' }),
    format: 'der',
    type: 'pkcs8',
  });
  const signWith = (message: Uint8Array) => new Uint8Array(sign(null, message, key));
  const buyer = await world.tenant.as(user, 'buyer');
  const { body } = await buyer.post<{ challengeId: string; message: string }>('/wallets/challenge', {
    address,
  });
  const signature = Buffer.from(signWith(Buffer.from(body.message))).toString('base64');
  const linked = await buyer.post('/wallets', { challengeId: body.challengeId, signature });
  expect(linked).toMatchObject({ status: 201, body: { address, custody: 'linked' } });
  return { address, signWith };
}

/** What the wallet of a self-custodial holder would send. */
async function sendTransfer(
  ticketId: string,
  from: Address,
  to: Address,
  signWith: (message: Uint8Array) => Uint8Array,
): Promise<void> {
  const { programId } = world.chainCtx;
  const row = await ticketRow(ticketId);
  const [event] = await query('select address, rent_recipient from chain_events where event_id = $1', [
    row.event_id,
  ]);
  const [organizer] = await query('select address from chain_organizers where tenant_id = $1', [
    row.tenant_id,
  ]);
  await world.chain.fund(from, 1_000_000_000);
  const instruction = transferTicket(toAddress(programId), {
    payer: from,
    holder: from,
    to,
    organizer: organizer.address,
    event: event.address,
    index: row.chain_index,
    rentRecipient: event.rent_recipient,
  });
  const { blockhash } = await world.connection.getLatestBlockhash();
  const message = compileMessage([instruction], from, blockhash);
  const signature = await world.connection.sendRawTransaction(
    attachSignatures(message, { [from]: signWith(message) }),
  );
  await world.until(
    'the transfer',
    async () => (await world.connection.getSignatureStatus(signature)).value?.err === null,
  );
}
