import { sleep } from '../src/platform/retry.ts';
import type { SeenBatch } from './source.ts';

/**
 * Joins what comes within `waitMs` of each other into batches of about `max` transactions, in order: one transaction of
 * the database pays for all. The next is under way while one is used.
 */
export async function* gather(
  batches: AsyncGenerator<SeenBatch>,
  { max, waitMs }: { max: number; waitMs: number },
): AsyncGenerator<SeenBatch> {
  const pull = (): Promise<IteratorResult<SeenBatch>> => {
    const next = batches.next();
    // It may fail while a batch is used; whoever takes it sees that.
    next.catch(() => undefined);
    return next;
  };
  let next = pull();
  try {
    for (;;) {
      const first = await next;
      if (first.done) return;
      let whole = first.value;
      next = pull();
      const late = sleep(waitMs).then(() => undefined);
      while (whole.transactions.length < max && whole.caughtUp === undefined) {
        const more = await Promise.race([next, late]);
        if (more === undefined || more.done) break;
        whole = join(whole, more.value);
        next = pull();
      }
      yield whole;
    }
  } finally {
    await batches.return(undefined);
  }
}

function join(a: SeenBatch, b: SeenBatch): SeenBatch {
  return {
    ...b,
    transactions: [...a.transactions, ...b.transactions],
    unusable: [...a.unusable, ...b.unusable],
    cursors: [...a.cursors, ...b.cursors],
  };
}
