import bs58 from 'bs58';
import { z } from 'zod';
import { isCurrency, minorDigits } from './platform/money.ts';

/** The processes that read a configuration; each demands only what it uses. */
export type ProcessName =
  | 'api'
  | 'background'
  | 'mint-worker'
  | 'listener'
  | 'migrate'
  | 'setup-chain'
  | 'create-tenant'
  | 'drift'
  | 'parked'
  | 'chain-status'
  | 'chain-audit'
  | 'chain-retry'
  | 'chain-resume'
  | 'up';

const url = (schemes: string[]) =>
  z.string().refine((text) => URL.canParse(text) && schemes.includes(new URL(text).protocol.slice(0, -1)), {
    message: `must be a URL starting with ${schemes.map((s) => `${s}://`).join(' or ')}`,
  });
const postgresUrl = url(['postgres', 'postgresql']);
const port = z.coerce.number().int().min(0).max(65_535);
const flag = z.enum(['true', 'false']).transform((text) => text === 'true');
const list = z.string().transform((text) =>
  text
    .split(',')
    .map((item) => item.trim())
    .filter(Boolean),
);
const sol = z.coerce.number().min(0).max(1_000_000);
const algorithms = z.enum(['EdDSA', 'ES256', 'RS256', 'HS256']);

const keySet = z.string().refine(isKeySet, { message: 'must be a JSON Web Key Set, {"keys":[…]}' });

/** Master keys as `id:base64` pairs, the newest first; the others are accepted until retired. */
const keyRing = z.string().transform((text, context) => {
  const keys = text.split(',').map((pair) => {
    const [id = '', key = ''] = pair.trim().split(':');
    return { id: /^\d{1,3}$/.test(id) ? Number(id) : 256, key: new Uint8Array(Buffer.from(key, 'base64')) };
  });
  if (keys.some(({ id, key }) => id > 255 || key.length !== 32)) {
    context.addIssue('must be id:key pairs, id from 0 to 255, key 32 bytes in base64');
  } else if (new Set(keys.map(({ id }) => id)).size < keys.length) {
    context.addIssue('must not give two keys the same id');
  }
  return keys;
});

const COINS_SHAPE = 'must be JSON like {"EUR":{"mint":"<address>","decimals":6}}';
/** What a stable coin has at most, and how many more than the minor unit: the highest price still has 64 bits then. */
const MAX_DECIMALS = 9;
const MAX_FINER = 7;

/** Currencies of ISO 4217 and the stable coin that each is on the chain. */
const coins = z.string().transform((text, context) => {
  const found = new Map<string, { mint: string; decimals: number }>();
  const fault = coinsFault(text, found);
  if (fault) context.addIssue(fault);
  return found as ReadonlyMap<string, { mint: string; decimals: number }>;
});

const schema = z.object({
  NODE_ENV: z.enum(['development', 'test', 'production']).default('production'),
  LOG_LEVEL: z.enum(['silent', 'fatal', 'error', 'warn', 'info', 'debug', 'trace']).default('info'),
  FAILPOINTS: z.string().default(''),

  HTTP_HOST: z.string().default('127.0.0.1'),
  HTTP_PORT: port.default(8080),
  METRICS_PORT: port.default(0),
  PUBLIC_URL: url(['http', 'https']).default('http://127.0.0.1:8080'),
  HTTP_MAX_CONNECTIONS: z.coerce.number().int().min(1).default(5_000),
  TRUSTED_PROXIES: z.coerce.number().int().min(0).max(10).default(0),
  RATE_LIMIT_PER_MINUTE: z.coerce.number().int().min(1).default(600),
  /** Places of one event that a buyer may have reserved or locked at once. */
  MAX_HELD_PLACES: z.coerce.number().int().min(1).max(10_000).default(20),
  /** Reservations and seat locks that a buyer may ask for in a minute. */
  HOLDS_PER_MINUTE: z.coerce.number().int().min(1).default(30),
  /** The same for all buyers of one network address; 0 is no limit. */
  HOLDS_PER_MINUTE_AND_ADDRESS: z.coerce.number().int().min(0).default(300),
  ADDRESS_LIMIT_PER_MINUTE: z.coerce.number().int().min(1).default(600),

  DATABASE_OWNER_URL: postgresUrl.optional(),
  DATABASE_URL: postgresUrl.optional(),
  DATABASE_RELAY_URL: postgresUrl.optional(),
  DATABASE_LISTENER_URL: postgresUrl.optional(),
  DATABASE_POOL_SIZE: z.coerce.number().int().min(1).max(200).default(10),

  REDIS_URL: url(['redis', 'rediss']).optional(),
  REDIS_PREFIX: z.string().default(''),
  AMQP_URL: url(['amqp', 'amqps']).optional(),
  AMQP_NAMESPACE: z.string().default(''),

  /** One or several nodes of one chain; the first is asked first. */
  CHAIN_RPC_URL: list.pipe(z.array(url(['http', 'https']))).default([]),
  CHAIN_WS_URL: url(['ws', 'wss']).optional(),
  CHAIN_GENESIS_HASH: z.string().min(32).max(44).optional(),
  CHAIN_PROGRAM_ID: z.string().min(32).max(44).optional(),
  /** Without its currency here an event has no resale on chain. */
  CHAIN_CURRENCIES: coins.default(new Map()),
  CHAIN_PAYERS: z.coerce.number().int().min(1).max(64).default(4),
  /** A fee payer with less is refilled from the treasury, up to the second. */
  CHAIN_PAYER_LOW_SOL: sol.default(1),
  CHAIN_PAYER_FULL_SOL: sol.default(5),
  /** What the treasury sends to all payers within an hour at most. */
  CHAIN_REFILL_LIMIT_SOL: sol.default(100),
  /** What the transactions of one tenant may cost within an hour; beyond it they wait for the next. */
  CHAIN_SPEND_LIMIT_SOL: sol.min(0.01).default(1_000),
  /** In micro-lamports for a unit of compute; without it 0 on every chain but the main network. */
  CHAIN_MAX_PRIORITY_FEE: z.coerce.number().int().min(0).max(1_000_000_000).optional(),
  CHAIN_CHECK_MODE: z.enum(['cached', 'strict']).default('cached'),
  CHAIN_MAX_LAG_SLOTS: z.coerce.number().int().min(1).default(150),
  CHAIN_AIRDROP_SOL: z.coerce.number().min(0).max(1_000_000).default(0),
  SIGNER_KEY_FILE: z.string().optional(),

  JWT_ISSUER: z.string().optional(),
  JWT_AUDIENCE: z.string().default('tessera'),
  JWT_ALGORITHMS: list.pipe(z.array(algorithms).min(1)).default(['EdDSA', 'ES256', 'RS256']),
  JWT_JWKS_URL: url(['http', 'https']).optional(),
  JWT_PUBLIC_KEYS: keySet.optional(),
  JWT_SECRET: z.string().min(32).optional(),

  DOORS_OPEN_MINUTES_BEFORE: z.coerce.number().int().min(0).max(10_080).default(180),
  QR_MASTER_KEYS: keyRing.optional(),
  PAYMENT_PROVIDER: z.enum(['test', 'stripe']).default('test'),
  ALLOW_TEST_PAYMENTS: flag.default(false),
  TEST_WEBHOOK_SECRET: z.string().min(8).default('no-money-no-secret'),
  STRIPE_SECRET_KEY: z.string().optional(),
  STRIPE_WEBHOOK_SECRET: z.string().optional(),
  STRIPE_API_URL: url(['http', 'https']).default('https://api.stripe.com'),
  MAIL_FOLDER: z.string().optional(),
  SMTP_URL: url(['smtp', 'smtps']).optional(),
  MAIL_FROM: z.string().default('Tessera <tickets@localhost>'),
});

export type Config = Readonly<z.output<typeof schema>>;

/** The names of all variables. */
export const variables: readonly string[] = Object.keys(schema.shape);

const required: Record<ProcessName, (keyof Config)[]> = {
  api: ['DATABASE_URL', 'CHAIN_RPC_URL', 'CHAIN_PROGRAM_ID', 'JWT_ISSUER', 'QR_MASTER_KEYS', 'AMQP_URL'],
  background: ['DATABASE_URL', 'DATABASE_RELAY_URL', 'AMQP_URL'],
  'mint-worker': [
    'DATABASE_URL',
    'DATABASE_RELAY_URL',
    'AMQP_URL',
    'CHAIN_RPC_URL',
    'CHAIN_PROGRAM_ID',
    'SIGNER_KEY_FILE',
  ],
  listener: ['DATABASE_LISTENER_URL', 'CHAIN_RPC_URL', 'CHAIN_WS_URL', 'CHAIN_PROGRAM_ID'],
  migrate: ['DATABASE_OWNER_URL'],
  'setup-chain': ['CHAIN_RPC_URL', 'CHAIN_PROGRAM_ID', 'SIGNER_KEY_FILE'],
  'create-tenant': ['DATABASE_URL'],
  drift: ['DATABASE_URL', 'DATABASE_RELAY_URL'],
  'chain-resume': ['DATABASE_URL', 'DATABASE_RELAY_URL'],
  parked: ['DATABASE_URL', 'DATABASE_RELAY_URL'],
  'chain-status': ['DATABASE_LISTENER_URL', 'CHAIN_RPC_URL', 'CHAIN_PROGRAM_ID'],
  'chain-audit': ['DATABASE_LISTENER_URL', 'CHAIN_RPC_URL', 'CHAIN_PROGRAM_ID'],
  'chain-retry': ['DATABASE_LISTENER_URL'],
  up: [],
};

/** Thrown with one sentence per problem; the process prints them and ends. */
export class ConfigError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

/** Reads the configuration of `process` from `env`. Pure; the result is frozen. @throws ConfigError */
export function loadConfig(env: Record<string, string | undefined>, process: ProcessName): Config {
  const given = Object.fromEntries(
    Object.entries(env).filter(([, value]) => value !== undefined && value !== ''),
  );
  const parsed = schema.safeParse(given);
  const issues = parsed.error?.issues ?? [];
  const faulty = new Set(issues.map(({ path }) => String(path[0])));
  const problems = issues.map((issue) => `${issue.path.map(String).join('.')} ${sentence(issue)}.`);
  for (const name of required[process]) {
    if (given[name] === undefined) problems.push(`${name} is not set; the ${process} process needs it.`);
  }
  // What is wrong in itself is told once; the rest is checked as if it were not there.
  const config = parsed.data ?? schema.parse(without(given, faulty));
  const identityFaulty = [...faulty].some((name) => name.startsWith('JWT_'));
  if ((process === 'api' || process === 'up') && !identityFaulty) problems.push(...identityProblems(config));
  if (['api', 'background', 'up'].includes(process) && !PAYMENT_VARIABLES.some((name) => faulty.has(name)))
    problems.push(...paymentProblems(config));
  if (config.CHAIN_PAYER_FULL_SOL < config.CHAIN_PAYER_LOW_SOL) {
    problems.push(
      'CHAIN_PAYER_FULL_SOL must be at least CHAIN_PAYER_LOW_SOL, below which a payer is refilled.',
    );
  }
  if (process === 'background' && !given.SMTP_URL && !given.MAIL_FOLDER) {
    problems.push(
      'SMTP_URL is not set, nor MAIL_FOLDER to write mails into; the background process needs one of them.',
    );
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return Object.freeze(config);
}

const PAYMENT_VARIABLES = ['NODE_ENV', 'PAYMENT_PROVIDER', 'ALLOW_TEST_PAYMENTS'];

function without(
  given: Record<string, string | undefined>,
  names: Set<string>,
): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(given).filter(([name]) => !names.has(name)));
}

function identityProblems(config: Config): string[] {
  const sources = [config.JWT_JWKS_URL, config.JWT_PUBLIC_KEYS, config.JWT_SECRET].filter(
    (s) => s !== undefined,
  );
  const problems: string[] = [];
  if (sources.length !== 1) {
    problems.push(
      'Exactly one of JWT_JWKS_URL, JWT_PUBLIC_KEYS and JWT_SECRET must be set: it verifies tokens.',
    );
  }
  const symmetric = config.JWT_ALGORITHMS.includes('HS256');
  if (symmetric !== (config.JWT_SECRET !== undefined) || (symmetric && config.JWT_ALGORITHMS.length > 1)) {
    problems.push(
      'JWT_ALGORITHMS must be HS256 alone with JWT_SECRET, and must not contain HS256 without it.',
    );
  }
  return problems;
}

function paymentProblems(config: Config): string[] {
  if (config.PAYMENT_PROVIDER === 'stripe') {
    const missing = (['STRIPE_SECRET_KEY', 'STRIPE_WEBHOOK_SECRET'] as const).filter(
      (name) => config[name] === undefined,
    );
    return missing.map((name) => `${name} is not set; PAYMENT_PROVIDER=stripe needs it.`);
  }
  if (config.NODE_ENV !== 'production' || config.ALLOW_TEST_PAYMENTS) return [];
  return [
    'PAYMENT_PROVIDER is test, which takes no money; set ALLOW_TEST_PAYMENTS=true to run it in production.',
  ];
}

/** What is wrong with a variable, without its value: that may be a secret. */
function sentence(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_value':
      return `must be ${issue.values.length > 1 ? 'one of ' : ''}${issue.values.join(', ')}`;
    case 'invalid_type':
      return issue.expected === 'int' ? 'must be a whole number' : `must be a ${issue.expected}`;
    case 'too_small':
      return `must be at least ${issue.minimum}${unitOf(issue.origin)}`;
    case 'too_big':
      return `must be at most ${issue.maximum}${unitOf(issue.origin)}`;
    default:
      return issue.message;
  }
}

function unitOf(origin: string): string {
  if (origin === 'string') return ' characters long';
  return origin === 'array' ? ' of them' : '';
}

/** What is wrong with the coins in `text`; else they are put into `found`. */
function coinsFault(
  text: string,
  found: Map<string, { mint: string; decimals: number }>,
): string | undefined {
  const parsed = z
    .record(z.string(), z.strictObject({ mint: z.string(), decimals: z.int().min(0).max(MAX_DECIMALS) }))
    .safeParse(parseJson(text));
  if (!parsed.success) return `${COINS_SHAPE}, decimals from 0 to ${MAX_DECIMALS}`;
  for (const [currency, coin] of Object.entries(parsed.data)) {
    if (!isCurrency(currency)) return `names ${currency}, which is no currency of ISO 4217`;
    if (!isAddress(coin.mint)) return `gives ${currency} a mint that is no address`;
    if (coin.decimals < minorDigits(currency))
      return `gives ${currency} a coin of ${coin.decimals} decimals, and its minor unit has ${minorDigits(currency)}`;
    if (coin.decimals > minorDigits(currency) + MAX_FINER)
      return `gives ${currency} a coin of ${coin.decimals} decimals, more than ${MAX_FINER} finer than its minor unit`;
    if ([...found.values()].some(({ mint }) => mint === coin.mint))
      return `gives ${currency} a mint that another currency has`;
    found.set(currency, coin);
  }
  return undefined;
}

function isAddress(text: string): boolean {
  return bs58.decodeUnsafe(text)?.length === 32;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isKeySet(text: string): boolean {
  try {
    const { keys } = JSON.parse(text);
    return Array.isArray(keys) && keys.length > 0 && keys.every((key) => typeof key?.kty === 'string');
  } catch {
    return false;
  }
}
