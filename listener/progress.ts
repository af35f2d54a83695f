/** How far the listener has come, as it tells with each heartbeat. */
export type Progress = {
  leads(): void;
  standsBy(): void;
  /** Everything up to `slot` is applied. */
  caughtUp(slot: number): void;
  /** Told of the newest slot there is. */
  follows(newest: () => number): void;
  details(): Record<string, unknown>;
};

/** Without news for so long nobody knows how far the chain is: then time counts as slots. */
const NEWS_MS = 12_000;
const SLOTS_PER_SECOND = 2.5;

export function createProgress(): Progress {
  let leading = false;
  let applied: { slot: number; at: number } | undefined;
  let newest = (): number => 0;
  return {
    leads() {
      leading = true;
    },
    standsBy() {
      leading = false;
      applied = undefined;
    },
    follows(source) {
      newest = source;
    },
    caughtUp(slot) {
      applied = { slot, at: performance.now() };
    },
    details() {
      if (!leading) return { standby: true };
      if (!applied) return { waiting: 'for the chain' };
      const silentMs = performance.now() - applied.at;
      const slots = Math.max(0, newest() - applied.slot);
      const guess = silentMs > NEWS_MS ? Math.ceil((silentMs / 1_000) * SLOTS_PER_SECOND) : 0;
      return {
        slot: newest(),
        lagSlots: Math.max(slots, guess),
        lagSeconds: slots === 0 && guess === 0 ? 0 : Math.round(silentMs / 1_000),
      };
    },
  };
}
