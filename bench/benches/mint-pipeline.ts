import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { runListener } from '../../listener/run-listener.ts';
import { loadConfig } from '../../src/config.ts';
import { createRpc } from '../../src/domain/chain/rpc/rpc.ts';
import { openFileSigner } from '../../src/domain/chain/send/file-signer.ts';
import { createPayers } from '../../src/domain/chain/send/payers.ts';
import type { Signer } from '../../src/domain/chain/send/signer.ts';
import { topology } from '../../src/messages.ts';
import { createLocalBus } from '../../src/platform/bus-local.ts';
import { createMemoryCache } from '../../src/platform/cache-memory.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { createDb } from '../../src/platform/db.ts';
import { noFailpoints } from '../../src/platform/failpoints.ts';
import { createLogger } from '../../src/platform/logger.ts';
import { createMetrics } from '../../src/platform/metrics.ts';
import { relayOutbox } from '../../src/platform/outbox-relay.ts';
import { waitFor } from '../../src/platform/retry.ts';
import { runMintWorker } from '../../src/workers/run-mint-worker.ts';
import type { Bench } from '../support/bench.ts';
import { CHAIN_PROGRAM_ID, type ChainProcess, startChainProcess } from '../support/chain-process.ts';
import { ask } from '../support/load.ts';
import type { BenchDatabase, BenchServer } from '../support/postgres.ts';
import { purchaseOf } from '../support/sale.ts';
import { openScene } from '../support/scene.ts';
import { throwMints } from '../support/throw-mints.ts';

const TICKETS = 1_000;
const FEWER = 200;

export const mintPipeline: Bench = {
  name: 'mint-pipeline',
  what: 'tickets from paid order to recorded mint ÷ the same signed transactions thrown at the chain, embedded runtime',
  aim: 0.5,
  async run(server, effort, say) {
    const tickets = effort.quick ? FEWER : TICKETS;
    const folder = await mkdtemp(`${tmpdir()}/tessera-mints-`);
    const signer = await openFileSigner(`${folder}/signer.json`);
    const ratios: number[] = [];
    try {
      for (let round = 0; round <= effort.rounds; round++) {
        const recorded = await onNewChain(signer, (chain) => mintAll(server, signer, chain, tickets));
        const thrown = await onNewChain(signer, (chain) => throwMints({ signer, config }, chain, tickets));
        say(
          `${round === 0 ? 'warming up' : `round ${round}`}: ${recorded.toFixed(0)} tickets/s recorded ÷ ${thrown.toFixed(0)}/s thrown = ${(recorded / thrown).toFixed(2)}`,
        );
        if (round > 0) ratios.push(recorded / thrown);
      }
    } finally {
      await rm(folder, { recursive: true });
    }
    return ratios;
  },
};

const config = loadConfig(
  { JWT_ISSUER: 'bench', JWT_SECRET: 'x'.repeat(32), JWT_ALGORITHMS: 'HS256', ALLOW_TEST_PAYMENTS: 'true' },
  'up',
);

/** A chain grows slower with what it has seen, so each side of a round has a new one. */
async function onNewChain(signer: Signer, run: (chain: ChainProcess) => Promise<number>): Promise<number> {
  const chain = await startChainProcess(signer);
  try {
    return await run(chain);
  } finally {
    await chain.stop();
  }
}

/** Sells, and only then lets relay, mint worker and listener run: the time until the last ticket is active. */
async function mintAll(
  server: BenchServer,
  signer: Signer,
  chain: ChainProcess,
  tickets: number,
): Promise<number> {
  const scene = await openScene(server, { capacity: tickets });
  const { database, sales } = scene;
  const [sale] = sales;
  if (!sale) throw new Error('nothing is on sale');
  try {
    const tokens = scene.tokens.get(sale.tenantId) ?? [];
    await Promise.all(
      tokens.map(async (token, at) => {
        for (let n = at; n < tickets; n += tokens.length) {
          const { status } = await ask(scene.api.caller(at), purchaseOf(sale, token));
          if (status !== 201) throw new Error(`a purchase was answered ${status}`);
        }
      }),
    );
    const stop = new AbortController();
    const begin = performance.now();
    const running = runPipeline(database, signer, chain, stop.signal);
    const all = await waitFor(async () => (await countActive(database)) >= tickets, {
      timeoutMs: 300_000,
      everyMs: 50,
    });
    const seconds = (performance.now() - begin) / 1_000;
    stop.abort();
    await running;
    if (!all) throw new Error(`${await countActive(database)} of ${tickets} tickets were minted in 300 s`);
    await assertOnce(database, tickets);
    return tickets / seconds;
  } finally {
    await scene.api.stop();
    await database.drop();
  }
}

async function runPipeline(
  database: BenchDatabase,
  signer: Signer,
  chain: ChainProcess,
  signal: AbortSignal,
): Promise<void> {
  const log = createLogger({ level: 'error', process: 'bench' });
  const metrics = createMetrics();
  const cache = createMemoryCache();
  const bus = createLocalBus({ topology, log });
  const open = (user: string) =>
    createDb({ url: database.url(user), poolSize: 10, log, applicationName: 'bench' });
  const [db, relay, listener] = [open('tessera_app'), open('tessera_relay'), open('tessera_listener')];
  const rpc = createRpc({ urls: [chain.rpcUrl], cache, log, metrics });
  const base = { config, log, metrics, cache, clock: systemClock, failpoints: noFailpoints, rpc };
  const programId = CHAIN_PROGRAM_ID;
  for (const queue of [
    'ticket.capacity.updates',
    'ticket.transactions',
    'payments',
    'notifications',
    'analytics',
  ])
    await bus.subscribe(queue, { prefetch: 1_000, signal }, async () => 'done');
  const sending = { ...base, db, relay, signer, programId };
  await Promise.all([
    relayOutbox({ ...base, db: relay, bus, signal, idleMs: 20 }),
    runMintWorker({ ...sending, bus, payers: await createPayers(sending) }, signal),
    runListener({ ...base, db: listener, programId }, { wsUrl: chain.wsUrl, signal }),
  ]);
  await bus.close();
  await Promise.all([db.close(), relay.close(), listener.close(), rpc.close()]);
}

async function countActive({ owner }: BenchDatabase): Promise<number> {
  const { rows } = await owner.query(`select count(*)::integer as n from tickets where status = 'active'`);
  return rows[0].n;
}

/** @throws Error when a ticket was minted twice or not at all */
async function assertOnce({ owner }: BenchDatabase, tickets: number): Promise<void> {
  const { rows } = await owner.query(
    `select count(distinct nft_mint)::integer as mints,
       (select count(*)::integer from blockchain_sync where kind = 'ticket_minted') as entries from tickets`,
  );
  if (rows[0].mints !== tickets || rows[0].entries !== tickets)
    throw new Error(`${tickets} tickets have ${rows[0].mints} mints and ${rows[0].entries} entries`);
}
