import type { Effect } from './block.ts';
import type { Dice } from './dice.ts';
import type { ChainFaults } from './options.ts';
import type { Transaction } from './parse-transaction.ts';

/** A transaction on its way into a block. */
export type Waiting = {
  transaction: Transaction;
  /** The first slot in which it may land. */
  due: number;
  /** How often the node that took it sends it again by itself. */
  retries: number;
  /** Its signatures were checked already. */
  verified: boolean;
  /** What it does, for one that is told of and never run. */
  told?: { effect: Effect; hidden: boolean };
  /** Faults of the chain pass it by. */
  spared?: boolean;
};

/** A node sends again every two seconds, which are five slots of 400 ms. */
const RETRY_SLOTS = 5;

/** What was accepted and did not land yet, in the order in which it came. */
export class Pool {
  private readonly waiting = new Map<string, Waiting>();
  private readonly dice: Dice;
  private readonly faults: () => ChainFaults;

  constructor(dice: Dice, faults: () => ChainFaults) {
    this.dice = dice;
    this.faults = faults;
  }

  get size(): number {
    return this.waiting.size;
  }

  has(signature: string): boolean {
    return this.waiting.has(signature);
  }

  /** The same transaction twice is one; of the two, the one that tries longer. */
  add(entry: Waiting): void {
    const { signature } = entry.transaction;
    const known = this.waiting.get(signature);
    if (known) {
      known.retries = Math.max(known.retries, entry.retries);
      return;
    }
    const { late } = this.faults();
    const isLate = !entry.spared && this.dice.happens('late', signature, late?.chance);
    const delay = late && isLate ? this.dice.between('late', signature, late.slots) : 0;
    this.waiting.set(signature, { ...entry, due: entry.due + delay });
  }

  /** Takes out what is due at `slot`. What is dropped is not among it. */
  take(slot: number): { due: Waiting[]; dropped: Waiting[] } {
    const due: Waiting[] = [];
    const dropped: Waiting[] = [];
    for (const [signature, entry] of this.waiting) {
      if (entry.due > slot) continue;
      const isDropped = !entry.spared && this.dice.happens('drop', signature, this.faults().drop);
      if (isDropped && entry.retries > 0) {
        entry.retries--;
        entry.due = slot + RETRY_SLOTS;
        continue;
      }
      this.waiting.delete(signature);
      (isDropped ? dropped : due).push(entry);
    }
    return { due, dropped };
  }
}
