import type { Dice } from '../../support/fake-chain/dice.ts';

/** The processes that are killed, with their scripts. */
export const scripts = {
  api: 'src/main/api.ts',
  background: 'src/main/background.ts',
  'mint-worker': 'src/main/mint-worker.ts',
  listener: 'listener/main.ts',
} as const;
export type ProcessKind = keyof typeof scripts;
export const kinds = Object.keys(scripts) as ProcessKind[];

/** How one life of a process ends: at a failpoint, or at the latest after so long. */
export type Death = { failpoint: string | undefined; afterMs: number };

const sent = (purpose: string): string[] => [`${purpose}.prepared`, `${purpose}.submitted`];

const failpoints: Record<ProcessKind, readonly string[]> = {
  api: ['purchase.placed', 'purchase.charged'],
  background: ['relay.claimed', 'relay.published'],
  'mint-worker': [
    ...sent('mint'),
    ...sent('mint'),
    ...sent('transfer'),
    ...sent('check_in'),
    ...sent('revoke'),
  ],
  listener: [
    'listener.recorded',
    'listener.committed',
    'listener.applied',
    'listener.settled',
    'listener.taken_back',
  ],
};

/** Of ten deaths, so many are at a failpoint. */
const AT_FAILPOINT = 0.6;
/** A failpoint is armed for its first or a later time; one that is rarely come by, for its first. */
const LATEST_HIT = 4;
const RARE = 'listener.taken_back';
/** So long, as it needs a fork. */
const RARE_WAIT_MS = 25_000;
/** A process needs some of it to start: it dies in the middle of that too. */
const RANDOM_MS: [number, number] = [300, 7_000];
/** A failpoint that does not come is not waited for any longer. */
const WAIT_MS = 9_000;

/** The death of the `life`-th process of a kind; the same for the same seed, whatever went on. */
export function drawDeath(dice: Dice, kind: ProcessKind, life: number): Death {
  const subject = `${kind} ${life}`;
  if (!dice.always('failpoint', subject, AT_FAILPOINT))
    return { failpoint: undefined, afterMs: dice.between('moment', subject, RANDOM_MS) };
  const names = failpoints[kind];
  const name = names[dice.between('name', subject, [0, names.length - 1])];
  if (name === RARE) return { failpoint: `${name}=kill`, afterMs: RARE_WAIT_MS };
  return { failpoint: `${name}=kill@${dice.between('hit', subject, [1, LATEST_HIT])}`, afterMs: WAIT_MS };
}
