import { sql } from 'kysely';
import { type Clock, SKEW_REFUSED_MS, SKEW_TOLD_MS } from './clock.ts';
import type { Db } from './db.ts';
import { DomainError } from './errors.ts';
import type { Logger } from './logger.ts';
import type { Metrics } from './metrics.ts';
import { periodic } from './periodic.ts';
import { sleep } from './retry.ts';
import { withSystem } from './tenant-tx.ts';

/** What the database's clock said at one moment, give or take `errorMs`. All in milliseconds. */
export type Reading = { steady: number; time: number; errorMs: number };

export type DatabaseClock = Clock & {
  skewMs(): number | undefined;
  take(reading: Reading): void;
  /** Measures until `signal`. Resolves with the first reading, or when the database let it wait for `FIRST_WAIT_MS`. */
  follow(db: Db, options: { log: Logger; metrics: Metrics; signal: AbortSignal }): Promise<void>;
};

const EVERY_MS = 5_000;
const FIRST_WAIT_MS = 5_000;
/** How far two clocks may part in a second: ten times what quartz does. */
const DRIFT = 0.000_5;

/**
 * The clock of the database, read across the network and carried on by this machine's steady counter, so that all
 * processes agree on what is due, held or leased, whatever their own clocks say. Before it follows a database it is the
 * machine's clock; while it follows one that has not answered yet, nobody knows the time.
 *
 * `now` throws DomainError unavailable `database_unavailable` then.
 */
export function createDatabaseClock(
  machine = { wall: () => Date.now(), steady: () => performance.now() },
): DatabaseClock {
  let best: Reading | undefined;
  let following = false;
  let told: 'well' | 'off' | 'far off' = 'well';

  const errorNow = (reading: Reading): number =>
    reading.errorMs + Math.max(0, machine.steady() - reading.steady) * DRIFT;
  const timeOf = (reading: Reading): number => reading.time + machine.steady() - reading.steady;

  function skewMs(): number | undefined {
    return best && machine.wall() - timeOf(best);
  }

  /** A reading replaces one that it is surer than, or that it contradicts: the database's clock was set. */
  function take(reading: Reading): void {
    const contradicts = best && Math.abs(timeOf(reading) - timeOf(best)) > errorNow(reading) + errorNow(best);
    if (!best || contradicts || errorNow(reading) <= errorNow(best)) best = reading;
  }

  async function measure(db: Db): Promise<void> {
    take(
      await withSystem(db, async (tx) => {
        const before = machine.steady();
        const { rows } = await sql<{ ms: number }>`
          select (extract(epoch from clock_timestamp()) * 1000)::float8 as ms`.execute(tx);
        const after = machine.steady();
        const errorMs = (after - before) / 2;
        return { steady: before + errorMs, time: rows[0]?.ms as number, errorMs };
      }),
    );
  }

  /** Says once that the machine's clock left the range, and once that it is back. */
  function tell({ log, metrics }: { log: Logger; metrics: Metrics }): void {
    const skew = skewMs();
    if (skew === undefined) return;
    metrics.clockSkew.set(skew / 1000);
    const off = Math.abs(skew);
    const state = off >= SKEW_REFUSED_MS ? 'far off' : off >= SKEW_TOLD_MS ? 'off' : 'well';
    if (state === told) return;
    told = state;
    const words = { skewMs: Math.round(skew) };
    if (state === 'well') log.info(words, "this machine's clock agrees with the database's again");
    else if (state === 'off') log.warn(words, "this machine's clock differs from the database's");
    else log.error(words, "this machine's clock is far from the database's: not ready until it is set");
  }

  return {
    now() {
      if (best) return new Date(timeOf(best));
      if (!following) return new Date(machine.wall());
      throw new DomainError(
        'unavailable',
        'database_unavailable',
        'The database has not told the time yet.',
        {
          retryAfter: 1,
        },
      );
    },
    skewMs,
    take,
    async follow(db, options) {
      following = true;
      const look = async (): Promise<void> => {
        await measure(db);
        tell(options);
      };
      const asked = look().catch((error: Error) =>
        options.log.warn({ err: error.message }, 'the database has not told the time yet'),
      );
      await Promise.race([asked, sleep(FIRST_WAIT_MS, options.signal)]);
      void lookOn();

      /** Soon again while nothing is known, and a few times at the start, when the first answer was perhaps a slow one. */
      async function lookOn(): Promise<void> {
        for (let quick = 0; (quick < 3 || !best) && !options.signal.aborted; quick++) {
          await sleep(best ? 50 : 250, options.signal);
          await look().catch((error: Error) =>
            options.log.debug({ err: error.message }, 'asked for the time'),
          );
        }
        await periodic('clock', { ...options, everyMs: EVERY_MS }, look);
      }
    },
  };
}
