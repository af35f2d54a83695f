import { type Address, toAddress } from '../../../../programs-client/addresses.ts';
import type { TenantId } from '../../../platform/ids.ts';
import { periodic } from '../../../platform/periodic.ts';
import type { TenantTx } from '../../../platform/tenant-tx.ts';
import { allPayers, type ChainContext } from './chain-context.ts';
import { notNow } from './not-now.ts';
import { priorityCeiling, readPriorityFee } from './priority-fee.ts';
import { refillPayers } from './refill-payers.ts';
import type { KeyRef } from './signer.ts';
import { leftToSpend, spend } from './spend.ts';
import { type Prices, readRent } from './transaction-cost.ts';

export type Payer = { key: KeyRef; address: Address };

/** For people: how a payer stands. */
export type PayerState = {
  name: string;
  address: Address;
  /** In lamports; undefined until the chain told. */
  balance: bigint | undefined;
  inFlight: number;
  low: boolean;
};

/** Who pays for what is sent: rent and fees of all tenants, out of a few keys that the treasury refills. */
export type Payers = {
  /**
   * The payer with the fewest transactions under way that has the money for this one; counted as under way for some
   * seconds, or until `release`. Any payer may pay for anything: the recipient of rents is the event's own.
   * @param lamports what the transaction costs at most
   * @throws DomainError unavailable when none has so much: not now, and never a reason to park
   */
  choose(lamports: bigint): Payer;
  /** A transaction that this payer was to pay for is not sent after all. */
  release(address: string): void;
  /**
   * Counts `lamports` against what the tenant may spend within the hour. Last in the transaction that keeps the bytes.
   * @throws DomainError unavailable beyond that, so that the transaction is rolled back and the job waits
   */
  afford(tx: TenantTx, tenantId: TenantId, lamports: bigint): Promise<void>;
  /** What the tenant may still spend within this hour: no more needs to be signed. */
  left(tx: TenantTx, tenantId: TenantId): Promise<bigint>;
  /** What rent and compute cost, as last seen. */
  prices(): Prices;
  states(): PayerState[];
  /** Looks once: balances, prices, refills. @throws DomainError unavailable */
  look(): Promise<void>;
  /** Looks every few seconds until `signal`. */
  watch(signal: AbortSignal): Promise<void>;
};

const LAMPORTS_PER_SOL = 1_000_000_000;
const LOOK_EVERY_MS = 3_000;
/** Prices change with the protocol and with the crowd, not from one look to the next. */
const PRICES_EVERY_MS = 15_000;
/**
 * For so long a transaction counts as under way: by then it has landed and is in the balance, or was lost. One that is
 * sent again and lands later than that may find no money, which is not now, and not never.
 */
const LEASE_MS = 20_000;
/** Until the chain has told: what it asked when this was written. */
const FIRST_PRICES: Prices = { perByte: 6_960n, unitPrice: 0 };
/** How often the log is told of one tenant that waits. */
const SAY_AGAIN_MS = 60_000;

type Lease = { at: number; lamports: bigint };
type Member = Payer & { name: string; balance: bigint | undefined; low: boolean; leases: Lease[] };

/** Knows the addresses and asks nothing of the chain yet: call `look` or `watch`. */
export async function createPayers(ctx: ChainContext): Promise<Payers> {
  const { config, log, metrics, signer } = ctx;
  const members = await Promise.all(
    allPayers(config.CHAIN_PAYERS).map(async (key, index): Promise<Member> => {
      const address = toAddress(await signer.address(key));
      return { key, address, name: `payer ${index}`, balance: undefined, low: false, leases: [] };
    }),
  );
  const treasuryKey: KeyRef = { use: 'treasury' };
  const treasury: Member = {
    key: treasuryKey,
    address: toAddress(await signer.address(treasuryKey)),
    name: 'treasury',
    balance: undefined,
    low: false,
    leases: [],
  };
  const low = toLamports(config.CHAIN_PAYER_LOW_SOL);
  const full = toLamports(config.CHAIN_PAYER_FULL_SOL);
  const spendLimit = toLamports(config.CHAIN_SPEND_LIMIT_SOL);
  const told = new Map<TenantId, number>();
  let prices = FIRST_PRICES;
  let pricedAt = Number.NEGATIVE_INFINITY;
  let looking: Promise<void> | undefined;

  function forgetDeadLeases(member: Member): void {
    const dead = performance.now() - LEASE_MS;
    while (member.leases[0] && member.leases[0].at < dead) member.leases.shift();
  }

  /** What is under way may be in the balance already, or not: it is counted as if it were not. */
  function hasMoney(member: Member, lamports: bigint): boolean {
    if (member.balance === undefined) return true;
    const promised = member.leases.reduce((sum, lease) => sum + lease.lamports, 0n);
    return member.balance - promised >= lamports;
  }

  function noteBalance(member: Member, balance: bigint, enough: bigint): void {
    const { name, address } = member;
    member.balance = balance;
    metrics.payerLamports.set({ payer: name }, Number(balance));
    metrics.payerInFlight.set({ payer: name }, member.leases.length);
    const isLow = balance < enough;
    metrics.payerLow.set({ payer: name }, isLow ? 1 : 0);
    if (isLow && !member.low) log.error({ payer: name, address, balance }, 'short of money');
    if (!isLow && member.low) log.info({ payer: name, address, balance }, 'has money again');
    member.low = isLow;
  }

  async function readPrices(): Promise<void> {
    if (performance.now() - pricedAt < PRICES_EVERY_MS) return;
    const ceiling = priorityCeiling(config.CHAIN_MAX_PRIORITY_FEE, await ctx.rpc.genesis());
    const addresses = members.map(({ address }) => address);
    prices = {
      perByte: await readRent(ctx.rpc),
      unitPrice: await readPriorityFee(ctx.rpc, addresses, ceiling),
    };
    metrics.priorityFee.set(prices.unitPrice);
    pricedAt = performance.now();
  }

  async function lookOnce(): Promise<void> {
    const all = [...members, treasury];
    const { slot, value } = await ctx.rpc.ask((node) => node.getBalances(all.map(({ address }) => address)));
    for (const [i, member] of all.entries()) {
      forgetDeadLeases(member);
      noteBalance(member, BigInt(value[i] ?? 0), member === treasury ? full : low);
    }
    await readPrices();
    await refillPayers(ctx, {
      treasury: { key: treasuryKey, address: treasury.address, balance: treasury.balance ?? 0n },
      payers: members.map(({ address, balance }) => ({ address, balance: balance ?? 0n })),
      slot,
      low,
      full,
      limit: toLamports(config.CHAIN_REFILL_LIMIT_SOL),
    });
  }

  /** Two looks at a time would see one shortage twice. */
  function look(): Promise<void> {
    looking ??= lookOnce().finally(() => {
      looking = undefined;
    });
    return looking;
  }

  return {
    choose(lamports) {
      for (const member of members) forgetDeadLeases(member);
      const [best] = members.filter((member) => hasMoney(member, lamports)).sort(byLoad);
      if (!best) {
        metrics.transactionsWaiting.inc({ reason: 'no_payer' });
        throw notNow(
          `no fee payer has ${lamports} lamports; send money to the treasury, ${treasury.address}`,
        );
      }
      best.leases.push({ at: performance.now(), lamports });
      metrics.payerInFlight.set({ payer: best.name }, best.leases.length);
      return { key: best.key, address: best.address };
    },
    release(address) {
      const member = members.find((one) => one.address === address);
      if (!member) return;
      member.leases.shift();
      metrics.payerInFlight.set({ payer: member.name }, member.leases.length);
    },
    async afford(tx, tenantId, lamports) {
      if (await spend(tx, tenantId, lamports, spendLimit)) return;
      metrics.transactionsWaiting.inc({ reason: 'spend_limit' });
      const now = performance.now();
      if (now - (told.get(tenantId) ?? Number.NEGATIVE_INFINITY) > SAY_AGAIN_MS) {
        told.set(tenantId, now);
        log.warn({ tenantId, limit: spendLimit }, 'a tenant has reached its spend limit; it waits');
      }
      throw notNow(`the tenant has spent what it may within this hour, ${spendLimit} lamports`);
    },
    left: (tx, tenantId) => leftToSpend(tx, tenantId, spendLimit),
    prices: () => prices,
    states: () =>
      [...members, treasury].map(({ name, address, balance, leases, low: isLow }) => ({
        name,
        address,
        balance,
        inFlight: leases.length,
        low: isLow,
      })),
    look,
    watch: (signal) => periodic('payers', { everyMs: LOOK_EVERY_MS, log, signal }, look),
  };
}

/** The fewest under way first; among equals the richest. */
function byLoad(a: Member, b: Member): number {
  return a.leases.length - b.leases.length || Number((b.balance ?? 0n) - (a.balance ?? 0n));
}

function toLamports(sol: number): bigint {
  return BigInt(Math.round(sol * LAMPORTS_PER_SOL));
}
