import { type Cache, circuitKey } from './cache.ts';
import { DomainError } from './errors.ts';
import type { Logger } from './logger.ts';
import type { Metrics } from './metrics.ts';

export type Breaker = {
  /** Runs `call`, or refuses at once while the circuit is open. @throws DomainError unavailable */
  run<T>(call: () => Promise<T>): Promise<T>;
  isOpen(): boolean;
};

type Options = {
  /** In the code of the refusal: `chain_unavailable`. */
  service: string;
  /** Where one service has several circuits, the name of this one. */
  circuit?: string;
  cache: Cache;
  log: Logger;
  metrics: Metrics;
  threshold?: number;
  restMs?: number;
};

/**
 * Stops asking a service that keeps failing: after `threshold` failures in a row the circuit is open for `restMs`, then
 * one call tries again. Its state is written to the cache for people to see; each process decides by its own.
 */
export function createBreaker({
  service,
  circuit = service,
  cache,
  log,
  metrics,
  threshold = 5,
  restMs = 5_000,
}: Options): Breaker {
  let failures = 0;
  let openUntil = 0;
  let probing = false;

  function note(state: 'open' | 'closed'): void {
    metrics.circuitOpen.set({ service: circuit }, state === 'open' ? 1 : 0);
    cache
      .set(circuitKey(circuit), JSON.stringify({ state, failures }), 30)
      .catch((error) => log.debug({ service: circuit, err: error.message }, 'circuit state not written'));
  }

  return {
    isOpen: () => performance.now() < openUntil,
    async run(call) {
      const broken = failures >= threshold;
      if (broken && (probing || performance.now() < openUntil)) {
        throw new DomainError('unavailable', `${service}_unavailable`, `${service} does not answer.`, {
          retryAfter: 5,
        });
      }
      if (broken) probing = true;
      try {
        const result = await call();
        if (failures >= threshold) {
          log.info({ service: circuit }, 'circuit closed');
          note('closed');
        }
        failures = 0;
        return result;
      } catch (error) {
        failures++;
        if (failures >= threshold) {
          openUntil = performance.now() + restMs;
          log.warn({ service: circuit, failures, err: (error as Error).message }, 'circuit open');
          note('open');
        }
        throw error;
      } finally {
        if (broken) probing = false;
      }
    },
  };
}
