import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { clusterSuite } from './support/cluster-suite.ts';
import { startTestValidator } from './support/test-validator.ts';

const { error, status } = spawnSync('solana-test-validator', ['--version']);

if (error === undefined) {
  describe('the client against solana-test-validator', () => clusterSuite(startTestValidator));
} else {
  it('was not run against solana-test-validator, since that is not on the path', () => {
    // EACCES: a folder of the path may be closed to us.
    expect(['ENOENT', 'EACCES']).toContain((error as NodeJS.ErrnoException).code);
    expect(status).toBeNull();
  });
}
