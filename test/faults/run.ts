import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

type Proof = { what: string; env: Record<string, string>; command: string[] };

const suite = (file: string): string[] => ['test/run.ts', `test/faults/${file}.test.ts`];

/** At full length; what a run is given in its environment comes before this. */
const proofs: Record<string, Proof> = {
  chain: {
    what: '500 kills during 2,000 orders on a chain that forks, drops, lags and lies (KILLS, ORDERS, SEED)',
    env: { KILLS: '500', ORDERS: '2000' },
    command: suite('chain-kills'),
  },
  offline: {
    what: 'a listener that was away for 25,000 transfers (TRANSFERS)',
    env: { TRANSFERS: '25000' },
    command: suite('offline-hour'),
  },
  embedded: {
    what: '10,000 tickets bought and minted on the stack of npm start (N, DATA_FOLDER, HTTP_PORT)',
    env: { N: '10000' },
    command: ['test/faults/embedded-sale.ts'],
  },
};

/** `npm run faults -- <name>`: runs one proof at full length and ends with its exit code. */
const [name = ''] = process.argv.slice(2);
const proof = proofs[name];
if (!proof) {
  console.error('npm run faults -- <name>, where the name is one of');
  for (const [known, { what }] of Object.entries(proofs)) console.error(`  ${known.padEnd(10)} ${what}`);
  process.exit(1);
}
const { status } = spawnSync(process.execPath, proof.command, {
  cwd: fileURLToPath(new URL('../..', import.meta.url)),
  stdio: 'inherit',
  env: { ...proof.env, ...process.env },
});
process.exit(status ?? 1);
