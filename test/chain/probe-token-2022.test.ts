import { Keypair } from '@solana/web3.js';
import { afterAll, describe, expect, it } from 'vitest';
import { BrokenToken2022, probeToken2022, REALLOC_FEATURE } from '../../src/main/probe-token-2022.ts';
import { findValidator } from '../support/find-validator.ts';
import { startTestValidator, type TestValidator } from '../support/test-validator.ts';

const found = findValidator();
const version = 'version' in found ? found.version : undefined;
const START_MS = 90_000;

const title =
  'version' in found ? `against ${found.version}` : `not run against a validator: ${found.missing}`;

describe.skipIf(!version)(title, () => {
  describe('the probe of Token-2022', () => {
    const started: TestValidator[] = [];
    afterAll(() => {
      for (const validator of started) validator.stop();
    });
    const probe = async (features: string[]): Promise<string | undefined> => {
      const validator = await startTestValidator({}, features);
      started.push(validator);
      const payer = Keypair.generate().publicKey.toBase58();
      await validator.fund(payer, 1_000_000_000);
      return probeToken2022(validator.rpcUrl, payer);
    };

    it(
      'names the flag where its accounts cannot grow, as on Agave 3.0 with all features',
      async () => {
        if (!/ 3\.0\./.test(version ?? '')) return;
        const refused = probe([]);
        await expect(refused).rejects.toThrow(BrokenToken2022);
        await expect(refused).rejects.toThrow(`--deactivate-feature ${REALLOC_FEATURE}`);
      },
      START_MS,
    );

    it(
      'finds nothing wrong with that feature switched off',
      async () => {
        expect(await probe([REALLOC_FEATURE])).toBeUndefined();
      },
      START_MS,
    );
  });
});
