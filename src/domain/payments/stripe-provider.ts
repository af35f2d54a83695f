import Stripe from 'stripe';
import type {
  AppContext,
  Charge,
  ChargeOutcome,
  PaymentName,
  PaymentProvider,
  RefundOutcome,
  RefundRequest,
} from '../../context.ts';
import { unauthenticated } from '../../platform/http/refusal.ts';
import type { Logger } from '../../platform/logger.ts';
import { backoff, sleep } from '../../platform/retry.ts';
import { isObject, malformedNotice, parseNotice, toNotice } from './to-notice.ts';

/** Gateway errors are tried again this often, with backoff and under the same idempotency key. */
const RETRIES = 2;
const TIMEOUT_MS = 8_000;
const MAX_REFUNDS = 100;

type Options = { timeoutMs?: number };

/**
 * Stripe by PaymentIntents. An intent is made first and confirmed second, and its id is kept in between: whatever
 * answer is lost afterwards can be asked for by that id. A call under one reference takes effect once at Stripe too.
 */
export function createStripeProvider(
  { config, log, clock }: Pick<AppContext, 'config' | 'log' | 'clock'>,
  { timeoutMs = TIMEOUT_MS }: Options = {},
): PaymentProvider {
  const { hostname, port, protocol } = new URL(config.STRIPE_API_URL);
  const stripe = new Stripe(config.STRIPE_SECRET_KEY as string, {
    host: hostname,
    protocol: protocol === 'http:' ? 'http' : 'https',
    ...(port ? { port } : {}),
    maxNetworkRetries: RETRIES,
    timeout: timeoutMs,
    telemetry: false,
    appInfo: { name: 'tessera' },
  });
  const returnUrl = `${config.PUBLIC_URL}/`;

  return {
    name: 'stripe',
    charge: (charge, keepReference) => chargeOnce(stripe, returnUrl, charge, keepReference),
    look: (payment, options = {}) => lookUp(stripe, log, payment, options),
    async refund(request) {
      try {
        return await refundOnce(stripe, request);
      } catch (error) {
        log.warn({ refundId: request.refundId, err: (error as Error).message }, 'a refund broke off');
        return { status: 'unknown', providerReference: request.refundReference };
      }
    },
    async readNotice(body, headers) {
      const { signature } = stripe.webhooks;
      if (!signature) throw new Error('the library of Stripe brings no check of signatures');
      try {
        await signature.verifyHeaderAsync(
          body,
          headers.get('stripe-signature') ?? '',
          config.STRIPE_WEBHOOK_SECRET as string,
          undefined,
          undefined,
          clock.now().getTime(),
        );
      } catch (error) {
        log.warn({ err: (error as Error).message }, 'a notice is not signed by the provider');
        throw unauthenticated();
      }
      const { id, type, data } = parseNotice(body);
      const object = isObject(data) ? data.object : undefined;
      if (!isObject(object)) throw malformedNotice();
      const { tenant, payment, refund } = isObject(object.metadata) ? object.metadata : {};
      return toNotice({ eventId: id, kind: type, tenant, payment, refund });
    },
  };
}

async function chargeOnce(
  stripe: Stripe,
  returnUrl: string,
  charge: Charge,
  keepReference: (providerReference: string) => Promise<void>,
): Promise<ChargeOutcome> {
  const { tenantId, orderId, reference, amountMinor, currency, token } = charge;
  let intent: Stripe.PaymentIntent;
  try {
    intent = await patiently(() =>
      stripe.paymentIntents.create(
        {
          amount: Number(amountMinor),
          currency: currency.toLowerCase(),
          payment_method: token,
          automatic_payment_methods: { enabled: true },
          metadata: { tenant: tenantId, order: orderId, payment: reference },
        },
        { idempotencyKey: `${reference}:create` },
      ),
    );
  } catch (error) {
    // An intent that is not confirmed takes no money: the order may fail for good.
    return { status: 'failed', code: failureCode(error) };
  }
  await keepReference(intent.id);
  try {
    const confirmed = await patiently(() =>
      stripe.paymentIntents.confirm(
        intent.id,
        { return_url: returnUrl },
        { idempotencyKey: `${reference}:confirm` },
      ),
    );
    return toOutcome(confirmed);
  } catch (error) {
    const refused =
      error instanceof Stripe.errors.StripeCardError ||
      (error instanceof Stripe.errors.StripeInvalidRequestError && error.code !== UNEXPECTED_STATE);
    return refused ? { status: 'failed', code: failureCode(error) } : { status: 'unknown' };
  }
}

/** Somebody else moved the intent meanwhile: only a look can tell where to. */
const UNEXPECTED_STATE = 'payment_intent_unexpected_state';

/** The library leaves it to its caller to wait when there were too many requests. */
async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof Stripe.errors.StripeRateLimitError) || attempt > RETRIES) throw error;
      await sleep(250 + backoff(attempt, 500, 2_000));
    }
  }
}

async function lookUp(
  stripe: Stripe,
  log: Logger,
  { reference, providerReference }: PaymentName,
  { abandon = false, early = false }: { abandon?: boolean; early?: boolean },
): Promise<ChargeOutcome> {
  // The intent's id is kept before it is confirmed: without one no money can have moved.
  if (!providerReference) return early ? { status: 'unknown' } : { status: 'failed', code: 'never_received' };
  try {
    const intent = await stripe.paymentIntents.retrieve(providerReference);
    const unconfirmed = intent.status === 'requires_confirmation';
    if (early || (!unconfirmed && !(abandon && intent.status === 'requires_action')))
      return toOutcome(intent);
    // Called off at Stripe first: it succeeds or fails there, and either answer is final.
    return toOutcome(await stripe.paymentIntents.cancel(providerReference));
  } catch (error) {
    if (error instanceof Stripe.errors.StripeInvalidRequestError && error.code === 'resource_missing') {
      return { status: 'failed', code: 'never_received' };
    }
    log.warn({ paymentId: reference, err: (error as Error).message }, 'a payment could not be looked up');
    return { status: 'unknown' };
  }
}

function toOutcome(intent: Stripe.PaymentIntent): ChargeOutcome {
  switch (intent.status) {
    case 'succeeded':
      return { status: 'succeeded', providerReference: intent.id };
    case 'requires_action': {
      const url = intent.next_action?.redirect_to_url?.url;
      if (!url) return { status: 'unknown' };
      return {
        status: 'requires_action',
        providerReference: intent.id,
        nextAction: { type: 'redirect', url },
      };
    }
    case 'requires_payment_method':
      return {
        status: 'failed',
        code: intent.last_payment_error?.decline_code ?? intent.last_payment_error?.code ?? 'declined',
      };
    case 'canceled':
      return { status: 'failed', code: 'abandoned' };
    default:
      return { status: 'unknown' };
  }
}

async function refundOnce(stripe: Stripe, request: RefundRequest): Promise<RefundOutcome> {
  const { providerReference, refundId, amountMinor, tenantId, reference } = request;
  if (!providerReference) return { status: 'failed', code: 'nothing_to_refund' };
  let refund = await findRefund(stripe, request, providerReference);
  try {
    refund ??= await patiently(() =>
      stripe.refunds.create(
        {
          payment_intent: providerReference,
          amount: Number(amountMinor),
          metadata: { tenant: tenantId, payment: reference, refund: refundId },
        },
        { idempotencyKey: refundId },
      ),
    );
  } catch (error) {
    if (!(error instanceof Stripe.errors.StripeInvalidRequestError)) throw error;
    return { status: 'failed', code: error.code ?? 'invalid_request' };
  }
  if (refund.status === 'succeeded') return { status: 'succeeded', providerReference: refund.id };
  if (refund.status === 'failed' || refund.status === 'canceled')
    return { status: 'failed', code: refund.failure_reason ?? 'refused' };
  return { status: 'unknown', providerReference: refund.id };
}

/**
 * The refund as it stands, when it was asked for before. An idempotency key only repeats the first answer, pending for
 * ever, and is forgotten after a day: making the refund again would then pay twice.
 */
async function findRefund(
  stripe: Stripe,
  { attempts, refundId, refundReference }: RefundRequest,
  paymentIntent: string,
): Promise<Stripe.Refund | undefined> {
  if (refundReference) return patiently(() => stripe.refunds.retrieve(refundReference));
  if (attempts === 0) return undefined;
  const known = await patiently(() =>
    stripe.refunds.list({ payment_intent: paymentIntent, limit: MAX_REFUNDS }),
  );
  return known.data.find((refund) => refund.metadata?.refund === refundId);
}

function failureCode(error: unknown): string {
  if (error instanceof Stripe.errors.StripeCardError) return error.decline_code ?? error.code ?? 'declined';
  if (error instanceof Stripe.errors.StripeInvalidRequestError) return error.code ?? 'invalid_request';
  return 'provider_unavailable';
}
