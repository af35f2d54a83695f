import { DomainError } from './errors.ts';
import { UUID_PATTERN } from './ids.ts';

export type Page<T> = { items: T[]; nextCursor: string | null };

/** Cuts a page out of `limit + 1` rows; `keyOf` gives what the next page starts behind. */
export function toPage<Row, T>(
  rows: Row[],
  limit: number,
  keyOf: (row: Row) => string[],
  show: (row: Row) => T,
): Page<T> {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  const more = rows.length > limit && last !== undefined;
  return {
    items: shown.map(show),
    nextCursor: more ? Buffer.from(JSON.stringify(keyOf(last))).toString('base64url') : null,
  };
}

/** The key inside a cursor. @throws DomainError invalid for a cursor that is none of ours */
export function readCursor(cursor: string | undefined, length: number): string[] | undefined {
  if (cursor === undefined) return undefined;
  try {
    const key: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
    if (Array.isArray(key) && key.length === length && key.every((part) => typeof part === 'string'))
      return key;
  } catch {
    // Not ours; answered below.
  }
  throw badCursor();
}

/** The id behind which a page of a list by id starts. @throws DomainError invalid for a cursor that is none of ours */
export function readIdCursor(cursor: string | undefined): string | undefined {
  const [after] = readCursor(cursor, 1) ?? [];
  if (after !== undefined && !UUID_PATTERN.test(after)) throw badCursor();
  return after;
}

export function badCursor(): DomainError {
  return new DomainError('invalid', 'bad_cursor', 'The cursor was not given out by this list.');
}
