import { setTimeout as delay } from 'node:timers/promises';

/** Milliseconds before attempt `attempt` (from 1): doubling from `base`, capped, with full jitter. */
export function backoff(attempt: number, base: number, cap: number, random = Math.random): number {
  return Math.round(random() * Math.min(cap, base * 2 ** Math.min(attempt - 1, 30)));
}

/** Waits; resolves false at once when the signal ends the wait. */
export async function sleep(ms: number, signal?: AbortSignal): Promise<boolean> {
  try {
    await delay(ms, undefined, { signal });
    return true;
  } catch (error) {
    if (signal?.aborted) return false;
    throw error;
  }
}

/** Polls `probe` until it answers something; undefined when `timeoutMs` passed first. */
export async function waitFor<T>(
  probe: () => Promise<T | undefined | null | false>,
  { timeoutMs, everyMs = 100, signal }: { timeoutMs: number; everyMs?: number; signal?: AbortSignal },
): Promise<T | undefined> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    const value = await probe();
    if (value !== undefined && value !== null && value !== false) return value;
    if (performance.now() > end || !(await sleep(everyMs, signal))) return undefined;
  }
}
