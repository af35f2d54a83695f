import { sleep } from '../../../src/platform/retry.ts';
import type { Dice } from '../../support/fake-chain/dice.ts';
import { type Child, runChild } from '../../support/run-child.ts';
import { drawDeath, kinds, type ProcessKind, scripts } from './kill-plan.ts';

export type Supervisor = {
  /** So far, by process and failpoint, or `at random`. */
  kills: Map<string, number>;
  killed(): number;
  /** Lives that ended by themselves with anything but a kill: none is allowed to. With the end of what it said. */
  crashes: string[];
  /** Resolves with the moment of the last kill, when as many were done as asked for. */
  done: Promise<number>;
  /** What the processes said last. */
  outputs(): string;
  /** Asks all of them to end; their exit codes. */
  stop(): Promise<(number | string)[]>;
  /** Kills all of them, whatever goes on. */
  end(): Promise<void>;
};

const SAID = 4_000;

/**
 * Runs one process of each kind, kills each again and again, and starts it anew at once. After `kills` kills altogether
 * the last lives of all of them go on undisturbed.
 */
export function supervise(options: {
  env: Record<string, string>;
  dice: Dice;
  kills: number;
  /** How long a life lasts, as a share of what is drawn for it. */
  pace: number;
}): Supervisor {
  const { env, dice, pace } = options;
  const kills = new Map<string, number>();
  const crashes: string[] = [];
  const living = new Map<ProcessKind, Child>();
  let given = 0;
  let done = 0;
  let lastAt = performance.now();
  let over = false;

  async function live(kind: ProcessKind): Promise<void> {
    for (let life = 1; given < options.kills && !over; life++) {
      given++;
      const { failpoint, afterMs } = drawDeath(dice, kind, life);
      const child = runChild(scripts[kind], { ...env, ...(failpoint ? { FAILPOINTS: failpoint } : {}) });
      living.set(kind, child);
      const waiting = new AbortController();
      const byItself = await Promise.race([
        child.ended,
        sleep(afterMs * pace, waiting.signal).then(() => undefined),
      ]);
      waiting.abort();
      const end = byItself ?? (await child.stop('SIGKILL'));
      if (end !== 'SIGKILL') crashes.push(`${kind} ended with ${end}: ${child.output().slice(-SAID)}`);
      const what = byItself === undefined ? 'at random' : (failpoint?.split('=')[0] ?? 'by itself');
      kills.set(`${kind} ${what}`, (kills.get(`${kind} ${what}`) ?? 0) + 1);
      done++;
      lastAt = performance.now();
    }
    if (!over) living.set(kind, runChild(scripts[kind], env));
  }

  return {
    kills,
    killed: () => done,
    crashes,
    done: Promise.all(kinds.map(live)).then(() => lastAt),
    outputs: () =>
      [...living].map(([kind, child]) => `--- ${kind}\n${child.output().slice(-SAID)}`).join('\n'),
    stop: () => Promise.all([...living.values()].map((child) => child.stop())),
    async end() {
      over = true;
      await Promise.all([...living.values()].map((child) => child.stop('SIGKILL')));
    },
  };
}
