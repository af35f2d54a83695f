/** Time as the system sees it; tests put their own in. */
export type Clock = { now(): Date };

export const systemClock: Clock = { now: () => new Date() };
