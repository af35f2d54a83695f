import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');
/** A packed one may lie beside the repository. */
const packed = join(root, '../shared/tools/validator/unpack.sh');

/** How to start solana-test-validator, from the PATH or unpacked; or why that cannot be. */
export function findValidator(): { command: string; version: string } | { missing: string } {
  const found = versionOf('solana-test-validator');
  if (found) return { command: 'solana-test-validator', version: found };
  if (!existsSync(packed)) return { missing: 'solana-test-validator is not on the path' };
  const { status, stdout, stderr } = spawnSync('bash', [packed, join(root, '.data/tools')], {
    encoding: 'utf8',
  });
  const command = join(stdout.trim(), 'solana-test-validator');
  const version = status === 0 ? versionOf(command) : undefined;
  return version ? { command, version } : { missing: `solana-test-validator cannot be unpacked: ${stderr}` };
}

function versionOf(command: string): string | undefined {
  const { error, status, stdout } = spawnSync(command, ['--version'], { encoding: 'utf8' });
  // What follows in brackets differs from call to call.
  return error || status !== 0 ? undefined : stdout.split('(')[0]?.trim();
}
