import type { Effort } from './bench.ts';

/** Measures one and the other by turns, so that a noisy moment hurts both, and divides them round by round. */
export async function compare(
  { rounds, seconds }: Effort,
  one: (seconds: number) => Promise<number>,
  other: (seconds: number) => Promise<number>,
  say: (line: string) => void,
): Promise<number[]> {
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
