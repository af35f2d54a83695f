import { isDeepStrictEqual } from 'node:util';
import { DomainError } from '../../platform/errors.ts';
import { matchesTag } from '../../platform/http/etag.ts';

/** What whoever edits something believes to be there: the tag of it, its version, and what else they send back. */
export type Belief = { ifMatch: string | undefined; version: number | undefined; shown: object };

/**
 * Compares a belief with what is stored, under the lock that the edit takes: of two writers who saw the same, one wins.
 * @throws DomainError 412 for another tag, 409 for another version or for fields that cannot be edited and differ
 */
export function expectUnchanged(stored: { version: number }, belief: Belief): void {
  if (belief.ifMatch !== undefined && !matchesTag(belief.ifMatch, stored)) {
    const message = 'It was changed since If-Match was true of it: read it again.';
    throw new DomainError('precondition_failed', 'precondition_failed', message, {
      extra: { currentVersion: stored.version },
    });
  }
  if (belief.version !== undefined && belief.version !== stored.version) {
    throw new DomainError('conflict', 'version_conflict', 'It was changed by somebody else meanwhile.', {
      extra: { currentVersion: stored.version },
    });
  }
  const fields = differing(stored, belief.shown);
  if (fields.length > 0) {
    const message = `These fields are not set here, and are not as they were sent: ${fields.join(', ')}.`;
    throw new DomainError('conflict', 'read_only_fields', message, { extra: { fields } });
  }
}

function differing(stored: object, sent: object): string[] {
  const there = stored as Record<string, unknown>;
  // As JSON, since what is stored shows instants as text.
  return Object.entries(JSON.parse(JSON.stringify(sent))).flatMap(([name, value]) =>
    isDeepStrictEqual(value, there[name]) ? [] : [name],
  );
}
