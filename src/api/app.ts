import type { Context } from 'hono';
import { methodNotAllowed } from 'hono/method-not-allowed';
import type { AppContext } from '../context.ts';
import { chainRoutes } from '../domain/chain/read/routes.ts';
import { checkInRoutes } from '../domain/check-in/routes.ts';
import { eventRoutes } from '../domain/events/routes.ts';
import { ticketTypeRoutes } from '../domain/events/ticket-type-routes.ts';
import { reservationRoutes } from '../domain/inventory/routes.ts';
import { createSoldOutGate } from '../domain/inventory/sold-out-gate.ts';
import { orderRoutes } from '../domain/orders/routes.ts';
import { paymentRoutes } from '../domain/payments/routes.ts';
import { testBankRoutes } from '../domain/payments/test-bank.ts';
import { webhookRoutes } from '../domain/payments/webhook-routes.ts';
import { promoRoutes } from '../domain/promo/routes.ts';
import { seatRoutes } from '../domain/seats/routes.ts';
import { isApiKey } from '../domain/tenants/api-key-format.ts';
import { createApiKeyAuthenticator } from '../domain/tenants/authenticate-api-key.ts';
import { tenantRoutes } from '../domain/tenants/routes.ts';
import { createTenantGate } from '../domain/tenants/tenant-gate.ts';
import { createCodeKeys } from '../domain/tickets/code-keys.ts';
import { nftRoutes } from '../domain/tickets/public-routes.ts';
import { ticketRoutes } from '../domain/tickets/routes.ts';
import { transferRoutes } from '../domain/transfers/routes.ts';
import { waitingRoutes } from '../domain/waiting/routes.ts';
import { walletRoutes } from '../domain/wallets/routes.ts';
import { DomainError, notFound } from '../platform/errors.ts';
import { allowRoles } from '../platform/http/allow-roles.ts';
import { type Asset, createAsset, sendAsset } from '../platform/http/asset.ts';
import { createStrangerLimit } from '../platform/http/limit-strangers.ts';
import { problemResponse } from '../platform/http/problem.ts';
import { rateLimit } from '../platform/http/rate-limit.ts';
import { readJson } from '../platform/http/read-json.ts';
import { requestLog } from '../platform/http/request-log.ts';
import { createRouter } from '../platform/http/router.ts';
import { secureHeaders } from '../platform/http/secure-headers.ts';
import { createTokenVerifier, type TokenOptions } from '../platform/http/verify-token.ts';
import { authenticate } from './authenticate.ts';
import { docsPage } from './docs-page.ts';
import { createDocument, writeDocument } from './document.ts';
import { healthRoutes } from './health.ts';
import { createRefusalLog } from './log-refusal.ts';

/** A large hall of 50,000 seats as CSV. */
const SEAT_MAP_BYTES = 4 * 1024 * 1024;
const DOCUMENT_SECONDS = 300;

/** Real ids for those in the examples of the reference, by their names in `x-example-ids`. */
export type KnownIds = Readonly<Record<string, string>>;
const NONE: KnownIds = {};

/**
 * The HTTP interface: middleware and the routes of every module, documented by the schemas that validate them. Where
 * `knownIds` says what there is, as under `npm start`, the examples of the reference name it.
 */
export function createApp(ctx: AppContext, { knownIds = () => NONE }: { knownIds?: () => KnownIds } = {}) {
  const { config, cache, clock } = ctx;
  const keys = createCodeKeys(config.QR_MASTER_KEYS ?? []);
  const gate = createSoldOutGate({ clock });

  const strangers = createStrangerLimit({
    clock,
    perMinute: config.ADDRESS_LIMIT_PER_MINUTE,
    proxies: config.TRUSTED_PROXIES,
  });

  const guarded = createRouter();
  guarded.use(
    authenticate({
      verifyToken: createTokenVerifier(tokenOptions(ctx)),
      findByApiKey: createApiKeyAuthenticator(ctx),
      isApiKey,
      isOpen: createTenantGate(ctx),
      logRefusal: createRefusalLog(ctx),
      strangers,
    }),
  );
  guarded.use(rateLimit({ cache, clock, perMinute: config.RATE_LIMIT_PER_MINUTE }));
  guarded.use(allowRoles(guarded));
  guarded.use(readJson({ route: 'PUT /api/events/:id/seat-map', maxBytes: SEAT_MAP_BYTES }));
  const api = guarded
    .route('/', eventRoutes(ctx))
    .route('/', ticketTypeRoutes(ctx, gate))
    .route('/', seatRoutes(ctx, gate))
    .route('/', reservationRoutes(ctx, gate))
    .route('/', paymentRoutes(ctx, gate))
    .route('/', promoRoutes(ctx))
    .route('/', waitingRoutes(ctx))
    .route('/', orderRoutes(ctx))
    .route('/', checkInRoutes(ctx, keys))
    .route('/', ticketRoutes(ctx, keys))
    .route('/', transferRoutes(ctx))
    .route('/', walletRoutes(ctx))
    .route('/', chainRoutes(ctx))
    .route('/', tenantRoutes(ctx));

  const app = createRouter();
  app.use(requestLog(ctx.log, ctx.metrics));
  app.use(secureHeaders({ tls: config.PUBLIC_URL.startsWith('https:') }));
  app.use(methodNotAllowed({ app, onMethodNotAllowed: refuseMethod }));
  app.onError((error, c) => problemResponse(c, error));
  app.notFound((c) => problemResponse(c, notFound('route')));
  for (const page of ['/docs', '/openapi.json', '/health/live', '/health/ready']) {
    app.get(`${page}/`, (c) => c.redirect(page, 308));
  }
  for (const pages of ['/docs/*', '/openapi.json', '/api/nft/*']) app.use(pages, strangers.page);
  app.route('/docs', docsPage());
  if (config.NODE_ENV !== 'production') app.get('/', (c) => c.redirect('/docs'));
  if (ctx.payments.name === 'test') app.route('/api', testBankRoutes(ctx));
  const documented = app
    .route('/', healthRoutes(ctx))
    .route('/api', nftRoutes(ctx))
    .route('/api', webhookRoutes(ctx, strangers))
    .route('/api', api);
  documented.openAPIRegistry.registerComponent('securitySchemes', 'bearer', {
    type: 'http',
    scheme: 'bearer',
    description: 'An access token of the tenant’s identity provider, or an API key (tk_live_…)',
  });
  let written: { known: KnownIds; asset: Promise<Asset> } | undefined;
  documented.get('/openapi.json', async (c) => {
    const known = knownIds();
    if (written?.known !== known) written = writeAsset(known);
    return sendAsset(c, await written.asset);
  });

  function writeAsset(known: KnownIds): { known: KnownIds; asset: Promise<Asset> } {
    const body = writeDocument(createDocument(documented, config), known);
    return { known, asset: createAsset({ type: 'application/json', body, maxAge: DOCUMENT_SECONDS }) };
  }
  return documented;
}

export type App = ReturnType<typeof createApp>;

async function refuseMethod(c: Context, methods: string[]): Promise<Response> {
  const allowed = methods.join(', ');
  const message = `This address knows ${allowed} and no other method.`;
  const response = await problemResponse(
    c,
    new DomainError('method_not_allowed', 'method_not_allowed', message),
  );
  response.headers.set('allow', allowed);
  return response;
}

function tokenOptions({ config, clock }: AppContext): TokenOptions {
  const { JWT_JWKS_URL: jwksUrl, JWT_PUBLIC_KEYS: jwks, JWT_SECRET: secret } = config;
  const keys = jwksUrl ? { jwksUrl } : jwks ? { jwks } : { secret: secret ?? '' };
  return {
    issuer: config.JWT_ISSUER ?? '',
    audience: config.JWT_AUDIENCE,
    algorithms: config.JWT_ALGORITHMS,
    keys,
    clock,
  };
}
