import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { waitFor } from '../../../src/platform/retry.ts';
import { PROGRAM, PROGRAM_FILE } from '../program/support/chain.ts';
import type { ContractChain } from './contract/contract-world.ts';
import { rawRpc } from './raw-rpc.ts';

/** Under it Agave 3.0's own Token-2022 cannot grow an account. */
const STRICTER_ABI = 'C37iaPi6VE4CZDueU1vL8y6pGp5i8amAbEsF31xzz723';
/** Ports for itself, beside those for RPC, WebSocket, faucet and gossip. */
const RANGE = 30;

/** solana-test-validator with our program, in a folder that is removed when it stops. */
export async function startValidator(command: string): Promise<ContractChain> {
  const folder = mkdtempSync(join(tmpdir(), 'tessera-contract-'));
  // Below the ports that the system gives away; a port that is taken ends the validator, and the test says so.
  const port = randomInt(12_000, 31_000);
  const flags = Object.entries({
    '--ledger': join(folder, 'ledger'),
    '--rpc-port': port,
    '--faucet-port': port + 2,
    '--gossip-port': port + 3,
    '--dynamic-port-range': `${port + 4}-${port + 4 + RANGE}`,
    '--deactivate-feature': STRICTER_ABI,
  }).flatMap(([flag, value]) => [flag, `${value}`]);
  const child = spawn(command, ['--quiet', ...flags, '--bpf-program', PROGRAM, PROGRAM_FILE], {
    stdio: 'ignore',
  });
  const stop = (): void => {
    process.off('exit', stop);
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  };
  // A test process that ends early takes its validator along.
  process.on('exit', stop);
  const rpcUrl = `http://127.0.0.1:${port}`;
  const up = await waitFor(
    async () =>
      (await rawRpc(() => rpcUrl)
        .ask('getSlot', { commitment: 'confirmed' })
        .catch(() => 0)) > 1,
    { timeoutMs: 60_000, everyMs: 200 },
  );
  if (up) return { rpcUrl, wsUrl: `ws://127.0.0.1:${port + 1}`, stop };
  stop();
  throw new Error('solana-test-validator did not come up within 60 s');
}
