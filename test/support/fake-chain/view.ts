import type { Block } from './block.ts';
import type { Ledger } from './ledger.ts';
import type { NodeFaults } from './options.ts';

export type Commitment = 'processed' | 'confirmed' | 'finalized';

/** The ledger as one node sees it. What a node called final once stays final for it. */
export class View {
  private rootHeight = 0;
  private readonly ledger: Ledger;
  private readonly confirmedAfter: number;
  private readonly faults: () => NodeFaults;

  constructor(ledger: Ledger, confirmedAfter: number, faults: () => NodeFaults) {
    this.ledger = ledger;
    this.confirmedAfter = confirmedAfter;
    this.faults = faults;
  }

  /** The newest block that this node says has reached `commitment`. */
  block(commitment: Commitment): Block {
    const { ledger } = this;
    const { lagSlots = 0, stuckAt = Number.POSITIVE_INFINITY, lies } = this.faults();
    const processed = ledger.blockUpTo(Math.min(ledger.slot - lagSlots, stuckAt));
    if (commitment === 'processed' || lies?.finalTooEarly) return processed;
    const seen = Math.min(processed.height - ledger.rules.finalizedAfter, ledger.rootHeight);
    this.rootHeight = Math.max(this.rootHeight, seen);
    const finalized = Math.min(this.rootHeight, processed.height);
    if (commitment === 'finalized') return ledger.blockAt(finalized);
    return ledger.blockAt(Math.max(finalized, processed.height - this.confirmedAfter));
  }

  /** The commitment of what landed at `slot`; undefined for what this node does not know yet. */
  reached(slot: number): Commitment | undefined {
    if (slot <= this.block('finalized').slot) return 'finalized';
    if (slot <= this.block('confirmed').slot) return 'confirmed';
    return slot <= this.block('processed').slot ? 'processed' : undefined;
  }
}
