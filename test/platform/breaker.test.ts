import { setTimeout as delay } from 'node:timers/promises';
import { beforeEach, expect, it } from 'vitest';
import { type Breaker, createBreaker } from '../../src/platform/breaker.ts';
import { circuitKey } from '../../src/platform/cache.ts';
import { createMemoryCache } from '../../src/platform/cache-memory.ts';
import { createMetrics } from '../../src/platform/metrics.ts';
import { log } from './support/open-bus.ts';

const REST_MS = 250;
const refused = { kind: 'unavailable', code: 'rpc_unavailable', details: { retryAfter: 5 } };

let breaker: Breaker;
let calls: number;
const cache = createMemoryCache();
const metrics = createMetrics();

beforeEach(() => {
  calls = 0;
  breaker = createBreaker({ service: 'rpc', cache, log, metrics, threshold: 3, restMs: REST_MS });
});

const good = () =>
  breaker.run(async () => {
    calls++;
    return 'answer';
  });
const bad = () =>
  breaker.run(async () => {
    calls++;
    throw new RangeError('down');
  });
const isShown = async () => ({
  cache: JSON.parse((await cache.get(circuitKey('rpc'))) ?? '{}').state,
  metric: (await metrics.circuitOpen.get()).values[0]?.value,
});

async function breakIt(): Promise<void> {
  for (let i = 0; i < 3; i++) await expect(bad()).rejects.toThrow('down');
}

it('hands on answers and failures while the service is well enough', async () => {
  expect(await good()).toBe('answer');
  for (let i = 0; i < 10; i++) {
    await expect(bad()).rejects.toThrow('down');
    await expect(bad()).rejects.toThrow('down');
    expect(await good()).toBe('answer');
  }
  expect(breaker.isOpen()).toBe(false);
});

it('stops asking after so many failures in a row, and says so', async () => {
  await breakIt();
  expect(breaker.isOpen()).toBe(true);
  for (let i = 0; i < 5; i++) await expect(good()).rejects.toMatchObject(refused);
  expect(calls).toBe(3);
  expect(await isShown()).toEqual({ cache: 'open', metric: 1 });
});

it('lets one call try after the rest, and all when that one was answered', async () => {
  await breakIt();
  await delay(REST_MS + 10);
  let answer = (_text: string) => {};
  const probe = breaker.run(() => {
    calls++;
    return new Promise<string>((resolve) => {
      answer = resolve;
    });
  });
  for (let i = 0; i < 5; i++) await expect(good()).rejects.toMatchObject(refused);
  expect(calls).toBe(4);
  answer('back');
  expect(await probe).toBe('back');
  expect(await good()).toBe('answer');
  expect(await isShown()).toEqual({ cache: 'closed', metric: 0 });
});

it('rests again when the one that tried failed', async () => {
  await breakIt();
  await delay(REST_MS + 10);
  await expect(bad()).rejects.toThrow('down');
  await expect(good()).rejects.toMatchObject(refused);
  expect(calls).toBe(4);
  await delay(REST_MS + 10);
  expect(await good()).toBe('answer');
});
