import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { PublicKey } from '@solana/web3.js';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createRpc } from '../../src/domain/chain/rpc/rpc.ts';
import { auditChain } from '../../src/domain/chain/sync/audit-chain.ts';
import { describeChainStatus } from '../../src/domain/chain/sync/describe-chain-status.ts';
import { retryQuarantined } from '../../src/domain/chain/sync/quarantine.ts';
import { readChainStatus } from '../../src/domain/chain/sync/read-chain-status.ts';
import { readNodes } from '../../src/domain/chain/sync/read-nodes.ts';
import { DomainError } from '../../src/platform/errors.ts';
import { type ChainWorld, createChainWorld, type Running } from '../support/chain-world.ts';
import { startRpcProxy } from '../support/rpc-proxy.ts';
import { buy, openSale } from '../support/samples.ts';

let world: ChainWorld;
let sale: Awaited<ReturnType<typeof openSale>>;
const cleanUp: (() => unknown)[] = [];

beforeAll(async () => {
  world = await createChainWorld();
  world.startWorker();
  sale = await openSale(world.tenant, { type: { capacity: 1_000 } });
  const listener = world.startListener();
  await untilActive(await soldTicket());
  await listener.stop();
});
afterAll(() => world.close());
afterEach(async () => {
  for (const undo of cleanUp.splice(0).reverse()) await undo();
});

const query = async (text: string, values: unknown[] = []) =>
  (await world.ctx.database.owner.query(text, values)).rows;
const ticketRow = async (id: string) => (await query('select * from tickets where id = $1', [id]))[0];
const entriesOf = (id: string) =>
  query('select * from blockchain_sync where ticket_id = $1 order by slot, ordinal', [id]);
const quarantined = (signature: string) =>
  query('select * from chain_quarantine where signature = $1', [signature]).then(([row]) => row);
const clusterId = async (): Promise<string> =>
  (await query('select id from chain_clusters where ended_at is null'))[0].id;
const cursorSlot = async (): Promise<number> =>
  Number((await query('select cursor_slot from chain_clusters where ended_at is null'))[0].cursor_slot);

function listen(options?: Parameters<ChainWorld['startListener']>[0]): Running {
  const listener = world.startListener(options);
  cleanUp.push(() => listener.stop());
  return listener;
}

function fault(...args: Parameters<ChainWorld['proxy']['fault']>): () => void {
  const restore = world.proxy.fault(...args);
  cleanUp.push(restore);
  return restore;
}

async function soldTicket(): Promise<string> {
  return (await buy(world.tenant.alice, sale.type)).tickets[0]?.id ?? '';
}

/** Bought, and its mint on the chain, whether or not a listener runs. */
async function mintedTicket(): Promise<{ id: string; signature: string; slot: number }> {
  const id = await soldTicket();
  return world.until('the mint on chain', async () => {
    const rows = await query(`select tx_signature from pending_transactions where subject_id = $1`, [id]);
    for (const { tx_signature: signature } of rows) {
      const { value } = await world.connection.getSignatureStatus(signature);
      if (value?.confirmationStatus && value.err === null) return { id, signature, slot: value.slot };
    }
    return undefined;
  });
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
/** As if a stranger had sent it, so that nobody asks for its status by name. */
const disown = (signature: string) =>
  query(`update pending_transactions set status = 'failed' where tx_signature = $1`, [signature]);

const untilActive = (id: string) =>
  world.until('the ticket', async () => {
    const row = await ticketRow(id);
    return row.status === 'active' && row;
  });
const untilFinal = (id: string) =>
  world.until('the final state', async () => {
    const row = await ticketRow(id);
    return row.blockchain_sync_status === 'finalized' && row;
  });
const untilFinalOnChain = (id: string) =>
  world.until('the final account', async () => {
    const { chain_account: account } = await ticketRow(id);
    return (await world.connection.getAccountInfo(new PublicKey(account), 'finalized')) !== null;
  });

describe('a transaction that cannot be used', () => {
  it.each<[string, Parameters<ChainWorld['proxy']['fault']>[0], RegExp]>([
    [
      'that the node refuses to show',
      () => ({ error: { code: -32015, message: 'Transaction version (7) is not supported' } }),
      /version \(7\) is not supported/,
    ],
    ['that is listed and never shown', () => ({ result: null }), /no node shows it/],
    [
      'that is no transaction',
      () => ({ change: (result) => ({ ...result, transaction: ['AAAA', 'base64'] }) }),
      /./,
    ],
    [
      'that nobody signed so',
      () => ({
        change: (result) => ({ ...result, transaction: [otherBytes(result.transaction[0]), 'base64'] }),
      }),
      /signature|transaction/,
    ],
  ])('%s is put aside, and the cursor moves on; tried again it is applied', async (_what, effect, reason) => {
    const { id, signature, slot } = await mintedTicket();
    const restore = fault((call) =>
      call.method === 'getTransaction' && call.params?.[0] === signature ? effect(call) : undefined,
    );
    listen();
    const later = await mintedTicket();
    await untilActive(later.id);
    await world.until('the quarantine', async () => (await quarantined(signature)) !== undefined);
    expect((await quarantined(signature)).reason).toMatch(reason);
    expect(await ticketRow(id)).toMatchObject({ status: 'minting', chain_version: null });
    await world.until('the cursor', async () => (await cursorSlot()) > slot);
    expect(await entriesOf(id)).toEqual([]);

    restore();
    await untilActive(id);
    await world.until('the release', async () => (await quarantined(signature)) === undefined);
    expect(await entriesOf(id)).toMatchObject([{ kind: 'ticket_minted', outcome: 'applied' }]);
  });

  it('is given up in the end, shown, and tried again when somebody asks for it', async () => {
    const { id, signature } = await mintedTicket();
    const restore = fault(({ method, params }) =>
      method === 'getTransaction' && params?.[0] === signature ? { result: null } : undefined,
    );
    // Its own statuses do not know it either, so that only the quarantine is left.
    const forget = fault(({ method }) =>
      method === 'getSignatureStatuses'
        ? { change: (result) => ({ ...result, value: result.value.map(() => null) }) }
        : undefined,
    );
    listen();
    await world.until('the quarantine', async () => (await quarantined(signature)) !== undefined);
    await query(
      `update chain_quarantine set tries = 20, first_seen_at = now() - interval '1 hour', next_try_at = now()
       where signature = $1`,
      [signature],
    );
    await world.until('the end', async () => (await quarantined(signature))?.next_try_at === null);
    const status = await readChainStatus(world.listenerCtx.db, world.listenerCtx.programId);
    expect(status.quarantine).toMatchObject({ givenUp: 1, newest: [{ signature, givenUp: true }] });
    const { troubles } = describeChainStatus({ ...status, ...(await readNodes(world.listenerCtx.rpc)) });
    expect(troubles).toContain('1 transactions were given up; npm run chain:retry tries them again.');

    restore();
    forget();
    expect(await retryQuarantined(world.listenerCtx)).toBe(1);
    await untilActive(id);
  });

  it('does not keep the others of its batch from being recorded', async () => {
    const bad = await mintedTicket();
    const good = [await mintedTicket(), await mintedTicket()];
    // Its row cannot be written: as a constraint, a trigger or a bug would have it.
    await query(
      `create function refuse() returns trigger language plpgsql as $$ begin
         if new.id = '${bad.id}' and new.chain_version is not null then raise exception 'not this one'; end if; return new;
       end $$`,
    );
    await query('create trigger refuse before update on tickets for each row execute function refuse()');
    cleanUp.push(() => query('drop function if exists refuse cascade'));
    listen();
    for (const { id } of good) await untilActive(id);
    await world.until('the quarantine', async () => (await quarantined(bad.signature)) !== undefined);
    expect((await quarantined(bad.signature)).reason).toBe('cannot be recorded: not this one');
    expect(await ticketRow(bad.id)).toMatchObject({ status: 'minting' });
    await query('drop function refuse cascade');
    await untilActive(bad.id);
  });
});

describe('what was missed', () => {
  it('is found by its status when the list of signatures leaves it out', async () => {
    const { id, signature } = await mintedTicket();
    fault(({ method }) =>
      method === 'getSignaturesForAddress'
        ? { change: (listed: { signature: string }[]) => listed.filter((one) => one.signature !== signature) }
        : undefined,
    );
    listen();
    await untilActive(id);
    expect(await entriesOf(id)).toMatchObject([{ kind: 'ticket_minted', outcome: 'applied' }]);
  });

  it('is found when the list shows it later, though it looked complete before', async () => {
    const hidden = await mintedTicket();
    // Further apart than the few slots that every fetch looks back.
    await pause(1_000);
    const seen = await mintedTicket();
    const restore = fault(({ method }) =>
      method === 'getSignaturesForAddress'
        ? {
            change: (listed: { signature: string }[]) =>
              listed.filter((one) => one.signature !== hidden.signature),
          }
        : undefined,
    );
    await disown(hidden.signature);
    listen();
    await untilActive(seen.id);
    expect(await ticketRow(hidden.id)).toMatchObject({ status: 'minting' });
    restore();
    await untilActive(hidden.id);
  });

  it('is found although the socket says nothing at all', async () => {
    // It takes the connection and never says a word.
    const silent = createServer(() => undefined).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    cleanUp.push(() => silent.close());
    listen({ wsUrl: `ws://127.0.0.1:${(silent.address() as AddressInfo).port}` });
    await untilActive((await mintedTicket()).id);
    // By now it waits for a word.
    await pause(1_000);
    const { id, signature } = await mintedTicket();
    await disown(signature);
    await untilActive(id);
  });
});

describe('the cursor', () => {
  it('does not move past what the database could not take, and nothing is lost', async () => {
    const before = await cursorSlot();
    let gone = false;
    const failpoints = {
      hit: async (name: string) => {
        if (gone && name === 'listener.recorded')
          throw new DomainError('unavailable', 'database_unavailable', 'gone');
      },
    };
    const listener = world.startListener({ ctx: { failpoints } });
    // What it looks back at when it starts is behind it by then: the ticket is the first that cannot be taken.
    await pause(2_000);
    gone = true;
    const { id, slot } = await mintedTicket();
    await untilFinalOnChain(id);
    // Until its slot is final, and longer.
    await pause(3_000);
    expect(await cursorSlot()).toBeLessThan(slot);
    expect(await cursorSlot()).toBeGreaterThanOrEqual(before);
    await listener.stop();
    expect(await cursorSlot()).toBeLessThan(slot);
    listen();
    await untilActive(id);
    expect(await entriesOf(id)).toHaveLength(1);
  });
});

describe('a fork', () => {
  /** Statuses and accounts of a transaction and its ticket are not there, at any node that is asked. */
  async function drop(id: string, signature: string): Promise<() => void> {
    const { chain_account: account } = await ticketRow(id);
    return fault(({ method, params = [] }) => {
      const hide = (what: string) => ({
        // biome-ignore lint/suspicious/noExplicitAny: as the node answers
        change: (result: any) => ({
          ...result,
          value: result.value.map((one: unknown, at: number) =>
            (params[0] as string[])[at] === what ? null : one,
          ),
        }),
      });
      if (method === 'getSignatureStatuses') return hide(signature);
      if (method === 'getMultipleAccounts') return hide(account);
      return undefined;
    });
  }

  it('that drops a mint takes the ticket back to minting, and a later look at the chain heals it', async () => {
    const { id, signature } = await mintedTicket();
    const restore = await drop(id, signature);
    listen();
    await world.until('the fork', async () => {
      const [entry] = await entriesOf(id);
      return entry?.commitment === 'orphaned';
    });
    expect(await ticketRow(id)).toMatchObject({ status: 'minting', nft_mint: null, chain_version: null });
    const [pending] = await query(
      'select status, error_code from pending_transactions where tx_signature = $1',
      [signature],
    );
    expect(pending).toMatchObject({ status: 'expired', error_code: 'dropped_by_fork' });
    restore();
    await world.until('the healed ticket', async () => {
      await auditChain(world.listenerCtx, await clusterId());
      return (await ticketRow(id)).status === 'active';
    });
    expect(await untilFinal(id)).toMatchObject({ chain_version: 1 });
  });

  it('that drops a transfer gives the ticket back, and the transfer is carried out again', async () => {
    const { id } = await mintedTicket();
    const first = world.startListener();
    const before = await untilFinal(id);
    await first.stop();
    const wish = await world.tenant.alice.post<{ id: string }>(
      `/tickets/${id}/transfer`,
      { toUserId: 'bob' },
      { key: randomUUID() },
    );
    expect(wish.status).toBe(202);
    const { tx_signature: signature } = await world.until('the transfer on chain', async () => {
      const [row] = await query(`select tx_signature from pending_transactions where subject_id = $1`, [
        wish.body.id,
      ]);
      const status = row && (await world.connection.getSignatureStatus(row.tx_signature)).value;
      return status?.confirmationStatus && status.err === null && row;
    });
    // The final account is as it was before the transfer.
    const { chain_account: account } = await ticketRow(id);
    const earlier = Buffer.from(
      (await world.connection.getAccountInfo(new PublicKey(account)))?.data ?? Buffer.alloc(0),
    );
    new PublicKey(before.owner_wallet).toBuffer().copy(earlier, 94);
    earlier.writeUInt32LE(1, 136);
    const restore = fault(({ method, params = [] }) => {
      const names = params[0] as string[];
      if (method === 'getSignatureStatuses')
        return {
          change: (result) => ({
            ...result,
            value: result.value.map((one: unknown, at: number) => (names[at] === signature ? null : one)),
          }),
        };
      if (method === 'getMultipleAccounts')
        return {
          change: (result) => ({
            ...result,
            value: result.value.map((one: { data: unknown } | null, at: number) =>
              names[at] === account && one ? { ...one, data: [earlier.toString('base64'), 'base64'] } : one,
            ),
          }),
        };
      return undefined;
    });
    listen();
    await world.until('the fork', async () =>
      (await entriesOf(id)).some(({ commitment }) => commitment === 'orphaned'),
    );
    expect(await ticketRow(id)).toMatchObject({
      user_id: 'alice',
      owner_wallet: before.owner_wallet,
      chain_version: 1,
      status: 'active',
    });
    const [transfer] = await query('select status from transfers where id = $1', [wish.body.id]);
    expect(transfer.status).toBe('requested');
    restore();
    await world.until('the healed ticket', async () => {
      await auditChain(world.listenerCtx, await clusterId());
      return (await ticketRow(id)).user_id === 'bob';
    });
  });

  it('is not believed because one of two nodes knows nothing', async () => {
    const other = await startRpcProxy(world.chain.rpcUrl);
    cleanUp.push(() => other.close());
    const rpc = createRpc({ ...world.ctx, urls: [world.proxy.url, other.url] });
    cleanUp.push(() => rpc.close());
    other.fault(({ method }) =>
      method === 'getSignatureStatuses' || method === 'getMultipleAccounts'
        ? { change: (result) => ({ ...result, value: result.value.map(() => null) }) }
        : undefined,
    );
    const { id } = await mintedTicket();
    listen({ ctx: { rpc } });
    await untilActive(id);
    await untilFinalOnChain(id);
    await pause(3_000);
    // Neither final nor dropped: that needs two who agree.
    expect(await ticketRow(id)).toMatchObject({ status: 'active', blockchain_sync_status: 'provisional' });
    expect(await entriesOf(id)).toMatchObject([{ commitment: 'provisional' }]);
  });
});

describe('the audit', () => {
  it('corrects what differs, reports what it cannot correct, and finds nothing the second time', async () => {
    const [wrong, unknown, gone, lost] = [
      await mintedTicket(),
      await mintedTicket(),
      await mintedTicket(),
      await mintedTicket(),
    ];
    const listener = world.startListener();
    for (const { id } of [wrong, unknown, gone, lost]) await untilFinal(id);
    await listener.stop();
    await auditChain(world.listenerCtx, await clusterId());
    const right = await ticketRow(wrong.id);
    await query(`update tickets set owner_wallet = $2, user_id = 'mallory' where id = $1`, [
      wrong.id,
      sale.event.id,
    ]);
    await query('update tickets set chain_account = null where id = $1', [unknown.id]);
    await query(`update tickets set chain_account = $2 where id = $1`, [
      gone.id,
      PublicKey.unique().toBase58(),
    ]);
    await query(
      `update tickets set chain_version = null, owner_wallet = null, nft_mint = null, blockchain_sync_status = 'pending' where id = $1`,
      [lost.id],
    );
    const audit = await auditChain(world.listenerCtx, await clusterId());
    // The account that was `gone` before is one more that nobody knows now.
    expect(audit).toMatchObject({ corrected: 2, missing: 1, unknown: 2, undecided: 0 });
    expect(await ticketRow(wrong.id)).toMatchObject({
      user_id: 'alice',
      owner_wallet: right.owner_wallet,
      owner_epoch: right.owner_epoch + 1,
      blockchain_sync_status: 'finalized',
    });
    expect(await ticketRow(gone.id)).toMatchObject({ status: 'active', blockchain_sync_status: 'mismatch' });
    expect(await ticketRow(lost.id)).toMatchObject({ chain_version: 1, blockchain_sync_status: 'finalized' });
    const notes = await query(`select outcome from blockchain_sync where kind = 'audit' order by outcome`);
    expect(notes.map(({ outcome }) => outcome).filter((outcome) => outcome !== 'corrected')).toEqual([
      'reported',
      'unknown_ticket',
      'unknown_ticket',
    ]);
    expect(await auditChain(world.listenerCtx, await clusterId())).toMatchObject({
      corrected: 0,
      missing: 0,
    });
    const { audit: kept } = await readChainStatus(world.listenerCtx.db, world.listenerCtx.programId);
    expect(kept).toMatchObject({ events: 1, unknown: 2 });
  });
});

describe('a chain that is away', () => {
  it('is waited for, and then followed', async () => {
    const restore = fault(() => 'break');
    const listener = listen();
    await pause(1_500);
    restore();
    const { id } = await mintedTicket();
    await untilActive(id);
    await listener.stop();
  });
});

/** The same transaction with one byte of its message changed: its names and lengths fit, its signatures do not. */
function otherBytes(base64: string): string {
  const bytes = Buffer.from(base64, 'base64');
  const last = bytes.length - 1;
  bytes[last] = (bytes[last] ?? 0) ^ 1;
  return bytes.toString('base64');
}
