import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { Connection } from '@solana/web3.js';
import { runListener } from '../../listener/run-listener.ts';
import { createApp } from '../../src/api/app.ts';
import type { ChainReader } from '../../src/context.ts';
import { createChainReader } from '../../src/domain/chain/read/chain-reader.ts';
import { createRpc, type Rpc } from '../../src/domain/chain/rpc/rpc.ts';
import { fundedKeys } from '../../src/domain/chain/send/chain-context.ts';
import { openFileSigner } from '../../src/domain/chain/send/file-signer.ts';
import { createPayers } from '../../src/domain/chain/send/payers.ts';
import type { SendingContext } from '../../src/domain/chain/send/sending-context.ts';
import type { ListenerContext } from '../../src/domain/chain/sync/listener-context.ts';
import { initChain } from '../../src/main/init-chain.ts';
import { relayOutbox } from '../../src/platform/outbox-relay.ts';
import { waitFor } from '../../src/platform/retry.ts';
import { runMintWorker } from '../../src/workers/run-mint-worker.ts';
import { type RpcProxy, startRpcProxy } from './rpc-proxy.ts';
import { CHAIN_PATIENCE as PATIENCE, startTestChain, type TestChain } from './test-chain.ts';
import {
  createTestContext,
  createTestTenant,
  LOCAL_PROGRAM_ID,
  type TestContext,
  type TestTenant,
  testConfig,
} from './test-context.ts';

const SOL = 1_000_000_000;

/** Something that runs until it is stopped; `ended` rejects when it failed. */
export type Running = { stop(): Promise<void>; ended: Promise<void> };

/** The real chain with API, outbox relay and mint worker in this process. The listener is started by the test. */
export type ChainWorld = {
  ctx: TestContext;
  chainCtx: SendingContext;
  listenerCtx: ListenerContext;
  chain: TestChain;
  /** The node that everything of ours asks. */
  proxy: RpcProxy;
  /** What the API reads the chain with. */
  chainReader: ChainReader;
  /** Asks the chain directly. */
  connection: Connection;
  tenant: TestTenant;
  startWorker(): Running;
  startListener(options?: { newChain?: boolean; wsUrl?: string; ctx?: Partial<ListenerContext> }): Running;
  until<T>(what: string, probe: () => Promise<T | undefined | null | false>): Promise<T>;
  close(): Promise<void>;
};

/** @param env beside what tests have anyway */
export async function createChainWorld(env: Record<string, string> = {}): Promise<ChainWorld> {
  const [chain, folder] = await Promise.all([startTestChain(), mkdtemp(`${tmpdir()}/tessera-world-`)]);
  const proxy = await startRpcProxy(chain.rpcUrl);
  const ctx = await createTestContext({ rpcUrl: proxy.url, config: testConfig(env) });
  const signer = await openFileSigner(`${folder}/signer.json`);
  const keys = fundedKeys(ctx.config.CHAIN_PAYERS);
  await Promise.all(keys.map(async (key) => chain.fund(await signer.address(key), 1_000 * SOL)));
  await initChain({ rpcUrl: chain.rpcUrl, programId: LOCAL_PROGRAM_ID, signer });
  const rpc: Rpc = createRpc({ ...ctx, urls: [proxy.url] });
  const { app: db, relay, listener } = ctx.database;
  const signing = { ...ctx, db, relay, rpc, signer, programId: LOCAL_PROGRAM_ID };
  const chainCtx: SendingContext = { ...signing, payers: await createPayers(signing) };
  const listenerCtx: ListenerContext = { ...ctx, db: listener, rpc, programId: LOCAL_PROGRAM_ID };
  const chainReader = createChainReader(rpc, LOCAL_PROGRAM_ID);
  const app = createApp({ ...ctx, chain: chainReader });
  const running = new Set<Running>();

  function run(work: (signal: AbortSignal) => Promise<unknown>): Running {
    const stopping = new AbortController();
    const ended = work(stopping.signal).then(() => undefined);
    const handle: Running = {
      ended,
      async stop() {
        stopping.abort();
        running.delete(handle);
        await ended;
      },
    };
    // Whoever waits for `ended` sees the failure; nobody has to.
    ended.catch(() => undefined);
    running.add(handle);
    return handle;
  }

  return {
    ctx,
    chainCtx,
    listenerCtx,
    chain,
    proxy,
    chainReader,
    connection: new Connection(chain.rpcUrl, 'confirmed'),
    tenant: await createTestTenant(ctx, app),
    startWorker: () =>
      run((signal) =>
        Promise.all([
          relayOutbox({ ...ctx, db: relay, signal, idleMs: 20 }),
          runMintWorker({ ...chainCtx, bus: ctx.bus }, signal),
        ]),
      ),
    startListener: ({ newChain = false, wsUrl = chain.wsUrl, ctx: overrides = {} } = {}) =>
      run((signal) =>
        runListener(
          { ...listenerCtx, ...overrides },
          { wsUrl, signal, newChain, finalizeEveryMs: 100, leadEveryMs: 200 },
        ),
      ),
    async until(what, probe) {
      const value = await waitFor(probe, PATIENCE);
      if (value === undefined) throw new Error(`${what} did not come within ${PATIENCE.timeoutMs / 1000} s`);
      return value;
    },
    async close() {
      for (const handle of [...running]) await handle.stop().catch(() => undefined);
      await ctx.close();
      await proxy.close();
      chain.stop();
      await rm(folder, { recursive: true });
    },
  };
}
