import type { AppContext, PaymentProvider } from '../../context.ts';
import { createStripeProvider } from './stripe-provider.ts';
import { createTestProvider } from './test-provider.ts';

/** The provider that PAYMENT_PROVIDER names. */
export function createProvider(ctx: Pick<AppContext, 'config' | 'log' | 'db' | 'clock'>): PaymentProvider {
  return ctx.config.PAYMENT_PROVIDER === 'stripe' ? createStripeProvider(ctx) : createTestProvider(ctx);
}
