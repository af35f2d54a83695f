import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { createFailpoints, noFailpoints } from '../../src/platform/failpoints.ts';
import { periodic } from '../../src/platform/periodic.ts';
import { backoff, sleep, waitFor } from '../../src/platform/retry.ts';
import { log } from './support/open-bus.ts';

describe('a periodic task', () => {
  it('runs at once and again, never twice at the same time, until it is stopped', async () => {
    const stop = new AbortController();
    let [runs, running] = [0, 0];
    const ended = periodic('test', { everyMs: 5, log, signal: stop.signal }, async () => {
      expect(++running).toBe(1);
      runs++;
      await delay(15);
      running--;
    });
    expect(runs).toBe(1);
    await expect.poll(() => runs, { interval: 2 }).toBe(4);
    stop.abort();
    await ended;
    expect(running).toBe(0);
    const after = runs;
    await delay(30);
    expect(runs).toBe(after);
  });

  it('goes on after a run that failed', async () => {
    const stop = new AbortController();
    let runs = 0;
    const ended = periodic('test', { everyMs: 1, log, signal: stop.signal }, async () => {
      if (++runs < 5) throw new Error('no');
      stop.abort();
    });
    await ended;
    expect(runs).toBe(5);
  });

  it('ends its pause at once when it is stopped', async () => {
    const stop = new AbortController();
    const ended = periodic('test', { everyMs: 60_000, log, signal: stop.signal }, async () => undefined);
    await delay(10);
    const started = performance.now();
    stop.abort();
    await ended;
    expect(performance.now() - started).toBeLessThan(1_000);
  });

  it('never runs when it was stopped before it began', async () => {
    let runs = 0;
    await periodic('test', { everyMs: 1, log, signal: AbortSignal.abort() }, async () => {
      runs++;
    });
    expect(runs).toBe(0);
  });
});

describe('waiting', () => {
  it('before another attempt doubles up to the cap, with full jitter', () => {
    const longest = (attempt: number) => backoff(attempt, 100, 3_000, () => 1);
    expect([1, 2, 3, 4, 5, 6, 7, 1_000].map(longest)).toEqual([
      100, 200, 400, 800, 1_600, 3_000, 3_000, 3_000,
    ]);
    expect(backoff(5, 100, 3_000, () => 0)).toBe(0);
    for (let i = 0; i < 100; i++) expect(backoff(3, 100, 3_000)).toBeLessThanOrEqual(400);
  });

  it('says whether it was waited out', async () => {
    expect(await sleep(1)).toBe(true);
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 5);
    expect(await sleep(60_000, stop.signal)).toBe(false);
    expect(await sleep(60_000, AbortSignal.abort())).toBe(false);
  });

  it('for something ends with it, with the time, or with the signal', async () => {
    let asked = 0;
    expect(await waitFor(async () => ++asked === 3 && 'there', { timeoutMs: 1_000, everyMs: 1 })).toBe(
      'there',
    );
    expect(asked).toBe(3);
    expect(await waitFor(async () => 0, { timeoutMs: 10, everyMs: 1 })).toBe(0);
    expect(await waitFor(async () => null, { timeoutMs: 10, everyMs: 1 })).toBeUndefined();
    const signal = AbortSignal.timeout(5);
    expect(await waitFor(async () => false, { timeoutMs: 60_000, everyMs: 60_000, signal })).toBeUndefined();
    await expect(waitFor(() => Promise.reject(new Error('no')), { timeoutMs: 1_000 })).rejects.toThrow('no');
  });
});

describe('a failpoint', () => {
  it('does what it was armed with, and nothing elsewhere', async () => {
    const failpoints = createFailpoints('relay.published=throw,mint.sent=hang');
    await expect(failpoints.hit('relay.published')).rejects.toThrow('failpoint relay.published');
    expect(await Promise.race([failpoints.hit('mint.sent'), sleep(20)])).toBe(true);
    await failpoints.hit('anything.else');
    await noFailpoints.hit('relay.published');
  });
});
