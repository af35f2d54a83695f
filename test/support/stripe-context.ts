import type { AppContext } from '../../src/context.ts';
import { createStripeProvider } from '../../src/domain/payments/stripe-provider.ts';
import type { Clock } from '../../src/platform/clock.ts';
import { createLogger } from '../../src/platform/logger.ts';
import { STRIPE_KEY, STRIPE_WEBHOOK_SECRET, type StripeServer } from './stripe-server.ts';
import { createTestContext, type TestContext, testConfig } from './test-context.ts';

/** The context of an API that is paid through Stripe's official library, which speaks to `server`. */
export async function createStripeContext(
  server: StripeServer,
  { clock, timeoutMs, ...overrides }: { clock: Clock; timeoutMs: number } & Partial<AppContext>,
): Promise<TestContext> {
  const config = testConfig({
    PAYMENT_PROVIDER: 'stripe',
    STRIPE_SECRET_KEY: STRIPE_KEY,
    STRIPE_WEBHOOK_SECRET,
    STRIPE_API_URL: server.url,
  });
  const log = createLogger({ level: 'silent', process: 'test' });
  const payments = createStripeProvider({ config, log, clock }, { timeoutMs });
  return createTestContext({ config, clock, payments, ...overrides });
}
