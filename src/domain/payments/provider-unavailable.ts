import { DomainError } from '../../platform/errors.ts';

/** To the provider itself: its notice could not be handled, since it could not be asked. */
export function providerUnavailable(): DomainError {
  return new DomainError('unavailable', 'payment_provider_unavailable', 'Send it again later.', {
    retryAfter: 60,
  });
}
