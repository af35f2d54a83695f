import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { PublicKey } from '@solana/web3.js';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Config } from '../../src/config.ts';
import type { ChainContext } from '../../src/domain/chain/send/chain-context.ts';
import { openFileSigner } from '../../src/domain/chain/send/file-signer.ts';
import { createPayers, type Payers } from '../../src/domain/chain/send/payers.ts';
import { createMetrics } from '../../src/platform/metrics.ts';
import { type ChainWorld, createChainWorld } from '../support/chain-world.ts';

const SOL = 1_000_000_000n;
const MINT = 9_000_000n;

let world: ChainWorld;
let folder: string;
const cleanUps: (() => void)[] = [];

beforeAll(async () => {
  [world, folder] = await Promise.all([createChainWorld(), mkdtemp(`${tmpdir()}/tessera-payers-`)]);
});
afterEach(() => {
  vi.restoreAllMocks();
  for (const cleanUp of cleanUps.splice(0)) cleanUp();
});
afterAll(async () => {
  await world.close();
  await rm(folder, { recursive: true });
});

const query = async (text: string, values: unknown[] = []) =>
  (await world.ctx.database.owner.query(text, values)).rows;

type Company = {
  ctx: ChainContext;
  payers: Payers;
  treasury: string;
  addresses: string[];
  /** Another worker with the same keys. */
  worker(overrides?: Partial<ChainContext>): Promise<Payers>;
  balance(address: string): Promise<bigint>;
  refills(): Promise<{ payer: string; status: string; lamports: string; tx_signature: string }[]>;
};

let companies = 0;

/** Payers and a treasury with keys of their own, with so much money in SOL. */
async function company(
  money: { treasury: number; payers: number[] },
  config: Partial<Config> = {},
): Promise<Company> {
  const signer = await openFileSigner(`${folder}/signer-${companies++}.json`);
  const ctx: ChainContext = {
    ...world.chainCtx,
    signer,
    metrics: createMetrics(),
    config: { ...world.ctx.config, CHAIN_PAYERS: money.payers.length, ...config },
  };
  const treasury = await signer.address({ use: 'treasury' });
  const addresses = await Promise.all(
    money.payers.map((_, index) => signer.address({ use: 'payer', index })),
  );
  const funded = [
    [treasury, money.treasury] as const,
    ...addresses.map((one, i) => [one, money.payers[i]] as const),
  ];
  await Promise.all(
    funded.map(async ([address, sol = 0]) => sol > 0 && world.chain.fund(address, sol * Number(SOL))),
  );
  return {
    ctx,
    treasury,
    addresses,
    payers: await createPayers(ctx),
    worker: (overrides = {}) => createPayers({ ...ctx, ...overrides }),
    balance: async (address) =>
      BigInt(await world.connection.getBalance(new PublicKey(address), 'confirmed')),
    refills: () =>
      query('select * from payer_refills where payer = any($1) order by prepared_at', [addresses]),
  };
}

const metricOf = async (ctx: ChainContext, name: string, labels: Record<string, string>) => {
  const { values } = (await ctx.metrics.registry.getSingleMetric(name)?.get()) ?? { values: [] };
  return values.find((one) => Object.entries(labels).every(([key, value]) => one.labels[key] === value))
    ?.value;
};

describe('choosing a payer', () => {
  it('goes by what is under way, and by the balance among equals', async () => {
    const { payers, addresses } = await company({ treasury: 0, payers: [10, 30, 20] });
    await payers.look();
    const [poorest, richest, middle] = addresses as [string, string, string];
    const take = () => payers.choose(MINT).address;
    expect([take(), take(), take()]).toEqual([richest, middle, poorest]);
    payers.release(middle);
    expect(take()).toBe(middle);
    expect(take()).toBe(richest);
    expect(payers.states().map(({ inFlight }) => inFlight)).toEqual([1, 2, 1, 0]);
  });

  it('passes over who has no money for it, what is under way counted', async () => {
    const { payers, addresses } = await company({ treasury: 0, payers: [0, 0.02] });
    await payers.look();
    expect(payers.choose(MINT).address).toBe(addresses[1]);
    expect(payers.choose(MINT).address).toBe(addresses[1]);
    expect(() => payers.choose(MINT)).toThrow(/no fee payer has/);
    payers.release(addresses[1] ?? '');
    expect(payers.choose(MINT).address).toBe(addresses[1]);
  });

  it('waits for money when nobody has any, and says where it belongs', async () => {
    const { ctx, payers, treasury } = await company({ treasury: 0, payers: [0, 0] });
    await payers.look();
    expect(() => payers.choose(MINT)).toThrow(expect.objectContaining({ kind: 'unavailable' }));
    expect(() => payers.choose(MINT)).toThrow(treasury);
    expect(await metricOf(ctx, 'tessera_chain_waiting_total', { reason: 'no_payer' })).toBe(2);
    expect(await metricOf(ctx, 'tessera_chain_payer_low', { payer: 'payer 0' })).toBe(1);
    expect(await metricOf(ctx, 'tessera_chain_payer_low', { payer: 'treasury' })).toBe(1);
    await world.chain.fund(payers.states()[1]?.address ?? '', Number(2n * SOL));
    await world.until('the money', async () => {
      await payers.look();
      return !payers.states()[1]?.low;
    });
    expect(payers.choose(MINT).address).toBe(payers.states()[1]?.address);
    expect(await metricOf(ctx, 'tessera_chain_payer_low', { payer: 'payer 1' })).toBe(0);
  });

  it('forgets after a while what was never released', async () => {
    const { payers } = await company({ treasury: 0, payers: [1.5] });
    await payers.look();
    payers.choose(SOL);
    expect(() => payers.choose(SOL)).toThrow(/no fee payer has/);
    const now = performance.now();
    vi.spyOn(performance, 'now').mockReturnValue(now + 21_000);
    expect(payers.choose(SOL).address).toBe(payers.states()[0]?.address);
  });
});

describe('a refill', () => {
  const terms = { CHAIN_PAYER_LOW_SOL: 1, CHAIN_PAYER_FULL_SOL: 3 };

  it('fills each shortage once, however many workers look and however often', async () => {
    const { payers, worker, addresses, balance, refills } = await company(
      { treasury: 50, payers: [0.5, 2, 0] },
      terms,
    );
    const workers = [payers, await worker(), await worker()];
    await world.until('the end of the refills', async () => {
      await Promise.all(workers.map((one) => one.look()));
      const rows = await refills();
      return rows.length > 0 && rows.every(({ status }) => status === 'landed');
    });
    for (let i = 0; i < 5; i++) await Promise.all(workers.map((one) => one.look()));
    expect(await Promise.all(addresses.map(balance))).toEqual([3n * SOL, 2n * SOL, 3n * SOL]);
    const rows = await refills();
    expect(rows.map(({ payer }) => payer).toSorted()).toEqual([addresses[0], addresses[2]].toSorted());
  });

  it('that was kept and not sent before a crash is sent by the next worker, the same bytes', async () => {
    const { ctx, worker, balance, addresses, refills } = await company({ treasury: 50, payers: [0] }, terms);
    const failpoints = {
      hit: async (name: string) => {
        if (name === 'refill.prepared') throw new Error('the process dies');
      },
    };
    const doomed = await worker({ ...ctx, failpoints });
    await expect(doomed.look()).rejects.toThrow('the process dies');
    const [kept] = await refills();
    expect(await balance(addresses[0] ?? '')).toBe(0n);
    const next = await worker();
    await world.until('the refill', async () => {
      await next.look();
      return (await refills())[0]?.status === 'landed';
    });
    expect(await refills()).toMatchObject([{ tx_signature: kept?.tx_signature }]);
    expect(await balance(addresses[0] ?? '')).toBe(3n * SOL);
  });

  it('is not repeated for a balance that a lagging node still shows', async () => {
    const { payers, balance, addresses, refills } = await company({ treasury: 50, payers: [0.5] }, terms);
    const [payer = ''] = addresses;
    const before = await world.connection.getSlot('confirmed');
    await payers.look();
    await world.until('the refill', async () => {
      await payers.look();
      return (await refills())[0]?.status === 'landed';
    });
    cleanUps.push(
      world.proxy.fault(({ method, params = [] }) => {
        const asked = params[0] as string[];
        if (method !== 'getMultipleAccounts' || !asked.includes(payer)) return undefined;
        const old = { lamports: Number(SOL / 2n), owner: '1'.repeat(32), data: ['', 'base64'] };
        const rich = { ...old, lamports: Number(50n * SOL) };
        const value = asked.map((one) => (one === payer ? old : rich));
        return { result: { context: { slot: before }, value } };
      }),
    );
    for (let i = 0; i < 5; i++) await payers.look();
    expect(payers.states()[0]?.low).toBe(true);
    expect(await refills()).toHaveLength(1);
    expect(await balance(payer)).toBe(3n * SOL);
  });

  it('is not sent beyond what may leave the treasury within an hour', async () => {
    const { ctx, payers, refills } = await company(
      { treasury: 50, payers: [0, 0, 0] },
      { ...terms, CHAIN_REFILL_LIMIT_SOL: 4 },
    );
    await payers.look();
    const sent = (await refills()).map(({ lamports }) => BigInt(lamports));
    expect(sent).toEqual([3n * SOL, SOL]);
    expect(await metricOf(ctx, 'tessera_chain_refills_total', { step: 'refused' })).toBe(1);
    await query(`update payer_refills set prepared_at = prepared_at - interval '61 minutes'`);
    await payers.look();
    expect(await refills()).toHaveLength(3);
  });

  it('leaves the treasury its reserve, and is refused when there is no more', async () => {
    const { payers, balance, treasury, addresses, refills } = await company(
      { treasury: 1, payers: [0, 0] },
      terms,
    );
    await payers.look();
    const [only, ...others] = await refills();
    expect(others).toEqual([]);
    expect(BigInt(only?.lamports ?? 0)).toBe(SOL - 10_000_000n);
    await world.until('the refill', async () => {
      await payers.look();
      return (await refills())[0]?.status === 'landed';
    });
    expect(await balance(addresses[0] ?? '')).toBe(SOL - 10_000_000n);
    expect(await balance(treasury)).toBeLessThan(10_000_000n);
    expect(await refills()).toHaveLength(1);
  });

  it('does not promise to one payer what is on its way to another', async () => {
    const { payers, refills } = await company({ treasury: 1, payers: [0, 0] }, terms);
    cleanUps.push(
      world.proxy.fault(({ method }) =>
        method === 'sendTransaction' ? { result: '1'.repeat(64) } : undefined,
      ),
    );
    for (let i = 0; i < 3; i++) await payers.look();
    expect(await refills()).toHaveLength(1);
  });

  it('that can never land any more is signed anew, and arrives once', async () => {
    const { payers, balance, addresses, refills } = await company({ treasury: 50, payers: [0] }, terms);
    const mend = world.proxy.fault(({ method }) =>
      method === 'sendTransaction' ? { result: '1'.repeat(64) } : undefined,
    );
    cleanUps.push(mend);
    await world.until('the expiry', async () => {
      await payers.look();
      return (await refills())[0]?.status === 'expired';
    });
    mend();
    await world.until('the refill', async () => {
      await payers.look();
      return (await refills()).some(({ status }) => status === 'landed');
    });
    expect(await balance(addresses[0] ?? '')).toBe(3n * SOL);
  });

  it('of another chain is left alone', async () => {
    const { payers, addresses, treasury, refills } = await company({ treasury: 50, payers: [0] }, terms);
    await query(
      `insert into payer_refills (id, genesis_hash, treasury, payer, lamports, status, tx_signature, raw, last_valid_block_height)
       values (gen_random_uuid(), 'another', $2, $1, 1, 'prepared', 'of another chain', '', 1)`,
      [addresses[0], treasury],
    );
    await payers.look();
    expect((await refills()).map(({ status }) => status)).toEqual(['prepared', 'prepared']);
  });
});

describe('the price of compute', () => {
  const fees = (...values: number[]) =>
    cleanUps.push(
      world.proxy.fault(({ method }) =>
        method === 'getRecentPrioritizationFees'
          ? { result: values.map((prioritizationFee, slot) => ({ slot, prioritizationFee })) }
          : undefined,
      ),
    );

  it('follows what others paid lately', async () => {
    const { payers } = await company({ treasury: 0, payers: [5] }, { CHAIN_MAX_PRIORITY_FEE: 50_000 });
    fees(0, 10, 20, 40_000, 30, 0, 0, 70);
    await payers.look();
    expect(payers.prices().unitPrice).toBe(70);
  });

  it('never goes beyond its ceiling', async () => {
    const { payers } = await company({ treasury: 0, payers: [5] }, { CHAIN_MAX_PRIORITY_FEE: 50_000 });
    fees(1_000_000, 2_000_000);
    await payers.look();
    expect(payers.prices().unitPrice).toBe(50_000);
  });

  it('is nothing on a test chain, and not asked for', async () => {
    const { payers } = await company({ treasury: 0, payers: [5] });
    fees(1_000_000);
    world.proxy.asked.length = 0;
    await payers.look();
    expect(payers.prices().unitPrice).toBe(0);
    expect(world.proxy.asked).not.toContain('getRecentPrioritizationFees');
  });
});
