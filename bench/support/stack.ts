import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { findPort } from '../../src/main/embedded/find-port.ts';
import { startChain } from '../../src/main/embedded/start-chain.ts';
import { waitFor } from '../../src/platform/retry.ts';
import { deleteTopology } from '../../test/support/delete-topology.ts';
import { type Child, runChild } from '../../test/support/run-child.ts';
import { startTestValidator } from '../../test/support/test-validator.ts';
import { identity } from './api.ts';
import type { BenchDatabase } from './postgres.ts';

/** The four processes as they run in production, on a chain of their own. */
export type BenchStack = { url: string; rpcUrl: string; tenantId: string; stop(): Promise<void> };

const PROGRAM = 'TesseraTicket111111111111111111111111111111';
const AIRDROP_SOL = '1000';
const soPath = fileURLToPath(new URL('../../programs/ticketing/ticketing.so', import.meta.url));
const scripts = ['src/main/api.ts', 'src/main/background.ts', 'src/main/mint-worker.ts', 'listener/main.ts'];

/** Needs RabbitMQ and Redis, by AMQP_URL and REDIS_URL or where they usually listen. */
export async function startBenchStack(
  database: BenchDatabase,
  chainKind: 'validator' | 'embedded',
): Promise<BenchStack> {
  const amqp = process.env.AMQP_URL ?? 'amqp://guest:guest@127.0.0.1:5672';
  const folder = await mkdtemp(`${tmpdir()}/tessera-bench-`);
  const chain =
    chainKind === 'validator'
      ? await startTestValidator({ [PROGRAM]: soPath })
      : await startChain({ programId: PROGRAM, soPath, slotTimeMs: 400 });
  const space = `bench-${randomBytes(4).toString('hex')}`;
  const port = await findPort(18_700);
  const url = `http://127.0.0.1:${port}`;
  const env = {
    NODE_ENV: 'test',
    LOG_LEVEL: 'warn',
    HTTP_PORT: String(port),
    PUBLIC_URL: url,
    RATE_LIMIT_PER_MINUTE: '1000000',
    DATABASE_URL: database.url('tessera_app'),
    DATABASE_RELAY_URL: database.url('tessera_relay'),
    DATABASE_LISTENER_URL: database.url('tessera_listener'),
    AMQP_URL: amqp,
    AMQP_NAMESPACE: `${space}.`,
    REDIS_URL: process.env.REDIS_URL ?? 'redis://127.0.0.1:6379',
    REDIS_PREFIX: `${space}:`,
    CHAIN_RPC_URL: chain.rpcUrl,
    CHAIN_WS_URL: chain.wsUrl,
    CHAIN_PROGRAM_ID: PROGRAM,
    CHAIN_AIRDROP_SOL: AIRDROP_SOL,
    SIGNER_KEY_FILE: `${folder}/signer.json`,
    MAIL_FOLDER: `${folder}/mail`,
    QR_MASTER_KEYS: `1:${randomBytes(32).toString('base64')}`,
    ...identity,
  };
  const children: Child[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(children.map((child) => child.stop()));
    chain.stop();
    await rm(folder, { recursive: true });
    await deleteTopology(amqp, `${space}.`);
  };
  try {
    await run('src/main/setup-chain.ts', env);
    const opened = await run('src/main/create-tenant.ts', env, ['Bench']);
    children.push(...scripts.map((script) => runChild(script, env)));
    await untilReady(url, children);
    return { url, rpcUrl: chain.rpcUrl, tenantId: /tenant (\S+)/.exec(opened)?.[1] ?? '', stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function run(script: string, env: Record<string, string>, args: string[] = []): Promise<string> {
  const child = runChild(script, env, args);
  if ((await child.ended) !== 0) throw new Error(`${script}: ${child.output()}`);
  return child.output();
}

async function untilReady(url: string, children: Child[]): Promise<void> {
  const isReady = () =>
    fetch(`${url}/health/ready`).then(
      (response) => response.ok,
      () => false,
    );
  if (await waitFor(isReady, { timeoutMs: 60_000, everyMs: 200 })) return;
  throw new Error(
    `the processes did not become ready\n${children.map((child) => child.output()).join('\n')}`,
  );
}
