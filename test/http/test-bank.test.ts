import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApp } from '../../src/api/app.ts';
import { bankPage } from '../../src/domain/payments/test-bank.ts';
import { toTenantId } from '../../src/platform/ids.ts';
import { paymentOf } from '../support/provider-books.ts';
import { openSale, samplePurchase } from '../support/samples.ts';
import { createStripeContext } from '../support/stripe-context.ts';
import { startStripeServer } from '../support/stripe-server.ts';
import { createTestClock } from '../support/test-clock.ts';
import {
  createTestContext,
  createTestTenant,
  type TestContext,
  type TestTenant,
} from '../support/test-context.ts';
import { expectProblem } from './support/problems.ts';

type App = ReturnType<typeof createApp>;
let ctx: TestContext;
let app: App;
let tenant: TestTenant;

beforeAll(async () => {
  ctx = await createTestContext();
  app = createApp(ctx);
  tenant = await createTestTenant(ctx, app);
});
afterAll(() => ctx.close());

/** An order that waits for its buyer at the bank, and the page where they are sent. */
async function pend() {
  const { type } = await openSale(tenant);
  const input = samplePurchase(type, { payment: { token: 'tok_requires_action' } });
  const key = randomUUID();
  const buy = () =>
    tenant.alice.post<{ orderId: string; nextAction: { url: string } }>('/tickets/purchase', input, { key });
  const { status, body } = await buy();
  expect(status).toBe(202);
  return { orderId: body.orderId, page: body.nextAction.url, again: buy };
}

const browser = { accept: 'text/html,application/xhtml+xml' };
const show = async (page: string) => {
  const answer = await app.request(page, { headers: browser });
  return { status: answer.status, text: await answer.text(), headers: answer.headers };
};

describe('the page of the bank', () => {
  it('shows the amount, takes the buyer’s word, and the order is paid when it is repeated', async () => {
    const { orderId, page, again } = await pend();
    const asked = await show(page);
    expect(asked.status).toBe(200);
    expect(asked.headers.get('content-type')).toContain('text/html');
    expect(asked.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(asked.text).toContain('25.00 EUR');
    expect(asked.text).toContain('<form method="post">');
    expect((await paymentOf(ctx, orderId)).status).toBe('requires_action');

    const confirmed = await app.request(page, { method: 'POST', headers: browser });
    expect([confirmed.status, confirmed.headers.get('location')]).toEqual([303, new URL(page).pathname]);
    expect((await show(page)).text).toContain('This payment is made');
    expect(await again()).toMatchObject({ status: 201, body: { orderId } });
  });

  it('is no page for programs: they confirm once, and not what does not wait', async () => {
    const { page } = await pend();
    expect((await app.request(page, { method: 'POST' })).status).toBe(204);
    expect((await app.request(page, { method: 'POST' })).status).toBe(404);
  });

  it('opens for nobody who was not given its link', async () => {
    const { orderId, page } = await pend();
    const { id } = await paymentOf(ctx, orderId);
    const other = bankPage(ctx, toTenantId(randomUUID()), id).split('/').at(-1);
    for (const path of [
      `/api/payments/test/${tenant.tenantId}/${id}/${'0'.repeat(32)}`,
      `/api/payments/test/${tenant.tenantId}/${id}/${other}`,
      `/api/payments/test/${tenant.tenantId}/${id}/short`,
      `/api/payments/test/${tenant.tenantId}/x/${'0'.repeat(32)}`,
      new URL(page).pathname.replace(tenant.tenantId, randomUUID()),
      new URL(bankPage(ctx, toTenantId(tenant.tenantId), randomUUID())).pathname,
    ]) {
      for (const method of ['GET', 'POST']) {
        const answer = await app.request(path, { method });
        expectProblem(
          { status: answer.status, body: await answer.json(), headers: answer.headers },
          404,
          'not_found',
        );
      }
    }
    expect((await paymentOf(ctx, orderId)).status).toBe('requires_action');
  });

  it('is not there where money is taken', async () => {
    const server = await startStripeServer();
    const real = await createStripeContext(server, { clock: createTestClock(), timeoutMs: 250 });
    try {
      const path = new URL(bankPage(real, toTenantId(tenant.tenantId), randomUUID())).pathname;
      expect((await createApp(real).request(path)).status).toBe(401);
    } finally {
      await real.close();
      await server.close();
    }
  });
});
