/** Time as the system sees it; tests put their own in. */
export type Clock = {
  now(): Date;
  /** By how many milliseconds this machine's clock is ahead of `now`; undefined until that was measured. */
  skewMs?: () => number | undefined;
};

export const systemClock: Clock = { now: () => new Date() };

/** A machine that is off by so much is told of. */
export const SKEW_TOLD_MS = 1_000;
/** A machine that is off by so much serves no more: what it writes into logs and asks of others is not to be believed. */
export const SKEW_REFUSED_MS = 5_000;

/** Whether the machine's clock may be worked with. A clock that measures nothing is its own measure. */
export function isTrusted({ skewMs }: Clock): boolean {
  return skewMs === undefined || Math.abs(skewMs() ?? Number.POSITIVE_INFINITY) < SKEW_REFUSED_MS;
}
