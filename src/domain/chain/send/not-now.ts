import { DomainError } from '../../../platform/errors.ts';

/** What a job throws that could not run for now: it waits, however long, and is never parked for it. */
export function notNow(reason: string): DomainError {
  return new DomainError('unavailable', 'chain_unavailable', `The chain cannot do it now: ${reason}.`, {
    retryAfter: 5,
  });
}
