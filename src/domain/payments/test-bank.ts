import { createHmac, timingSafeEqual } from 'node:crypto';
import { type Context, Hono } from 'hono';
import { html } from 'hono/html';
import type { AppContext } from '../../context.ts';
import { notFound } from '../../platform/errors.ts';
import { type TenantId, toTenantId, UUID_PATTERN } from '../../platform/ids.ts';
import { writeAmount } from '../../platform/money.ts';
import { withTenant } from '../../platform/tenant-tx.ts';

const PATH = '/payments/test/:tenant/:reference/:proof';
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'";

const outcomes: Record<string, string> = {
  succeeded: 'is made',
  declined: 'was declined',
  abandoned: 'was called off',
};

/** Where the buyer confirms a charge of the test provider. Who has the link may; `TEST_WEBHOOK_SECRET` makes its proof. */
export function bankPage(
  { config }: Pick<AppContext, 'config'>,
  tenantId: TenantId,
  reference: string,
): string {
  const proof = prove(config.TEST_WEBHOOK_SECRET, tenantId, reference);
  return `${config.PUBLIC_URL}/api/payments/test/${tenantId}/${reference}/${proof}`;
}

function prove(secret: string, tenantId: string, reference: string): string {
  return createHmac('sha256', secret).update(`${tenantId}/${reference}`).digest('hex').slice(0, 32);
}

/** The page of the bank of the test provider, in a browser: `GET` asks, `POST` confirms. */
export function testBankRoutes(ctx: AppContext) {
  return new Hono()
    .get(PATH, async (c) => {
      const charge = await findCharge(ctx, readLink(ctx, c));
      const waits = charge.status === 'awaiting_confirmation';
      return c.html(
        html`<!doctype html>
          <html lang="en">
            <head>
              <meta charset="utf-8" />
              <meta name="viewport" content="width=device-width, initial-scale=1" />
              <title>A bank without money</title>
              <style>
                body { font: 1.1rem/1.5 system-ui, sans-serif; max-width: 26rem; margin: 4rem auto; padding: 0 1rem; }
                button { font: inherit; padding: 0.6rem 1.4rem; }
              </style>
            </head>
            <body>
              <h1>A bank without money</h1>
              ${
                waits
                  ? html`<p>Pay ${writeAmount(charge.amount_minor, charge.currency)}?</p>
                      <form method="post"><button>Confirm</button></form>`
                  : html`<p>This payment ${outcomes[charge.status]}. Repeat your order with the same Idempotency-Key.</p>`
              }
            </body>
          </html>`,
        200,
        { 'content-security-policy': POLICY },
      );
    })
    .post(PATH, async (c) => {
      const { tenantId, reference } = readLink(ctx, c);
      const confirmed = await withTenant(ctx.db, tenantId, (tx) =>
        tx
          .updateTable('test_provider_charges')
          .set({ status: 'succeeded' })
          .where('tenant_id', '=', tenantId)
          .where('reference', '=', reference)
          .where('status', '=', 'awaiting_confirmation')
          .executeTakeFirst(),
      );
      if (c.req.header('accept')?.includes('text/html')) return c.redirect(c.req.path, 303);
      if (confirmed.numUpdatedRows === 0n) throw notFound('charge that awaits confirmation');
      return c.body(null, 204);
    });
}

type Link = { tenantId: TenantId; reference: string };

/** @throws DomainError not_found for a link that the provider did not give out */
function readLink({ config }: AppContext, c: Context<object, typeof PATH>): Link {
  const { tenant, reference, proof } = c.req.param();
  if (!UUID_PATTERN.test(tenant) || !UUID_PATTERN.test(reference)) throw notFound('charge');
  const expected = Buffer.from(prove(config.TEST_WEBHOOK_SECRET, tenant, reference));
  const given = Buffer.from(proof);
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) throw notFound('charge');
  return { tenantId: toTenantId(tenant), reference };
}

async function findCharge(
  ctx: AppContext,
  { tenantId, reference }: Link,
): Promise<{ status: string; amount_minor: bigint; currency: string }> {
  const charge = await withTenant(ctx.db, tenantId, (tx) =>
    tx
      .selectFrom('test_provider_charges')
      .select(['status', 'amount_minor', 'currency'])
      .where('tenant_id', '=', tenantId)
      .where('reference', '=', reference)
      .executeTakeFirst(),
  );
  if (!charge) throw notFound('charge');
  return charge;
}
