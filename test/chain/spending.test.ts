import { Rent } from 'litesvm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createApp } from '../../src/api/app.ts';
import { createPayers, type Payers } from '../../src/domain/chain/send/payers.ts';
import { giveBack } from '../../src/domain/chain/send/spend.ts';
import { costOf, mintAccounts, readRent } from '../../src/domain/chain/send/transaction-cost.ts';
import { type TenantId, toTenantId } from '../../src/platform/ids.ts';
import { withTenant } from '../../src/platform/tenant-tx.ts';
import { type ChainWorld, createChainWorld } from '../support/chain-world.ts';
import { createTestTenant } from '../support/test-context.ts';
import { send } from './program/support/chain.ts';
import { lamportsOf } from './program/support/read.ts';
import { MINT_TEXTS, mintOf, newWorld, people, SHOW } from './program/support/world.ts';

const SOL = 1_000_000_000n;
const LIMIT = 4n * SOL;
const BEYOND = /has spent what it may within this hour/;

let world: ChainWorld;
let payers: Payers;
let ours: TenantId;
let theirs: TenantId;

beforeAll(async () => {
  world = await createChainWorld({ CHAIN_SPEND_LIMIT_SOL: '4' });
  payers = await createPayers(world.chainCtx);
  ours = toTenantId(world.tenant.tenantId);
  const app = createApp({ ...world.ctx, chain: world.chainReader });
  theirs = toTenantId((await createTestTenant(world.ctx, app, 'Other')).tenantId);
});
beforeEach(() => world.ctx.database.owner.query('delete from chain_spending'));
afterAll(() => world.close());

const afford = (lamports: bigint, tenantId = ours, work = async (): Promise<void> => undefined) =>
  withTenant(world.chainCtx.db, tenantId, async (tx) => {
    await payers.afford(tx, tenantId, lamports);
    await work();
  });
const left = (tenantId = ours) => withTenant(world.chainCtx.db, tenantId, (tx) => payers.left(tx, tenantId));

describe('what a tenant may spend within an hour', () => {
  it('is not exceeded by many at once, to the lamport, and another tenant has its own', async () => {
    const asked = await Promise.allSettled(Array.from({ length: 12 }, () => afford(SOL)));
    const refused = asked.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []));
    expect(refused).toHaveLength(8);
    // So the job waits, however long, and nothing is parked.
    for (const reason of refused) expect(reason).toMatchObject({ kind: 'unavailable' });
    expect(await left()).toBe(0n);
    await expect(afford(1n)).rejects.toThrow(BEYOND);
    expect(await left(theirs)).toBe(LIMIT);
    await afford(LIMIT, theirs);
  });

  it('does not let the first transaction of an hour through that is beyond it alone', async () => {
    await expect(afford(LIMIT + 1n)).rejects.toThrow(BEYOND);
    expect(await left()).toBe(LIMIT);
  });

  it('counts nothing for bytes that were not kept', async () => {
    const lost = afford(SOL, ours, async () => {
      throw new Error('the bytes are not kept');
    });
    await expect(lost).rejects.toThrow('the bytes are not kept');
    expect(await left()).toBe(LIMIT);
  });

  it('begins anew with the hour', async () => {
    await afford(LIMIT);
    await world.ctx.database.owner.query(`update chain_spending set hour = hour - interval '1 hour'`);
    expect(await left()).toBe(LIMIT);
    await afford(SOL);
  });

  it('is given back for what can never land, once and not below nothing', async () => {
    await afford(3n * SOL);
    const back = (lamports: bigint) =>
      withTenant(world.chainCtx.db, ours, (tx) => giveBack(tx, ours, { lamports, keptAt: new Date() }));
    await back(SOL);
    expect(await left()).toBe(2n * SOL);
    await back(LIMIT);
    expect(await left()).toBe(LIMIT);
  });

  it('shows when it makes transactions wait', async () => {
    const before = await waiting();
    await expect(afford(LIMIT + 1n)).rejects.toThrow(BEYOND);
    expect(await waiting()).toBe(before + 1);
  });
});

const waiting = async (): Promise<number> => {
  const { values } = (await world.chainCtx.metrics.transactionsWaiting.get()) ?? {};
  return values.find(({ labels }) => labels.reason === 'spend_limit')?.value ?? 0;
};

describe('what a transaction costs', () => {
  it('is for a mint what the payer pays, at any rent', () => {
    for (const perByte of [6_960n, 1_000n]) {
      const svm = newWorld();
      svm.setRent(new Rent(perByte, 1, 50));
      const signers = [people.payer, people.acme];
      const before = lamportsOf(svm, people.payer.address);
      const sent = send(svm, [mintOf(SHOW, 5, people.bob.address)], signers);
      expect(sent.error).toBeUndefined();
      const cost = costOf(
        { accounts: mintAccounts(MINT_TEXTS), signatures: signers.length, units: 0 },
        { perByte, unitPrice: 0 },
      );
      expect(before - lamportsOf(svm, people.payer.address)).toBe(cost);
    }
  });

  it('counts priority by the limit, rounded up, as the network does', () => {
    const nothing = { accounts: [], signatures: 1 };
    const prices = { perByte: 6_960n, unitPrice: 7 };
    expect(costOf({ ...nothing, units: 200_000 }, prices)).toBe(5_002n);
    expect(costOf({ ...nothing, units: 0 }, prices)).toBe(5_000n);
  });

  it('uses the rent that the chain asks', async () => {
    const perByte = await readRent(world.chainCtx.rpc);
    const asked = await world.connection.getMinimumBalanceForRentExemption(165);
    expect(perByte * BigInt(165 + 128)).toBe(BigInt(asked));
  });
});
