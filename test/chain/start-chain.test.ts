import { afterAll, beforeAll, expect, it } from 'vitest';
import type { EmbeddedChain } from '../../src/main/embedded/start-chain.ts';
import { waitFor } from '../../src/platform/retry.ts';
import { startEmbeddedTestChain } from '../support/test-chain.ts';

let chain: EmbeddedChain;
beforeAll(async () => {
  chain = await startEmbeddedTestChain(5);
});
afterAll(() => chain.stop());

async function slot(): Promise<number> {
  const response = await fetch(chain.rpcUrl, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'getSlot', params: [{ commitment: 'processed' }] }),
    signal: AbortSignal.timeout(5_000),
  });
  return ((await response.json()) as { result: number }).result;
}

it('goes on for as long as it is let: nobody has to take the tidings of its slots', async () => {
  const first = await slot();
  const later = await waitFor(async () => (await slot()) > first + 1_500, {
    timeoutMs: 60_000,
    everyMs: 200,
  });
  expect(later).toBe(true);
}, 70_000);
