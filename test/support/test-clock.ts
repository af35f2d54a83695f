import type { Clock } from '../../src/platform/clock.ts';

/** A clock that stands still until it is moved; it starts at the real time. */
export type TestClock = Clock & { advance(ms: number): void };

export function createTestClock(start = new Date()): TestClock {
  let now = start.getTime();
  return {
    now: () => new Date(now),
    advance(ms) {
      now += ms;
    },
  };
}

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
