import { DomainError } from './errors.ts';

/**
 * Does `work` for each of `items`, one after the other. One that fails does not keep those behind it waiting, unless what
 * all of them need is away.
 * @throws what one threw, or AggregateError of several, when all were visited
 */
export async function visitEach<T>(items: T[], work: (item: T) => Promise<void>): Promise<void> {
  const errors: unknown[] = [];
  for (const item of items) {
    try {
      await work(item);
    } catch (error) {
      if (error instanceof DomainError && error.kind === 'unavailable') throw error;
      errors.push(error);
    }
  }
  if (errors.length > 1) throw new AggregateError(errors, `${errors.length} of ${items.length} failed`);
  if (errors.length === 1) throw errors[0];
}
