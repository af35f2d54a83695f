import type { SaleRow } from './sale-refusal.ts';

/** The answer that was stored for the first request with the same key. Holds are only stored when they succeeded. */
export function replayed<T>(row: SaleRow): T {
  return (row.details as { body: T }).body;
}
