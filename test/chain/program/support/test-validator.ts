import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Connection } from '@solana/web3.js';
import { parse } from 'yaml';
import { PROGRAM, PROGRAM_FILE } from './chain.ts';
import type { Cluster } from './surfpool.ts';

/**
 * solana-test-validator with the committed program, started as docker-compose.yml starts it but for ports and paths, in a
 * folder that is removed when it stops.
 */
export async function startTestValidator(): Promise<Cluster> {
  const folder = mkdtempSync(join(tmpdir(), 'tessera-validator-'));
  const port = await freePort();
  const places: Record<string, string> = {
    '/ledger': join(folder, 'ledger'),
    '/programs/ticketing.so': PROGRAM_FILE,
    [`\${CHAIN_PROGRAM_ID:-${PROGRAM}}`]: PROGRAM,
  };
  const flags = composeCommand().map((word) => places[word] ?? word);
  const base = await freePort();
  const ports = ['--rpc-port', `${port}`, '--faucet-port', `${await freePort()}`];
  const range = ['--gossip-port', `${base}`, '--dynamic-port-range', `${base + 1}-${base + 40}`];
  const all = ['--quiet', ...flags, ...ports, ...range];
  const child = spawn('solana-test-validator', all, { stdio: 'ignore' });
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

function composeCommand(): string[] {
  const text = readFileSync(join(import.meta.dirname, '../../../../docker-compose.yml'), 'utf8');
  return parse(text, { merge: true }).services.solana.command;
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
