import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { findPort } from '../../src/main/embedded/find-port.ts';
import { waitFor } from '../../src/platform/retry.ts';
import { type Child, runChild } from '../support/run-child.ts';
import { LOCAL_PROGRAM_ID } from '../support/test-context.ts';

vi.setConfig({ testTimeout: 60_000 });

let folder: string;
let env: Record<string, string>;
const started: Child[] = [];

beforeAll(async () => {
  folder = await mkdtemp(`${tmpdir()}/tessera chain `);
  const [rpc, ws] = [await findPort(18_700), await findPort(18_750)];
  env = {
    DATA_FOLDER: folder,
    CHAIN_RPC_URL: `http://127.0.0.1:${rpc}`,
    CHAIN_WS_URL: `ws://127.0.0.1:${ws}`,
  };
});
afterEach(async () => {
  await Promise.all(started.splice(0).map((child) => child.stop('SIGKILL')));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** `npm run chain`, until it is up or has ended. */
async function startAlone(more: Record<string, string> = {}): Promise<Child> {
  const child = runChild('src/main/chain.ts', { ...env, ...more });
  started.push(child);
  const up = waitFor(async () => child.output().includes('CHAIN_PROGRAM_ID='), { timeoutMs: 30_000 });
  await Promise.race([up, child.ended]);
  return child;
}

async function setUp(): Promise<string> {
  const given = { ...env, CHAIN_PROGRAM_ID: LOCAL_PROGRAM_ID, SIGNER_KEY_FILE: `${folder}/signer.json` };
  const child = runChild('src/main/setup-chain.ts', { ...given, CHAIN_AIRDROP_SOL: '10' });
  expect(await child.ended, child.output()).toBe(0);
  return child.output();
}

it('is a node with the program at the two addresses, and keeps its accounts over a stop', async () => {
  const first = await startAlone();
  expect(first.output()).toContain(`CHAIN_RPC_URL=${env.CHAIN_RPC_URL}\nCHAIN_WS_URL=${env.CHAIN_WS_URL}\n`);
  expect(await setUp()).toContain('the program is configured');
  const socket = new WebSocket(env.CHAIN_WS_URL ?? '');
  await once(socket, 'open');
  socket.send(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'slotSubscribe' }));
  const told: string[] = [];
  socket.addEventListener('message', ({ data }) => told.push(String(data)));
  await expect.poll(() => told.join()).toContain('slotNotification');
  socket.close();
  expect(await first.stop('SIGINT'), first.output()).toBe(0);

  const second = await startAlone();
  expect(second.output()).toContain('npm run listener -- --new-chain');
  expect(await setUp()).toContain('was configured before');
  expect(await second.stop('SIGTERM'), second.output()).toBe(0);
});

it('is refused in a sentence beside another in the same folder, or where a port is taken', async () => {
  const first = await startAlone();
  const beside = await startAlone();
  expect(await beside.ended).toBe(1);
  expect(beside.output()).toContain(`Another Tessera runs in ${folder}/chain`);
  expect(await first.stop('SIGINT')).toBe(0);

  const port = await findPort(18_780);
  const taken = createServer().listen(port, '127.0.0.1');
  await once(taken, 'listening');
  try {
    const refused = await startAlone({ CHAIN_WS_URL: `ws://127.0.0.1:${port}` });
    expect(await refused.ended).toBe(1);
    expect(refused.output()).toContain(
      `Port ${port} is in use by another program; set CHAIN_WS_URL to a free one.`,
    );
  } finally {
    taken.close();
  }
  const elsewhere = await startAlone({ CHAIN_RPC_URL: 'https://api.devnet.solana.com' });
  expect(await elsewhere.ended).toBe(1);
  expect(elsewhere.output()).toContain('CHAIN_RPC_URL must be at a port of 127.0.0.1');
});
