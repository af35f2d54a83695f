import { hash } from 'node:crypto';
import type { Context } from 'hono';

/** A strong tag of what is shown: it changes with every part of it, what belongs to it included. */
export function etagOf(shown: object): string {
  return `"${hash('sha256', JSON.stringify(shown), 'base64url').slice(0, 22)}"`;
}

/** Gives the answer its tag. Returns what is shown. */
export function tagged<T extends object>(c: Context, shown: T): T {
  c.header('ETag', etagOf(shown));
  return shown;
}

/** Whether one of the tags in `If-Match` is that of what is there. A weak tag never is (RFC 9110, 13.1.1). */
export function matchesTag(ifMatch: string, shown: object): boolean {
  const tags = ifMatch.split(',').map((tag) => tag.trim());
  return tags.includes('*') || tags.includes(etagOf(shown));
}
