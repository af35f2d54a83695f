/** Preloaded with `node --import`: sets this machine's clock off by `SKEW_MS`, as nothing but the wall clock would show. */
const skew = Number(process.env.SKEW_MS);
const Real = Date;

class Skewed extends Real {
  constructor(...parts: [] | [string | number | Date]) {
    super(...((parts.length === 0 ? [Real.now() + skew] : parts) as [number]));
  }

  static override now(): number {
    return Real.now() + skew;
  }
}

globalThis.Date = Skewed as DateConstructor;
