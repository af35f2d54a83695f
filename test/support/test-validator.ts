import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Connection, PublicKey } from '@solana/web3.js';
import { REALLOC_FEATURE } from '../../src/main/probe-token-2022.ts';
import { sleep, waitFor } from '../../src/platform/retry.ts';
import { findValidator } from './find-validator.ts';

export type TestValidator = {
  rpcUrl: string;
  wsUrl: string;
  fund(address: string, lamports: number): Promise<void>;
  /** Ends the process that was started, and removes its ledger. */
  stop(): void;
};

const ATTEMPTS = 3;
const START_MS = 60_000;

/**
 * solana-test-validator with programs by address, on ports that are free, in a folder that is removed when it stops.
 * Slots are 400 ms, as on the networks. Another process may take a port in between, so it is tried with others.
 * @param features that are switched off; by default the one that breaks its own Token-2022
 */
export async function startTestValidator(
  programs: { [address: string]: string },
  features: readonly string[] = [REALLOC_FEATURE],
): Promise<TestValidator> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await startOnce(programs, features);
    } catch (error) {
      if (attempt === ATTEMPTS) throw error;
    }
  }
}

async function startOnce(
  programs: { [address: string]: string },
  features: readonly string[],
): Promise<TestValidator> {
  const found = findValidator();
  if ('missing' in found) throw new Error(found.missing);
  const folder = mkdtempSync(join(tmpdir(), 'tessera-validator-'));
  const port = await freePorts();
  const flags = ['--quiet', '--ledger', join(folder, 'ledger'), '--rpc-port', `${port}`];
  const ports = ['--faucet-port', `${port + 2}`, '--gossip-port', `${port + 3}`];
  const range = ['--dynamic-port-range', `${port + 4}-${port + PORTS - 1}`];
  const more = [
    ...Object.entries(programs).flatMap(([address, file]) => ['--bpf-program', address, file]),
    ...features.flatMap((feature) => ['--deactivate-feature', feature]),
  ];
  const child = spawn(found.command, [...flags, ...ports, ...range, ...more], { stdio: 'ignore' });
  const stop = (): void => {
    process.off('exit', stop);
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  };
  // A test process that ends early takes its validator along.
  process.on('exit', stop);
  const rpcUrl = `http://127.0.0.1:${port}`;
  const connection = new Connection(rpcUrl, 'confirmed');
  const up = await waitFor(async () => hasEnded(child) || (await isUsable(connection)), {
    timeoutMs: START_MS,
    everyMs: 200,
  });
  if (!up || hasEnded(child)) {
    const log = readLog(join(folder, 'ledger', 'validator.log'));
    stop();
    throw new Error(`solana-test-validator did not come up within ${START_MS / 1000} s\n${log}`);
  }
  return {
    rpcUrl,
    wsUrl: `ws://127.0.0.1:${port + 1}`,
    fund: (address, lamports) => fund(connection, address, lamports),
    stop,
  };
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

async function isUsable(connection: Connection): Promise<boolean> {
  return (await connection.getSlot('confirmed').catch(() => 0)) > 1;
}

/** The faucet may be a moment later than the first slot. */
async function fund(connection: Connection, address: string, lamports: number): Promise<void> {
  const owner = new PublicKey(address);
  const before = await connection.getBalance(owner, 'confirmed');
  for (let attempt = 1; ; attempt++) {
    try {
      await connection.requestAirdrop(owner, lamports);
      break;
    } catch (error) {
      if (attempt === 10) throw error;
      await sleep(500);
    }
  }
  const paid = await waitFor(async () => (await connection.getBalance(owner, 'confirmed')) > before, {
    timeoutMs: 60_000,
    everyMs: 100,
  });
  if (!paid) throw new Error(`the faucet did not pay ${address}`);
}

/** RPC, WebSocket, faucet and gossip, then what the validator takes for itself: at least 13. */
const PORTS = 40;

/** The first of as many neighbouring ports that are free, below those that the system gives to whoever asks. */
async function freePorts(): Promise<number> {
  for (;;) {
    const first = randomInt(12_000, 31_000);
    const free = await Promise.all(
      Array.from({ length: PORTS }, async (_, i) => (await isTcpFree(first + i)) && isUdpFree(first + i)),
    );
    if (free.every(Boolean)) return first;
  }
}

function isTcpFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '0.0.0.0', () => server.close(() => resolve(true)));
  });
}

function isUdpFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    socket.once('error', () => resolve(false));
    socket.bind(port, '0.0.0.0', () => socket.close(() => resolve(true)));
  });
}

function readLog(path: string): string {
  try {
    return readFileSync(path, 'utf8').slice(-2_000);
  } catch {
    return 'it left no log';
  }
}
