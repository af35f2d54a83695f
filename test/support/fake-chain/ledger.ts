import { createHash } from 'node:crypto';
import { type Account, AccountHistory } from './account-history.ts';
import { encodeBase58, textOf } from './base58.ts';
import type { Block, Effect, Landed } from './block.ts';
import type { Dice } from './dice.ts';
import { LandedIndex } from './landed-index.ts';
import type { ChainFaults } from './options.ts';
import type { Transaction } from './parse-transaction.ts';
import { Pool, type Waiting } from './pool.ts';
import { memoOf, priceOf } from './read-instructions.ts';
import { runTransaction } from './run-transaction.ts';
import type { Runtime } from './runtime.ts';
import { keysOf } from './transaction-keys.ts';

export type LedgerRules = {
  seed: number | string;
  /** Unix seconds of slot 0. */
  startTime: number;
  /** Milliseconds of chain time a slot. */
  slotMs: number;
  finalizedAfter: number;
  blockhashBlocks: number;
  verifySignatures: boolean;
};

/** Programs can see the hashes of so many blocks; a network keeps 512. Lookup tables are made by them. */
const SLOT_HASHES = 150;

/** Versions of accounts are kept for so many slots behind the final one, for nodes that lag. */
const KEPT_SLOTS = 1_000;

/** The one chain that all nodes look at: blocks in a row, of which a fork drops the newest that are not final. */
export class Ledger {
  readonly genesisHash: string;
  /** By height. */
  readonly blocks: Block[];
  readonly accounts = new AccountHistory();
  readonly index = new LandedIndex();
  readonly pool: Pool;
  readonly runtime: Runtime;
  readonly rules: LedgerRules;
  /** The newest slot, also if it has no block. */
  slot = 0;
  /** Height of the newest final block. It never falls. */
  rootHeight = 0;
  readonly counts = { accepted: 0, dropped: 0, expired: 0, refused: 0, forks: 0, forkedAway: 0, lost: 0 };
  /** Called after each slot. */
  onSlot: () => void = () => {};
  private readonly heights = new Map<string, number>();
  private readonly dice: Dice;
  private readonly faults: () => ChainFaults;

  constructor(rules: LedgerRules, runtime: Runtime, dice: Dice, faults: () => ChainFaults) {
    this.rules = rules;
    this.runtime = runtime;
    this.dice = dice;
    this.faults = faults;
    this.pool = new Pool(dice, faults);
    this.genesisHash = hashOf(`${rules.seed} genesis`);
    this.blocks = [];
    this.put({ slot: 0, height: 0, parentSlot: 0, landed: [], touched: new Set(), transactionCount: 0 });
  }

  get tip(): Block {
    return this.blockAt(this.blocks.length - 1);
  }

  blockAt(height: number): Block {
    const block = this.blocks[Math.max(0, height)];
    if (block === undefined) throw new Error(`there is no block of height ${height}`);
    return block;
  }

  /** The newest block at or before a slot. */
  blockUpTo(slot: number): Block {
    let low = 0;
    let high = this.blocks.length - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (this.blockAt(middle).slot <= slot) low = middle;
      else high = middle - 1;
    }
    return this.blockAt(low);
  }

  accountAt(address: string, slot: number): Account | undefined {
    const found = this.accounts.at(address, slot);
    return found === 'untouched' ? this.runtime.account(address) : found;
  }

  /** How old a blockhash is for a block of `height`, in blocks; undefined if that block cannot know it. */
  ageOf(blockhash: string, height: number): number | undefined {
    const at = this.heights.get(blockhash);
    if (at === undefined || at > height) return undefined;
    return height - at > this.rules.blockhashBlocks ? undefined : height - at;
  }

  /** Takes a transaction to be put into a coming block. One that landed already changes nothing. */
  submit(entry: Omit<Waiting, 'due'>): void {
    if (this.index.find(entry.transaction.signature)) return;
    if (!this.pool.has(entry.transaction.signature)) this.counts.accepted++;
    this.pool.add({ ...entry, due: this.slot + 1 });
  }

  /** One slot further. */
  advance(): void {
    this.slot++;
    const name = `slot ${this.slot}`;
    const { fork, skip } = this.faults();
    if (fork && this.dice.happens('fork', name, fork.chance)) {
      this.rewind(Math.min(this.dice.between('fork', name, fork.depth), this.deepestFork()));
    }
    if (!this.dice.happens('skip', name, skip)) this.build();
    this.onSlot();
  }

  /** How many of the newest blocks are not final. */
  deepestFork(): number {
    return this.tip.height - this.rootHeight;
  }

  /** Drops the newest `depth` blocks and builds on what is left, in the next slot. */
  fork(depth: number): void {
    const deepest = this.deepestFork();
    if (!Number.isInteger(depth) || depth < 1 || depth > deepest) {
      throw new RangeError(`a fork can drop 1 to ${deepest} blocks now, not ${depth}`);
    }
    this.slot++;
    this.rewind(depth);
    this.build();
    this.onSlot();
  }

  /** Makes an account so at all times, as if it had been there from the start. No fork takes it away. */
  amend(address: string, change: (account: Account | undefined) => Account): void {
    this.accounts.amend(address, this.runtime.account(address), change);
    this.runtime.setAccount(address, this.accounts.undo(address, this.slot));
  }

  private build(): void {
    const { tip, slot } = this;
    const recent = this.blocks.slice(-SLOT_HASHES).toReversed();
    const hashes = recent.map((block) => ({ slot: BigInt(block.slot), hash: block.hash }));
    this.runtime.startSlot(slot, this.timeOf(slot), hashes);
    const block = this.put({
      slot,
      height: tip.height + 1,
      parentSlot: tip.slot,
      landed: [],
      touched: new Set(),
      transactionCount: tip.transactionCount,
    });
    const { due, dropped } = this.pool.take(slot);
    this.counts.dropped += dropped.length;
    for (const waiting of due) this.land(waiting, block);
    block.transactionCount += block.landed.length;
    this.rootHeight = Math.max(this.rootHeight, block.height - this.rules.finalizedAfter);
  }

  private put(block: Omit<Block, 'hash' | 'time'>): Block {
    const parent = this.blocks.at(-1)?.hash ?? this.genesisHash;
    const hash = hashOf(`${this.rules.seed} ${parent} ${block.slot}`);
    const whole = { ...block, hash, time: this.timeOf(block.slot) };
    this.blocks.push(whole);
    this.heights.set(hash, block.height);
    return whole;
  }

  private land(waiting: Waiting, block: Block): void {
    const { transaction, told, verified } = waiting;
    if (!told && this.ageOf(transaction.blockhash, block.height) === undefined) {
      this.counts.expired++;
      return;
    }
    const done = told
      ? this.tell(transaction, told.effect)
      : runTransaction(this.runtime, transaction, this.rules.verifySignatures && !verified);
    if (done === undefined) {
      this.counts.refused++;
      return;
    }
    const { keys, effect, changes } = done;
    const keepFrom = this.blockAt(this.rootHeight).slot - KEPT_SLOTS;
    for (const [address, change] of changes) {
      if (change.before === undefined && change.after === undefined) continue;
      this.accounts.record(address, block.slot, change, keepFrom);
      block.touched.add(address);
    }
    const landed: Landed = {
      transaction,
      keys,
      effect,
      slot: block.slot,
      height: block.height,
      blockTime: block.time,
      memo: memoOf(transaction),
      price: priceOf(transaction),
      ...(told ? { told: true, hidden: told.hidden } : {}),
    };
    block.landed.push(landed);
    this.index.add(landed);
  }

  private tell(transaction: Transaction, effect: Effect): ReturnType<typeof runTransaction> {
    return { keys: keysOf(transaction, () => undefined), effect, changes: new Map() };
  }

  private rewind(depth: number): void {
    if (depth < 1) return;
    const dropped = this.blocks.splice(-depth);
    this.counts.forks++;
    for (const block of dropped.toReversed()) {
      this.heights.delete(block.hash);
      for (const landed of block.landed.toReversed()) this.index.remove(landed);
    }
    for (const address of new Set(dropped.flatMap((block) => [...block.touched]))) {
      this.runtime.setAccount(address, this.accounts.undo(address, this.tip.slot));
    }
    for (const landed of dropped.flatMap((block) => block.landed)) this.bringBack(landed);
  }

  private bringBack({ transaction, effect, told, hidden }: Landed): void {
    const { lost = 0.5, back = [0, 3] } = this.faults();
    this.counts.forkedAway++;
    if (this.dice.happens('lost', transaction.signature, lost)) {
      this.counts.lost++;
      return;
    }
    const due = this.slot + this.dice.between('back', transaction.signature, back);
    const entry = { transaction, due, retries: 0, verified: true, spared: true };
    this.pool.add(told ? { ...entry, told: { effect, hidden: hidden ?? false } } : entry);
  }

  private timeOf(slot: number): number {
    return this.rules.startTime + Math.floor((slot * this.rules.slotMs) / 1_000);
  }
}

/** 32 bytes in base58. */
function hashOf(text: string): string {
  return textOf(createHash('sha256').update(text).digest());
}

export function signatureOf(text: string): string {
  return encodeBase58(createHash('sha512').update(text).digest());
}
