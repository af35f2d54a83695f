import { afterEach, describe, expect, it } from 'vitest';
import { createRpc } from '../../../src/domain/chain/rpc/rpc.ts';
import { RpcRefusal } from '../../../src/domain/chain/rpc/rpc-error.ts';
import { createMemoryCache } from '../../../src/platform/cache-memory.ts';
import { createLogger } from '../../../src/platform/logger.ts';
import { createMetrics } from '../../../src/platform/metrics.ts';
import { GENESIS, type Raw, type Script, startScriptedNode } from '../../support/scripted-node.ts';

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function node(script: Script) {
  const started = await startScriptedNode(script);
  closers.push(started.close);
  return started;
}

function rpcOf(urls: string[], genesisHash?: string) {
  const log = createLogger({ level: 'silent', process: 'test' });
  const rpc = createRpc({ urls, genesisHash, cache: createMemoryCache(), log, metrics: createMetrics() });
  closers.push(() => rpc.close());
  return rpc;
}

const slotOf =
  (slot: number): Script =>
  ({ method }) =>
    method === 'getSlot' ? slot : null;
const causeOf = (error: { cause?: { message: string } }) => error.cause?.message;
const firstSlot = (rpc: ReturnType<typeof rpcOf>) => rpc.ask((one) => one.getSlot('confirmed'));

async function failureUnder(raw: Raw): Promise<string | undefined> {
  const one = await node(slotOf(7));
  one.raw = raw;
  return causeOf(await firstSlot(rpcOf([one.url])).catch((error) => error));
}

describe('one node', () => {
  it('asks which chain it is before anything else, once', async () => {
    const one = await node(slotOf(7));
    const rpc = rpcOf([one.url]);
    expect(await firstSlot(rpc)).toBe(7);
    await firstSlot(rpc);
    expect(one.asked.map(({ method }) => method)).toEqual(['getGenesisHash', 'getSlot', 'getSlot']);
    expect(await rpc.genesis()).toBe(GENESIS);
  });

  it('says in one sentence what is wrong with an answer', async () => {
    const answer =
      (status: number, headers: Record<string, string>, body: string): Raw =>
      (_, response) => {
        response.writeHead(status, headers).end(body);
        return true;
      };
    expect(await failureUnder(answer(200, {}, '<html>busy</html>'))).toMatch(
      /no JSON \(200, 17 characters\)/,
    );
    expect(await failureUnder(answer(200, {}, '"words"'))).toMatch(/no JSON-RPC/);
    expect(await failureUnder(answer(307, { location: 'https://else.where' }, ''))).toMatch(
      /redirects \(307\); give/,
    );
    expect(await failureUnder(answer(403, {}, ''))).toMatch(/demands a key \(403\)/);
    expect(await failureUnder(answer(429, { 'retry-after': '3' }, ''))).toMatch(/too many requests/);
    expect(await failureUnder(answer(200, {}, '{"jsonrpc":"2.0","id":99,"result":"x"}'))).toMatch(
      /another question/,
    );
  });

  it('cuts an answer off that is larger than any that was asked for', async () => {
    const sent = { bytes: 0 };
    const message = await failureUnder((_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      const chunk = Buffer.alloc(1 << 20, 0x20);
      const pour = (): void => {
        while (!response.destroyed && sent.bytes < 256 << 20) {
          sent.bytes += chunk.length;
          if (!response.write(chunk)) return void response.once('drain', pour);
        }
        response.end();
      };
      pour();
      return true;
    });
    expect(message).toMatch(/does not answer/);
    expect(sent.bytes).toBeLessThan(64 << 20);
  });

  it('takes the answers of a batch by their ids, and asks one by one where batches are refused', async () => {
    const script: Script = ({ method, params }) =>
      method === 'getTransaction' ? { slot: Number(params[0]) } : null;
    const batching = await node(script);
    const signatures = Array.from({ length: 130 }, (_, i) => `${i}`);
    const shown = await rpcOf([batching.url]).ask((one) => one.getTransactions(signatures));
    expect(shown.map((one) => one && 'slot' in one && one.slot)).toEqual(signatures.map(Number));
    expect(batching.requests).toBe(1 + 3);

    const single = await node(script);
    single.raw = (body, response) => {
      if (!body.startsWith('[')) return false;
      response.writeHead(400).end('{"error":{"code":-32600,"message":"no batches"}}');
      return true;
    };
    const rpc = rpcOf([single.url]);
    const again = await rpc.ask((one) => one.getTransactions(signatures));
    expect(again.map((one) => one && 'slot' in one && one.slot)).toEqual(signatures.map(Number));
    const before = single.requests;
    await rpc.ask((one) => one.getTransactions(signatures.slice(0, 5)));
    expect(single.requests - before).toBe(5);
  });

  it('passes a refusal on, and does not take it for a failure of the node', async () => {
    const one = await node(({ method }) => {
      if (method !== 'getTransaction') return null;
      throw { code: -32015, message: 'Transaction version (1) is not supported' };
    });
    const rpc = rpcOf([one.url]);
    for (let i = 0; i < 10; i++) {
      const [shown] = await rpc.ask((asked) => asked.getTransactions(['one']));
      expect(shown).toBeInstanceOf(RpcRefusal);
    }
    expect(rpc.health()).toEqual([{ name: expect.stringMatching(/^127/), state: 'well' }]);
  });
});

describe('several nodes', () => {
  it('asks the next one when the first does not answer, is overloaded or behind', async () => {
    const good = await node(slotOf(9));
    const behind = await node(({ method }) => {
      if (method === 'getGenesisHash') return null;
      throw { code: -32005, message: 'Node is behind by 400 slots' };
    });
    const busy = await node(slotOf(8));
    busy.raw = (_, response) => {
      response.writeHead(429, { 'retry-after': '30' }).end();
      return true;
    };
    const rpc = rpcOf(['http://127.0.0.1:1', busy.url, behind.url, good.url]);
    expect(await firstSlot(rpc)).toBe(9);
    const asked = busy.requests;
    expect(await firstSlot(rpc)).toBe(9);
    // It said for how long it wants to be left alone.
    expect(busy.requests).toBe(asked);
    expect(rpc.health().map(({ state }) => state)).toEqual(['well', 'resting', 'well', 'well']);
  });

  it('never asks a node of another chain, and says which when there is no other', async () => {
    const other = await node(({ method }) => (method === 'getGenesisHash' ? 'AnotherGenesis' : 1));
    const ours = await node(slotOf(5));
    const rpc = rpcOf([other.url, ours.url], GENESIS);
    expect(await firstSlot(rpc)).toBe(5);
    expect(other.asked.map(({ method }) => method)).toEqual(['getGenesisHash']);
    expect(rpc.health()[0]).toMatchObject({ state: 'wrong_chain' });
    await expect(rpcOf([other.url], GENESIS).genesis()).rejects.toThrow(
      /genesis hash AnotherGenesis, and ours is GenesisOf/,
    );
  });
});
