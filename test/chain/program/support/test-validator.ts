import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Connection } from '@solana/web3.js';
import { PROGRAM, PROGRAM_FILE } from './chain.ts';
import type { Cluster } from './surfpool.ts';

/** solana-test-validator with the committed program, in a folder that is removed when it stops. */
export async function startTestValidator(): Promise<Cluster> {
  const folder = mkdtempSync(join(tmpdir(), 'tessera-validator-'));
  const port = await freePort();
  const flags = ['--quiet', '--ledger', join(folder, 'ledger'), '--rpc-port', `${port}`];
  const faucet = ['--faucet-port', `${await freePort()}`];
  const program = ['--bpf-program', PROGRAM, PROGRAM_FILE];
  const child = spawn('solana-test-validator', [...flags, ...faucet, ...program], { stdio: 'ignore' });
  const connection = new Connection(`http://127.0.0.1:${port}`, 'confirmed');
  const stop = () => {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  };
  for (let attempt = 0; attempt < 60; attempt++) {
    const slot = await connection.getSlot('confirmed').catch(() => 0);
    if (slot > 1) return { connection, stop };
    await sleep(500);
  }
  stop();
  throw new Error('solana-test-validator did not come up within 30 s');
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
