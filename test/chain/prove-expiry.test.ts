import { afterEach, describe, expect, it } from 'vitest';
import { createRpc } from '../../src/domain/chain/rpc/rpc.ts';
import { proveExpiry } from '../../src/domain/chain/send/prove-expiry.ts';
import { createMemoryCache } from '../../src/platform/cache-memory.ts';
import { createLogger } from '../../src/platform/logger.ts';
import { createMetrics } from '../../src/platform/metrics.ts';
import { startScriptedNode } from '../support/scripted-node.ts';

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

/** How far a node is, and what it shows. Its slots run 1,000 ahead of its block heights. */
type View = { height: number; status?: boolean; account?: boolean };
const LAST_VALID = 500;

async function proof(...views: View[]) {
  const urls = await Promise.all(
    views.map(async ({ height, status, account }) => {
      const slot = height + 1_000;
      const node = await startScriptedNode(({ method, params }) => {
        const each = (there: unknown) => ({
          context: { slot },
          value: (params[0] as string[]).map(() => there ?? null),
        });
        if (method === 'getBlockHeight') return height;
        if (method === 'getSlot') return slot;
        if (method === 'getSignatureStatuses')
          return each(
            status && { slot: slot - 5, confirmations: 5, err: null, confirmationStatus: 'confirmed' },
          );
        if (method === 'getMultipleAccounts')
          return each(account && { owner: 'program', lamports: 1, data: ['', 'base64'] });
        return null;
      });
      closers.push(node.close);
      return node.url;
    }),
  );
  const log = createLogger({ level: 'silent', process: 'test' });
  const rpc = createRpc({ urls, cache: createMemoryCache(), log, metrics: createMetrics() });
  closers.push(() => rpc.close());
  const [answer] = await proveExpiry(rpc, [
    { signature: 'one', lastValid: BigInt(LAST_VALID), account: 'address' },
  ]);
  return answer;
}

describe('that a transaction can never land any more', () => {
  it('is proven by a final chain past its last block that knows neither it nor what it makes', async () => {
    expect(await proof({ height: LAST_VALID + 1 })).toBe('expired');
    expect(await proof({ height: LAST_VALID + 1 }, { height: LAST_VALID + 40 })).toBe('expired');
  });

  it('is not proven in the last block in which it may land', async () => {
    expect(await proof({ height: LAST_VALID })).toBe('unknown');
  });

  it('is not proven by one node of two, when the other is behind', async () => {
    expect(await proof({ height: LAST_VALID + 1 }, { height: LAST_VALID - 100 })).toBe('unknown');
  });

  it('is not proven while any node knows the transaction', async () => {
    expect(await proof({ height: LAST_VALID + 1, status: true })).toBe('unknown');
    expect(await proof({ height: LAST_VALID + 1 }, { height: LAST_VALID + 1, status: true })).toBe('unknown');
  });

  it('is wrong when any node shows what the transaction makes', async () => {
    expect(await proof({ height: LAST_VALID + 1, account: true })).toBe('landed');
    expect(await proof({ height: LAST_VALID + 1 }, { height: LAST_VALID + 1, account: true })).toBe('landed');
  });
});
