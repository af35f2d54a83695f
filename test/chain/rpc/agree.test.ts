import { afterEach, describe, expect, it } from 'vitest';
import { agreeOnAccounts, agreeOnStatuses } from '../../../src/domain/chain/rpc/agree.ts';
import { createRpc } from '../../../src/domain/chain/rpc/rpc.ts';
import { createMemoryCache } from '../../../src/platform/cache-memory.ts';
import { createLogger } from '../../../src/platform/logger.ts';
import { createMetrics } from '../../../src/platform/metrics.ts';
import { startScriptedNode } from '../../support/scripted-node.ts';

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

/** What a node believes: how far it is, and whether the thing is there. */
type Belief = { finalized: number; there?: 'finalized' | 'confirmed'; away?: true };
const SEEN = 100;

async function rpcOf(...beliefs: Belief[]) {
  const urls: string[] = [];
  for (const { finalized, there, away } of beliefs) {
    const node = await startScriptedNode(({ method, params }) => {
      const many = params[0] as string[];
      const status = there && {
        slot: SEEN,
        confirmations: null,
        err: null,
        confirmationStatus: there,
      };
      const account = there && { owner: 'program', lamports: 1, data: ['', 'base64'] };
      if (method === 'getSlot') return finalized;
      if (method === 'getSignatureStatuses')
        return { context: { slot: finalized + 32 }, value: many.map(() => status ?? null) };
      if (method === 'getMultipleAccounts')
        return { context: { slot: finalized }, value: many.map(() => account ?? null) };
      return null;
    });
    closers.push(node.close);
    urls.push(away ? 'http://127.0.0.1:1' : node.url);
  }
  const log = createLogger({ level: 'silent', process: 'test' });
  const rpc = createRpc({ urls, cache: createMemoryCache(), log, metrics: createMetrics() });
  closers.push(() => rpc.close());
  return rpc;
}

const account = async (...beliefs: Belief[]) =>
  (await agreeOnAccounts(await rpcOf(...beliefs), ['address'], { minSlot: SEEN }))[0];
const status = async (...beliefs: Belief[]) => {
  const [agreed] = await agreeOnStatuses(await rpcOf(...beliefs), [{ signature: 'one', slot: SEEN }]);
  return typeof agreed === 'object' ? agreed.known.confirmationStatus : agreed;
};

describe('what nodes say of an account', () => {
  it('takes one null for nothing when the node has not come far enough', async () => {
    expect(await account({ finalized: SEEN - 1 })).toBe('unknown');
    expect(await account({ finalized: SEEN })).toBe('absent');
  });

  it('needs two that looked late enough where several are configured', async () => {
    expect(await account({ finalized: SEEN }, { finalized: SEEN })).toBe('absent');
    expect(await account({ finalized: SEEN }, { finalized: SEEN - 50 })).toBe('unknown');
    expect(await account({ finalized: SEEN }, { finalized: SEEN, away: true })).toBe('unknown');
  });

  it('believes who shows it, however many do not', async () => {
    const lying = { finalized: SEEN + 10 };
    expect(await account(lying, lying, { finalized: SEEN, there: 'finalized' })).toMatchObject({
      known: { owner: 'program' },
      slot: SEEN,
    });
    expect(await account(lying, { finalized: SEEN - 1, there: 'finalized' })).toBe('unknown');
  });
});

describe('what nodes say of a transaction', () => {
  it('does not take the silence of a lagging node for a fork', async () => {
    expect(await status({ finalized: SEEN - 1 })).toBe('unknown');
    expect(await status({ finalized: SEEN })).toBe('absent');
    expect(await status({ finalized: SEEN }, { finalized: SEEN - 1 })).toBe('unknown');
    expect(await status({ finalized: SEEN }, { finalized: SEEN })).toBe('absent');
  });

  it('calls final only what two nodes call so, or the only one', async () => {
    const final = { finalized: SEEN, there: 'finalized' } as const;
    expect(await status(final)).toBe('finalized');
    expect(await status(final, { finalized: SEEN, there: 'confirmed' })).toBe('confirmed');
    expect(await status(final, { finalized: SEEN })).toBe('confirmed');
    expect(await status(final, final, { finalized: 1 })).toBe('finalized');
    // It says that it is final, and of itself that it has not come so far.
    expect(await status({ finalized: SEEN - 1, there: 'finalized' })).toBe('confirmed');
  });
});
