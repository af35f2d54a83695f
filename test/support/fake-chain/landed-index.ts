import type { Landed } from './block.ts';

/** Finds transactions of the chain as it is now by signature and by any account that they list. */
export class LandedIndex {
  private readonly bySignature = new Map<string, Landed>();
  /** Oldest first. */
  private readonly byAddress = new Map<string, Landed[]>();

  find(signature: string): Landed | undefined {
    return this.bySignature.get(signature);
  }

  /** Those that list `address`, oldest first. */
  naming(address: string): readonly Landed[] {
    return this.byAddress.get(address) ?? [];
  }

  /** In the order in which they landed. */
  all(): Landed[] {
    return [...this.bySignature.values()];
  }

  add(landed: Landed): void {
    this.bySignature.set(landed.transaction.signature, landed);
    for (const address of new Set(landed.keys.all)) {
      const known = this.byAddress.get(address);
      if (known) known.push(landed);
      else this.byAddress.set(address, [landed]);
    }
  }

  /** Takes out the one that landed last of all. */
  remove(landed: Landed): void {
    this.bySignature.delete(landed.transaction.signature);
    for (const address of new Set(landed.keys.all)) {
      const known = this.byAddress.get(address);
      if (known?.pop() !== landed) throw new Error('only the newest transaction can be taken out');
    }
  }
}
