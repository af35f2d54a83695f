import { createHmac, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Stripe's names for cards that behave; the behaviour is Stripe's too. */
const cards: Record<
  string,
  'succeeds' | 'asks' | 'generic_decline' | 'insufficient_funds' | 'pendingRefund'
> = {
  pm_card_visa: 'succeeds',
  pm_card_pendingRefund: 'pendingRefund',
  pm_card_authenticationRequired: 'asks',
  pm_card_visa_chargeDeclined: 'generic_decline',
  pm_card_visa_chargeDeclinedInsufficientFunds: 'insufficient_funds',
};

type Metadata = Record<string, string>;
export type Intent = {
  id: string;
  object: 'payment_intent';
  amount: number;
  amount_received: number;
  currency: string;
  status: 'requires_payment_method' | 'requires_confirmation' | 'requires_action' | 'succeeded' | 'canceled';
  payment_method: string | null;
  metadata: Metadata;
  next_action: null | { type: 'redirect_to_url'; redirect_to_url: { url: string; return_url: string } };
  last_payment_error: null | StripeProblem;
  created: number;
  livemode: false;
};
export type StripeRefund = {
  id: string;
  object: 'refund';
  amount: number;
  currency: string;
  payment_intent: string;
  metadata: Metadata;
  status: 'pending' | 'succeeded' | 'failed';
  failure_reason?: string;
  created: number;
};
type StripeProblem = { type: string; code?: string; decline_code?: string; message: string; param?: string };
type Answer = { status: number; body: unknown };
type Params = { [name: string]: string | Params };

/**
 * What goes wrong with a request. `before`: nothing has happened yet. `after`: it took effect, and the answer is lost.
 * A `500` is kept under the idempotency key as Stripe keeps it; `503` and `429` come from in front of it and are not.
 */
export type Fault =
  | { do: 'answer'; status: 429 | 500 | 503; times?: number }
  | { do: 'drop' | 'hang'; when: 'before' | 'after'; times?: number };

export type StripeServer = {
  url: string;
  intents: Map<string, Intent>;
  refunds: Map<string, StripeRefund>;
  /** Every request that arrived, as `POST /v1/refunds`, with what it carried. */
  requests: {
    name: string;
    key: string | undefined;
    contentType: string | undefined;
    params: Params;
    at: number;
  }[];
  /** The next requests of this name meet the fault, each as often as it says; once otherwise. */
  fail(name: string, fault: Fault): void;
  /** Runs `work` when the next request of this name has taken effect, before it is answered. */
  meanwhile(name: string, work: () => Promise<void>): void;
  /** A day later Stripe knows no idempotency key any more. */
  forgetKeys(): void;
  /** What the buyer does on the page of the bank. */
  authenticate(intentId: string, outcome: 'succeeds' | 'fails'): void;
  /** A webhook about an object, with the header that signs it. */
  event(
    type: string,
    object: unknown,
    options?: { secret?: string; at?: Date; id?: string },
  ): { body: string; headers: { 'stripe-signature': string } };
  /** Any text, signed as a notice is. */
  sign(
    body: string,
    options?: { secret?: string; at?: Date },
  ): { body: string; headers: { 'stripe-signature': string } };
  close(): Promise<void>;
};

export const STRIPE_KEY = 'sk_test_local';
export const STRIPE_WEBHOOK_SECRET = 'whsec_local';

class Refusal extends Error {
  readonly status: number;
  readonly problem: StripeProblem & { payment_intent?: Intent };

  constructor(status: number, problem: StripeProblem & { payment_intent?: Intent }) {
    super(problem.message);
    this.status = status;
    this.problem = problem;
  }
}

/** As much of Stripe as takes and gives back money, on the wire as Stripe is. */
export async function startStripeServer(): Promise<StripeServer> {
  const intents = new Map<string, Intent>();
  const refunds = new Map<string, StripeRefund>();
  const keys = new Map<string, { fingerprint: string; answer: Answer | undefined }>();
  const faults = new Map<string, Fault[]>();
  const meanwhile = new Map<string, () => Promise<void>>();
  const requests: StripeServer['requests'] = [];

  const server = createServer((request, response) => {
    serve(request, response).catch((error: Error) => response.destroy(error));
  });

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://stripe');
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const form =
      request.method === 'GET' ? searchParams : new URLSearchParams(Buffer.concat(chunks).toString());
    const params = parseForm(form);
    const name = `${request.method} ${pathname.replace(/\/(pi|re)_[^/]+/, '/{id}')}`;
    const key = request.headers['idempotency-key'] as string | undefined;
    requests.push({ name, key, contentType: request.headers['content-type'], params, at: performance.now() });

    const fault = nextFault(name);
    if (fault?.do === 'answer' && fault.status !== 500) return send(response, frontAnswer(fault.status));
    if (fault?.do === 'drop' && fault.when === 'before') return void request.socket.destroy();
    if (fault?.do === 'hang' && fault.when === 'before') return;
    const answer = idempotent(name, pathname, params, key, () => {
      if (request.headers.authorization !== `Bearer ${STRIPE_KEY}`) throw invalidKey();
      if (fault?.do === 'answer') return { status: 500, body: problemBody(apiError()) };
      return { status: 200, body: route(name, pathname, params) };
    });
    if (fault?.do === 'drop') return void request.socket.destroy();
    if (fault?.do === 'hang') return;
    const work = meanwhile.get(name);
    meanwhile.delete(name);
    await work?.();
    send(response, answer, answer.replayed);
  }

  function nextFault(name: string): Fault | undefined {
    const [fault] = faults.get(name) ?? [];
    if (!fault) return undefined;
    const times = (fault.times ?? 1) - 1;
    const rest = (faults.get(name) ?? []).slice(1);
    faults.set(name, times > 0 ? [{ ...fault, times }, ...rest] : rest);
    return fault;
  }

  /** The answer that a key had, errors of ours included; a refused form leaves no trace. */
  function idempotent(
    name: string,
    path: string,
    params: Params,
    key: string | undefined,
    work: () => Answer,
  ): Answer & { replayed?: boolean } {
    if (key === undefined || name.startsWith('GET')) return attempt(work);
    const fingerprint = JSON.stringify([path, params]);
    const known = keys.get(key);
    if (known && known.fingerprint !== fingerprint) {
      const message = `Keys for idempotent requests can only be used with the same parameters they were first used with.`;
      return { status: 400, body: problemBody({ type: 'idempotency_error', message }) };
    }
    if (known?.answer) return { ...known.answer, replayed: true };
    const answer = attempt(work);
    if (answer.status !== 400 && answer.status !== 401) keys.set(key, { fingerprint, answer });
    return answer;
  }

  function attempt(work: () => Answer): Answer {
    try {
      // The state of this moment: later changes must not show in what was kept.
      return structuredClone(work());
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return structuredClone({ status: error.status, body: problemBody(error.problem) });
    }
  }

  function route(name: string, path: string, params: Params): unknown {
    const id = path.split('/')[3] ?? '';
    switch (name) {
      case 'POST /v1/payment_intents':
        return createIntent(params);
      case 'GET /v1/payment_intents/{id}':
        return intentOf(id);
      case 'POST /v1/payment_intents/{id}/confirm':
        return confirm(intentOf(id), params);
      case 'POST /v1/payment_intents/{id}/cancel':
        return cancel(intentOf(id));
      case 'POST /v1/refunds':
        return refund(params);
      case 'GET /v1/refunds':
        return listRefunds(params);
      case 'GET /v1/refunds/{id}':
        return refundOf(id);
      default:
        throw new Refusal(404, {
          type: 'invalid_request_error',
          message: `Unrecognized request URL (${name}).`,
        });
    }
  }

  function createIntent(params: Params): Intent {
    const amount = Number(params.amount);
    if (!Number.isInteger(amount) || amount < 1) throw invalid('amount', 'Invalid integer');
    if (!/^[a-z]{3}$/.test(String(params.currency))) throw invalid('currency', 'Invalid currency');
    const method = params.payment_method as string | undefined;
    if (method !== undefined && !(method in cards)) throw missing('payment_method', 'PaymentMethod', method);
    const intent: Intent = {
      id: `pi_${randomBytes(12).toString('hex')}`,
      object: 'payment_intent',
      amount,
      amount_received: 0,
      currency: String(params.currency),
      status: method === undefined ? 'requires_payment_method' : 'requires_confirmation',
      payment_method: method ?? null,
      metadata: (params.metadata as Metadata | undefined) ?? {},
      next_action: null,
      last_payment_error: null,
      created: seconds(new Date()),
      livemode: false,
    };
    intents.set(intent.id, intent);
    return intent;
  }

  function intentOf(id: string): Intent {
    const intent = intents.get(id);
    if (!intent) throw missing('intent', 'payment_intent', id);
    return intent;
  }

  function confirm(intent: Intent, params: Params): Intent {
    if (intent.status !== 'requires_confirmation' && intent.status !== 'requires_payment_method')
      throw unexpectedState(intent, 'confirm');
    const card = cards[intent.payment_method ?? ''];
    switch (card) {
      case undefined:
        throw invalid('payment_method', 'You cannot confirm this PaymentIntent without a payment method.');
      case 'asks':
        if (typeof params.return_url !== 'string') throw invalid('return_url', 'A return_url is required');
        intent.status = 'requires_action';
        intent.next_action = {
          type: 'redirect_to_url',
          redirect_to_url: { url: `https://hooks.stripe.com/3d/${intent.id}`, return_url: params.return_url },
        };
        return intent;
      case 'generic_decline':
      case 'insufficient_funds': {
        const problem = {
          type: 'card_error',
          code: 'card_declined',
          decline_code: card,
          message: 'Your card was declined.',
        };
        intent.status = 'requires_payment_method';
        intent.payment_method = null;
        intent.last_payment_error = problem;
        throw new Refusal(402, { ...problem, payment_intent: intent });
      }
      default:
        intent.status = 'succeeded';
        intent.amount_received = intent.amount;
        return intent;
    }
  }

  function cancel(intent: Intent): Intent {
    if (intent.status === 'succeeded' || intent.status === 'canceled')
      throw unexpectedState(intent, 'cancel');
    intent.status = 'canceled';
    intent.next_action = null;
    return intent;
  }

  function refund(params: Params): StripeRefund {
    const intent = intentOf(String(params.payment_intent));
    if (intent.status !== 'succeeded')
      throw invalid('payment_intent', 'This PaymentIntent has no successful charge.');
    const before = [...refunds.values()]
      .filter(({ payment_intent, status }) => payment_intent === intent.id && status !== 'failed')
      .reduce((sum, { amount }) => sum + amount, 0);
    const left = intent.amount - before;
    const amount = params.amount === undefined ? left : Number(params.amount);
    if (left === 0) {
      const message = 'Charge has already been refunded.';
      throw new Refusal(400, { type: 'invalid_request_error', code: 'charge_already_refunded', message });
    }
    if (!(amount > 0 && amount <= left))
      throw invalid(
        'amount',
        `Refund amount (${amount}) is greater than unrefunded amount on charge (${left})`,
      );
    const made: StripeRefund = {
      id: `re_${randomBytes(12).toString('hex')}`,
      object: 'refund',
      amount,
      currency: intent.currency,
      payment_intent: intent.id,
      metadata: (params.metadata as Metadata | undefined) ?? {},
      status: cards[intent.payment_method ?? ''] === 'pendingRefund' ? 'pending' : 'succeeded',
      created: seconds(new Date()),
    };
    refunds.set(made.id, made);
    return made;
  }

  function listRefunds(params: Params): unknown {
    const data = [...refunds.values()].filter(
      ({ payment_intent }) => params.payment_intent === undefined || payment_intent === params.payment_intent,
    );
    return { object: 'list', url: '/v1/refunds', has_more: false, data: data.reverse().slice(0, 100) };
  }

  function refundOf(id: string): StripeRefund {
    const found = refunds.get(id);
    if (!found) throw missing('id', 'refund', id);
    return found;
  }

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    intents,
    refunds,
    requests,
    fail: (name, fault) => void faults.set(name, [...(faults.get(name) ?? []), fault]),
    meanwhile: (name, work) => void meanwhile.set(name, work),
    forgetKeys: () => keys.clear(),
    authenticate(intentId, outcome) {
      const intent = intentOf(intentId);
      if (intent.status !== 'requires_action') throw unexpectedState(intent, 'authenticate');
      intent.next_action = null;
      if (outcome === 'succeeds') {
        intent.status = 'succeeded';
        intent.amount_received = intent.amount;
        return;
      }
      intent.status = 'requires_payment_method';
      intent.last_payment_error = {
        type: 'invalid_request_error',
        code: 'payment_intent_authentication_failure',
        message: 'The provided PaymentMethod has failed authentication.',
      };
    },
    event(type, object, options = {}) {
      const { at = new Date(), id } = options;
      const body = JSON.stringify({
        id: id ?? `evt_${randomBytes(12).toString('hex')}`,
        object: 'event',
        type,
        created: seconds(at),
        livemode: false,
        data: { object },
      });
      return signed(body, options);
    },
    sign: signed,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function signed(
  body: string,
  { secret = STRIPE_WEBHOOK_SECRET, at = new Date() }: { secret?: string; at?: Date } = {},
) {
  const mac = createHmac('sha256', secret)
    .update(`${seconds(at)}.${body}`)
    .digest('hex');
  return { body, headers: { 'stripe-signature': `t=${seconds(at)},v1=${mac}` } };
}

const seconds = (at: Date): number => Math.floor(at.getTime() / 1000);

/** `metadata[tenant]=x` is a member of a member. */
function parseForm(form: URLSearchParams): Params {
  const params: Params = {};
  for (const [name, value] of form) {
    const path = name.split(/[[\]]+/).filter(Boolean);
    const last = path.pop() ?? '';
    let at = params;
    for (const step of path) {
      at[step] ??= {};
      at = at[step] as Params;
    }
    at[last] = value;
  }
  return params;
}

function send(response: ServerResponse, { status, body }: Answer, replayed = false): void {
  response.writeHead(status, {
    'content-type': 'application/json',
    'request-id': `req_${randomBytes(7).toString('hex')}`,
    'stripe-version': '2024-06-20',
    ...(status === 500 ? { 'stripe-should-retry': 'false' } : {}),
    ...(replayed ? { 'idempotent-replayed': 'true' } : {}),
  });
  response.end(JSON.stringify(body));
}

const problemBody = (error: StripeProblem): { error: StripeProblem } => ({ error });
const apiError = (): StripeProblem => ({ type: 'api_error', message: 'An unknown error occurred' });

function frontAnswer(status: 429 | 503): Answer {
  const problem: StripeProblem =
    status === 429
      ? {
          type: 'invalid_request_error',
          code: 'rate_limit',
          message: 'Too many requests hit the API too quickly.',
        }
      : apiError();
  return { status, body: problemBody(problem) };
}

const invalidKey = (): Refusal =>
  new Refusal(401, { type: 'invalid_request_error', message: 'Invalid API Key provided' });

function invalid(param: string, message: string): Refusal {
  return new Refusal(400, { type: 'invalid_request_error', param, message });
}

function missing(param: string, what: string, id: string): Refusal {
  const message = `No such ${what}: '${id}'`;
  const status = param === 'payment_method' ? 400 : 404;
  return new Refusal(status, { type: 'invalid_request_error', code: 'resource_missing', param, message });
}

function unexpectedState(intent: Intent, verb: string): Refusal {
  const message = `You cannot ${verb} this PaymentIntent because it has a status of ${intent.status}.`;
  return new Refusal(400, {
    type: 'invalid_request_error',
    code: 'payment_intent_unexpected_state',
    message,
    payment_intent: intent,
  });
}
