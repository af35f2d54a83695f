import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { DomainError } from '../../src/platform/errors.ts';
import { createLane, createLanes } from '../../src/platform/lane.ts';

/** Flushes that wait until they are let go, and what was in them. */
function gatedFlush<Result>(answer: (items: number[]) => Result[] | Promise<Result[]>) {
  const batches: number[][] = [];
  const waiting: (() => void)[] = [];
  return {
    batches,
    flush: async (items: number[]) => {
      batches.push(items);
      await new Promise<void>((resolve) => waiting.push(resolve));
      return answer(items);
    },
    async letGo() {
      waiting.shift()?.();
      await delay(1);
    },
  };
}

const double = (items: number[]) => items.map((item) => item * 2);

describe('a lane', () => {
  it('sends one alone at once, and what comes meanwhile together', async () => {
    const { batches, flush, letGo } = gatedFlush(double);
    const lane = createLane({ maxBatch: 100, flush });
    const results = [lane.submit(1)];
    expect(batches).toEqual([[1]]);
    results.push(...[2, 3, 4].map((item) => lane.submit(item)));
    expect(batches).toEqual([[1]]);
    await letGo();
    expect(batches).toEqual([[1], [2, 3, 4]]);
    await letGo();
    expect(await Promise.all(results)).toEqual([2, 4, 6, 8]);
  });

  it('sends a second behind the first once half a batch waits, and no third', async () => {
    const { batches, flush, letGo } = gatedFlush(double);
    const lane = createLane({ maxBatch: 6, flush });
    const results = [1, 2, 3, 4, 5, 6, 7, 8].map((item) => lane.submit(item));
    expect(batches).toEqual([[1], [2, 3, 4]]);
    await letGo();
    expect(batches).toEqual([[1], [2, 3, 4], [5, 6, 7, 8]]);
    await letGo();
    await letGo();
    expect(await Promise.all(results)).toEqual([2, 4, 6, 8, 10, 12, 14, 16]);
  });

  it('never has more in a flush than it may, and takes all in the order they came', async () => {
    let running = 0;
    const sizes: number[] = [];
    const order: number[] = [];
    const lane = createLane({
      maxBatch: 7,
      async flush(items: number[]) {
        expect(++running).toBeLessThanOrEqual(2);
        sizes.push(items.length);
        order.push(...items);
        await delay(1);
        running--;
        return double(items);
      },
    });
    const items = Array.from({ length: 50 }, (_, i) => i);
    expect(await Promise.all(items.map((item) => lane.submit(item)))).toEqual(double(items));
    expect(sizes).toEqual([1, 4, 7, 7, 7, 7, 7, 7, 3]);
    expect(order).toEqual(items);
  });

  it('runs each alone when they fail together, so that only the bad one fails', async () => {
    const batches: number[][] = [];
    const lane = createLane({
      maxBatch: 10,
      async flush(items: number[]) {
        batches.push(items);
        await delay(1);
        if (items.includes(3)) throw new RangeError('three');
        return double(items);
      },
    });
    const outcomes = await Promise.allSettled([1, 2, 3, 4].map((item) => lane.submit(item)));
    expect(outcomes).toEqual([
      { status: 'fulfilled', value: 2 },
      { status: 'fulfilled', value: 4 },
      { status: 'rejected', reason: new RangeError('three') },
      { status: 'fulfilled', value: 8 },
    ]);
    expect(batches).toEqual([[1], [2, 3, 4], [2], [3], [4]]);
    expect(await lane.submit(5)).toBe(10);
  });

  it('does not ask a database that is away once for each', async () => {
    let flushes = 0;
    const away = new DomainError('unavailable', 'database_unavailable', 'Away.');
    const lane = createLane({
      maxBatch: 10,
      async flush(): Promise<number[]> {
        flushes++;
        await delay(1);
        throw away;
      },
    });
    const outcomes = await Promise.allSettled([1, 2, 3, 4].map((item) => lane.submit(item)));
    expect(outcomes.map((outcome) => outcome.status === 'rejected' && outcome.reason)).toEqual(
      Array(4).fill(away),
    );
    expect(flushes).toBe(2);
  });

  it('goes on after a flush that throws before it waits', async () => {
    let bad = true;
    const lane = createLane({
      maxBatch: 10,
      flush(items: number[]) {
        if (bad) throw new RangeError('at once');
        return Promise.resolve(double(items));
      },
    });
    await expect(lane.submit(1)).rejects.toThrow('at once');
    bad = false;
    expect(await lane.submit(2)).toBe(4);
  });

  it('gives nobody the answer of another when answers are missing', async () => {
    const lane = createLane({
      maxBatch: 10,
      async flush(items: number[]) {
        await delay(1);
        return items.length > 1 ? double(items).slice(1) : double(items);
      },
    });
    expect(await Promise.all([1, 2, 3].map((item) => lane.submit(item)))).toEqual([2, 4, 6]);
    const mute = createLane({ maxBatch: 1, flush: async (): Promise<number[]> => [] });
    await expect(mute.submit(1)).rejects.toThrow('must answer each');
  });
});

describe('lanes', () => {
  it('do not wait for each other', async () => {
    const first = gatedFlush(double);
    const lanes = createLanes({
      maxBatch: 10,
      flush: (key, items: number[]) => (key === 'slow' ? first.flush(items) : Promise.resolve(double(items))),
    });
    const slow = lanes.submit('slow', 1);
    expect(await lanes.submit('fast', 2)).toBe(4);
    await first.letGo();
    expect(await slow).toBe(2);
  });

  it('never mix what belongs to two keys', async () => {
    const seen: string[] = [];
    const lanes = createLanes({
      maxBatch: 10,
      async flush(key, items: string[]) {
        await delay(1);
        for (const item of items) seen.push(`${key}${item[0]}`);
        return items;
      },
    });
    const items = Array.from({ length: 60 }, (_, i) => ['a', 'b', 'c'][i % 3] as string);
    const answers = await Promise.all(items.map((item, i) => lanes.submit(item, `${item}${i}`)));
    expect(answers).toEqual(items.map((item, i) => `${item}${i}`));
    expect(new Set(seen)).toEqual(new Set(['aa', 'bb', 'cc']));
  });

  it('close a batch only when its turn has come, where only so many may flush at once', async () => {
    const { batches, flush, letGo } = gatedFlush(double);
    const lanes = createLanes({ maxBatch: 10, atOnce: 1, flush: (_key, items: number[]) => flush(items) });
    const results = [lanes.submit('a', 1), lanes.submit('b', 10)];
    await delay(1);
    results.push(lanes.submit('b', 11), lanes.submit('c', 20), lanes.submit('b', 12));
    await delay(1);
    expect(batches).toEqual([[1]]);
    await letGo();
    expect(batches).toEqual([[1], [10, 11, 12]]);
    await letGo();
    expect(batches).toEqual([[1], [10, 11, 12], [20]]);
    await letGo();
    expect(await Promise.all(results)).toEqual([2, 20, 22, 40, 24]);
  });

  it('leave room again after a flush that failed', async () => {
    const lanes = createLanes({
      maxBatch: 10,
      atOnce: 1,
      flush: async (key, items: number[]) => {
        if (key === 'bad') throw new RangeError('bad');
        return double(items);
      },
    });
    await expect(lanes.submit('bad', 1)).rejects.toThrow('bad');
    expect(await lanes.submit('good', 2)).toBe(4);
  });

  it('start again after they were idle', async () => {
    const lanes = createLanes({ maxBatch: 10, flush: async (_key, items: number[]) => double(items) });
    for (let i = 0; i < 3; i++) expect(await lanes.submit('key', i)).toBe(i * 2);
    await expect(
      createLanes({
        maxBatch: 1,
        flush: async (): Promise<number[]> => {
          throw new RangeError('no');
        },
      }).submit('key', 1),
    ).rejects.toThrow('no');
  });
});
