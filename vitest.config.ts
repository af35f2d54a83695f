import { defineConfig } from 'vitest/config';

// Against solana-test-validator a slot is 400 ms, final comes after 12 s, and a blockhash lives for a minute.
const patience = process.env.CHAIN === 'validator' ? 8 : 1;

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 30_000 * patience,
    hookTimeout: 60_000 * patience,
    teardownTimeout: 10_000,
    expect: { poll: { timeout: 5_000 } },
    sequence: { hooks: 'stack' },
    reporters: ['default'],
  },
});
