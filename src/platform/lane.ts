import { DomainError } from './errors.ts';

/** Requests that arrive while a flush runs wait together and go with the next one. */
export type Lane<Item, Result> = { submit(item: Item): Promise<Result> };

type Waiting<Item, Result> = { item: Item; resolve(result: Result): void; reject(error: unknown): void };

/** So many must wait for a second flush to follow the first, or half of the largest batch where that is less. */
const EARLY = 64;

/**
 * A self-clocking batcher: no timer, at most `maxBatch` items in a flush. Alone, an item goes at once; under load the
 * batch grows to what arrived during a flush, so a lock and an fsync are paid once for all. Two flushes at most are under
 * way: the second stands at the lock when the first lets go of it, which is sooner than this process hears of that.
 *
 * When a batch fails each of its items runs alone, so that one bad request hurts nobody else. `flush` must be atomic. With
 * `halves` a batch is cut in two until the bad one stands alone: where a flush is slow, 16 of them instead of 256.
 */
export function createLane<Item, Result>(options: {
  maxBatch: number;
  flush: (items: Item[]) => Promise<Result[]>;
  /** Waits until there is room for one more flush; what arrives meanwhile goes along. Returns how to leave again. */
  enter?: (() => Promise<() => void>) | undefined;
  whenFailed?: 'each' | 'halves';
}): Lane<Item, Result> {
  const { maxBatch, flush, enter, whenFailed = 'each' } = options;
  let waiting: Waiting<Item, Result>[] = [];
  let running = 0;

  function start(): void {
    while (
      waiting.length > 0 &&
      (running === 0 || (running === 1 && waiting.length >= Math.min(EARLY, maxBatch / 2)))
    ) {
      void run();
    }
  }

  async function run(): Promise<void> {
    running++;
    const leave = enter && (await enter());
    const batch = waiting.slice(0, maxBatch);
    waiting = waiting.slice(maxBatch);
    await attempt(batch);
    leave?.();
    running--;
    start();
  }

  async function attempt(batch: Waiting<Item, Result>[]): Promise<void> {
    try {
      const results = await flush(batch.map(({ item }) => item));
      if (results.length !== batch.length) throw new Error('a flush must answer each of its items');
      // What waits goes out first: the answers keep this process busy for as long as a flush takes.
      setImmediate(() => {
        for (const [i, entry] of batch.entries()) entry.resolve(results[i] as Result);
      });
    } catch (error) {
      // A database that is away fails each of them alike; asking again one by one would only take longer.
      const hopeless = error instanceof DomainError && error.kind === 'unavailable';
      if (batch.length === 1 || hopeless) for (const entry of batch) entry.reject(error);
      else if (whenFailed === 'each') for (const entry of batch) await attempt([entry]);
      else {
        const middle = batch.length >> 1;
        await attempt(batch.slice(0, middle));
        await attempt(batch.slice(middle));
      }
    }
  }

  return {
    submit(item) {
      return new Promise((resolve, reject) => {
        waiting.push({ item, resolve, reject });
        start();
      });
    },
  };
}

/**
 * Lanes by key; a lane that is idle is forgotten. Of all lanes together at most `atOnce` flushes are under way: where more
 * would wait for a connection anyway, a batch is only closed when its turn has come.
 */
export function createLanes<Item, Result>(options: {
  maxBatch: number;
  flush: (key: string, items: Item[]) => Promise<Result[]>;
  atOnce?: number;
  whenFailed?: 'each' | 'halves';
}): { submit(key: string, item: Item): Promise<Result> } {
  const { maxBatch, flush, atOnce, whenFailed = 'each' } = options;
  const enter = atOnce === undefined ? undefined : createRoom(atOnce);
  const lanes = new Map<string, { lane: Lane<Item, Result>; users: number }>();
  return {
    async submit(key, item) {
      let entry = lanes.get(key);
      if (!entry) {
        const lane = createLane<Item, Result>({
          maxBatch,
          flush: (items) => flush(key, items),
          enter,
          whenFailed,
        });
        entry = { lane, users: 0 };
        lanes.set(key, entry);
      }
      entry.users++;
      try {
        return await entry.lane.submit(item);
      } finally {
        if (--entry.users === 0) lanes.delete(key);
      }
    },
  };
}

/** Lets `size` in at once, the others in the order they came. Each gets what it must call when it leaves. */
export function createRoom(size: number): () => Promise<() => void> {
  const queue: (() => void)[] = [];
  let free = size;
  function leave(): void {
    const next = queue.shift();
    if (next) next();
    else free++;
  }
  return async () => {
    if (free > 0) free--;
    else await new Promise<void>((resolve) => queue.push(resolve));
    return leave;
  };
}
