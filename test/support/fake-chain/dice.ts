import { createHash } from 'node:crypto';

/** How often something happens: a probability, the n-th times (from 1), or every n-th time. */
export type Chance = number | { nth: number[] } | { every: number };

/** From and to, both included. */
export type Range = [number, number];

/** A fault that was decided for: which, to whom, and the how-manieth time that this was asked. */
export type Decided = { fault: string; subject: string; n: number };

/**
 * All chance of a chain comes from here. A draw is a hash of the seed, the fault, its subject and how often that was
 * asked before; there is no running state that the order of requests could shift. So a transaction that is dropped in
 * one run is dropped in every run of that seed, whatever else goes on meanwhile.
 */
export class Dice {
  readonly decided: Decided[] = [];
  private readonly seed: string;
  private readonly asked = new Map<string, number>();

  constructor(seed: number | string) {
    this.seed = `${seed}`;
  }

  /** Whether `fault` happens to `subject` this time. A schedule counts all subjects together. */
  happens(fault: string, subject: string, chance: Chance | undefined): boolean {
    if (chance === undefined || chance === 0) return false;
    const n = this.count(typeof chance === 'number' ? `${fault} ${subject}` : fault);
    const happens = decide(chance, n, () => this.draw(fault, subject, n));
    if (happens) this.decided.push({ fault, subject, n });
    return happens;
  }

  /** The same answer whenever it is asked: for faults that belong to a thing, as the slot that a node never shows. */
  always(fault: string, subject: string, probability: number | undefined): boolean {
    return probability !== undefined && probability > 0 && this.draw(fault, subject, 0) < probability;
  }

  /** A whole number out of the range, both ends included. */
  between(fault: string, subject: string, [from, to]: Range): number {
    const n = this.count(`${fault} range ${subject}`);
    return from + Math.floor(this.draw(`${fault} range`, subject, n) * (to - from + 1));
  }

  private count(name: string): number {
    const n = (this.asked.get(name) ?? 0) + 1;
    this.asked.set(name, n);
    return n;
  }

  /** From 0 to below 1. */
  private draw(fault: string, subject: string, n: number): number {
    const hash = createHash('sha256').update(`${this.seed}\n${fault}\n${subject}\n${n}`).digest();
    return hash.readUIntBE(0, 6) / 2 ** 48;
  }
}

function decide(chance: Chance, n: number, draw: () => number): boolean {
  if (typeof chance === 'number') return draw() < chance;
  return 'nth' in chance ? chance.nth.includes(n) : n % chance.every === 0;
}
