import type { Effort } from './bench.ts';
import type { BenchDatabase } from './postgres.ts';

/** How long both sides run before anything is measured, in measurements. */
const WARM_UP = 1;

/**
 * Measures one and the other by turns, so that a noisy moment hurts both, and divides them round by round. Before that
 * both run once unmeasured: code is compiled then and tables have rows, and `databases` are analyzed, as autovacuum does
 * wherever it runs.
 */
export async function compare(
  { rounds, seconds }: Effort,
  databases: BenchDatabase[],
  one: (seconds: number) => Promise<number>,
  other: (seconds: number) => Promise<number>,
  say: (line: string) => void,
): Promise<number[]> {
  say('warming up');
  await one(seconds * WARM_UP);
  await other(seconds * WARM_UP);
  for (const { owner } of databases) await owner.query('vacuum analyze');
  const ratios: number[] = [];
  for (let round = 1; round <= rounds; round++) {
    // Who begins changes too: the first of a pair finds colder caches and a quieter disk.
    const first = round % 2 === 1;
    const a = first ? await one(seconds) : undefined;
    const b = await other(seconds);
    const rate = a ?? (await one(seconds));
    say(`round ${round}: ${rate.toFixed(0)}/s ÷ ${b.toFixed(0)}/s = ${(rate / b).toFixed(2)}`);
    ratios.push(rate / b);
  }
  return ratios;
}
