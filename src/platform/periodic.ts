import type { Logger } from './logger.ts';
import { sleep } from './retry.ts';

/** Runs `task` every `everyMs` until `signal`, one run at a time; a failed run is logged and the next one comes. */
export async function periodic(
  name: string,
  options: { everyMs: number; log: Logger; signal: AbortSignal },
  task: () => Promise<void>,
): Promise<void> {
  const { everyMs, log, signal } = options;
  while (!signal.aborted) {
    try {
      await task();
    } catch (error) {
      log.warn({ task: name, err: (error as Error).message }, 'a periodic task failed');
    }
    // A little jitter keeps several processes from marching in step.
    await sleep(everyMs * (0.9 + 0.2 * Math.random()), signal);
  }
}
