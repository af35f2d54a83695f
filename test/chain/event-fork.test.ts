import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { createApp } from '../../src/api/app.ts';
import { createRpc } from '../../src/domain/chain/rpc/rpc.ts';
import { fundedKeys } from '../../src/domain/chain/send/chain-context.ts';
import { openFileSigner } from '../../src/domain/chain/send/file-signer.ts';
import { mintTickets } from '../../src/domain/chain/send/mint-tickets.ts';
import { createPayers } from '../../src/domain/chain/send/payers.ts';
import type { SendingContext } from '../../src/domain/chain/send/sending-context.ts';
import { trackTransactions } from '../../src/domain/chain/send/track-transactions.ts';
import { initChain } from '../../src/main/init-chain.ts';
import { toTenantId } from '../../src/platform/ids.ts';
import { type FakeChain, startFakeChain } from '../support/fake-chain/start-fake-chain.ts';
import { buy, openSale } from '../support/samples.ts';
import {
  createTestContext,
  createTestTenant,
  type TestContext,
  type TestTenant,
} from '../support/test-context.ts';

const SOL = 1_000_000_000;

let folder: string;
let chain: FakeChain;
let ctx: TestContext;
let chainCtx: SendingContext;
let tenant: TestTenant;

beforeAll(async () => {
  folder = await mkdtemp(`${tmpdir()}/tessera-fork-`);
  chain = await startFakeChain({ seed: 1, slotMs: 20 });
  ctx = await createTestContext({ rpcUrl: chain.rpcUrl });
  const signer = await openFileSigner(`${folder}/signer.json`);
  for (const key of fundedKeys(ctx.config.CHAIN_PAYERS)) chain.fund(await signer.address(key), 1_000 * SOL);
  await initChain({ rpcUrl: chain.rpcUrl, programId: chain.programId, signer });
  // The program's own configuration is final before anything forks.
  const made = chain.slot();
  await vi.waitUntil(() => chain.slot() > made + 40, { timeout: 10_000 });
  const { app: db, relay } = ctx.database;
  const rpc = createRpc({ ...ctx, urls: [chain.rpcUrl] });
  const signing = { ...ctx, db, relay, rpc, signer, programId: chain.programId };
  chainCtx = { ...signing, payers: await createPayers(signing) };
  tenant = await createTestTenant(ctx, createApp(ctx));
});
afterAll(async () => {
  await chainCtx.rpc.close();
  await ctx.close();
  await chain.stop();
  await rm(folder, { recursive: true });
});

it('makes the accounts of organizer and event again when a fork dropped them', async () => {
  const { event, type } = await openSale(tenant);
  const order = await buy(tenant.alice, type, { quantity: 2 });
  const [first = '', second = ''] = order.tickets.map(({ id }) => id);
  const input = { tenantId: toTenantId(tenant.tenantId), eventId: event.id };
  await mintTickets(chainCtx, { ...input, ticketIds: [first] });
  const { rows } = await ctx.database.owner.query('select address from chain_events');
  const isThere = () => chain.truth.account(rows[0].address, 'confirmed') !== undefined;
  expect(isThere()).toBe(true);

  chain.fault({ lost: 1 });
  chain.fork(30);
  expect(isThere()).toBe(false);

  // What was sent for them may land again, or must be over first.
  const onceMore = async (): Promise<number> => {
    await trackTransactions(chainCtx);
    await mintTickets(chainCtx, { ...input, ticketIds: [first, second] }).catch(expectUnavailable);
    return chain.truth.tickets().length;
  };
  await expect.poll(onceMore, { timeout: 40_000, interval: 300 }).toBe(2);
  const { rows: parked } = await ctx.database.owner.query('select * from parked_jobs');
  expect(parked).toEqual([]);

  // Final by now, so it is not asked for any more.
  await mintTickets(chainCtx, { ...input, ticketIds: [] });
  const { rows: known } = await ctx.database.owner.query('select registered_at from chain_events');
  expect(known[0].registered_at).not.toBeNull();
}, 60_000);

function expectUnavailable(error: unknown): void {
  expect(error).toMatchObject({ kind: 'unavailable' });
}
