import type { BenchServer } from './postgres.ts';

/** How long and how often a benchmark measures. */
export type Effort = { rounds: number; seconds: number; quick: boolean };

export type Bench = {
  name: string;
  /** What is divided by what, in words. */
  what: string;
  aim: number;
  run(server: BenchServer, effort: Effort, say: (line: string) => void): Promise<number[]>;
};

export type Result = {
  name: string;
  ratio: number;
  min: number;
  max: number;
  aim: number;
  ok: boolean;
  unit: 'ratio';
  rounds: number;
};

/** The median of the rounds, with the smallest and the largest; 0 when the books of a round were wrong. */
export function summarize({ name, aim }: Bench, ratios: number[]): Result {
  const sorted = [...ratios].sort((a, b) => a - b);
  const round = (value: number | undefined): number => Math.round((value ?? 0) * 1_000) / 1_000;
  const ratio = round(sorted[Math.floor(sorted.length / 2)]);
  return {
    name,
    ratio,
    min: round(sorted[0]),
    max: round(sorted.at(-1)),
    aim,
    ok: ratio >= aim,
    unit: 'ratio',
    rounds: ratios.length,
  };
}
