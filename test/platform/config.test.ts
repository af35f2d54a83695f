import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { ConfigError, loadConfig, type ProcessName, variables } from '../../src/config.ts';

const key = () => randomBytes(32).toString('base64');
const address = '1'.repeat(32);
const coin = { mint: 'EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v', decimals: 6 };
const otherCoin = { mint: 'TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA', decimals: 0 };
const COINS = 'must be JSON like {"EUR":{"mint":"<address>","decimals":6}}, decimals from 0 to 9.';

/** As little as the API needs. */
const api = {
  DATABASE_URL: 'postgres://app@db/tessera',
  CHAIN_RPC_URL: 'http://node:8899',
  CHAIN_PROGRAM_ID: address,
  JWT_ISSUER: 'https://id.example',
  JWT_JWKS_URL: 'https://id.example/jwks.json',
  QR_MASTER_KEYS: `1:${key()}`,
  AMQP_URL: 'amqp://broker',
  ALLOW_TEST_PAYMENTS: 'true',
};

function problemsOf(
  env: Record<string, string | undefined>,
  process: ProcessName = 'api',
): readonly string[] {
  try {
    loadConfig(env, process);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    expect(error.message).toBe(error.problems.join('\n'));
    return error.problems;
  }
}

describe('a configuration', () => {
  it('of as little as possible is enough, and cannot be changed', () => {
    const config = loadConfig(api, 'api');
    expect(config).toMatchObject({ NODE_ENV: 'production', HTTP_PORT: 8080, DATABASE_POOL_SIZE: 10 });
    expect(config).toMatchObject({ CHAIN_PAYERS: 4, CHAIN_CURRENCIES: new Map() });
    expect(Object.isFrozen(config)).toBe(true);
    expect(() => Object.assign(config, { HTTP_PORT: 1 })).toThrow(TypeError);
  });

  it('takes an empty variable for one that is not set, and does not mind what is not ours', () => {
    expect(
      loadConfig({ ...api, HTTP_PORT: '', REDIS_URL: '', PATH: '/bin', npm_config_x: 'y' }, 'api'),
    ).toEqual(loadConfig(api, 'api'));
  });

  it('reads lists, keys, flags and numbers', () => {
    const [newest, older] = [key(), key()];
    const config = loadConfig(
      {
        ...api,
        JWT_ALGORITHMS: ' EdDSA , RS256 ',
        QR_MASTER_KEYS: `7:${newest}, 6:${older}`,
        CHAIN_CURRENCIES: JSON.stringify({ EUR: coin, JPY: otherCoin }),
        DATABASE_POOL_SIZE: '50',
      },
      'api',
    );
    expect(config.JWT_ALGORITHMS).toEqual(['EdDSA', 'RS256']);
    expect(config.QR_MASTER_KEYS).toEqual([
      { id: 7, key: new Uint8Array(Buffer.from(newest, 'base64')) },
      { id: 6, key: new Uint8Array(Buffer.from(older, 'base64')) },
    ]);
    expect([...config.CHAIN_CURRENCIES]).toEqual([
      ['EUR', coin],
      ['JPY', otherCoin],
    ]);
    expect(config.DATABASE_POOL_SIZE).toBe(50);
  });
});

it('refuses a payer that would be refilled to less than what it is short of', () => {
  const env = { ...api, CHAIN_PAYER_LOW_SOL: '2', CHAIN_PAYER_FULL_SOL: '1' };
  expect(problemsOf(env)).toEqual([
    'CHAIN_PAYER_FULL_SOL must be at least CHAIN_PAYER_LOW_SOL, below which a payer is refilled.',
  ]);
});

describe('a problem', () => {
  it.each<[ProcessName, string[]]>([
    [
      'api',
      ['DATABASE_URL', 'CHAIN_RPC_URL', 'CHAIN_PROGRAM_ID', 'JWT_ISSUER', 'QR_MASTER_KEYS', 'AMQP_URL'],
    ],
    ['background', ['DATABASE_URL', 'DATABASE_RELAY_URL', 'AMQP_URL']],
    [
      'mint-worker',
      [
        'DATABASE_URL',
        'DATABASE_RELAY_URL',
        'AMQP_URL',
        'CHAIN_RPC_URL',
        'CHAIN_PROGRAM_ID',
        'SIGNER_KEY_FILE',
      ],
    ],
    ['listener', ['DATABASE_LISTENER_URL', 'CHAIN_RPC_URL', 'CHAIN_WS_URL', 'CHAIN_PROGRAM_ID']],
    ['migrate', ['DATABASE_OWNER_URL']],
    ['setup-chain', ['CHAIN_RPC_URL', 'CHAIN_PROGRAM_ID', 'SIGNER_KEY_FILE']],
    ['create-tenant', ['DATABASE_URL']],
  ])('is each variable that %s needs and has not, all at once', (process, names) => {
    const problems = problemsOf({}, process);
    expect(problems.filter((problem) => problem.includes(`the ${process} process needs it`))).toEqual(
      names.map((name) => `${name} is not set; the ${process} process needs it.`),
    );
    for (const problem of problems) expect(problem).toMatch(/^[^\n]+\.$/);
  });

  it.each<[string, string, string]>([
    ['NODE_ENV', 'staging', 'must be one of development, test, production.'],
    ['LOG_LEVEL', 'loud', 'must be one of silent, fatal, error, warn, info, debug, trace.'],
    ['HTTP_PORT', 'eighty', 'must be a number.'],
    ['HTTP_PORT', '80.5', 'must be a whole number.'],
    ['HTTP_PORT', '65536', 'must be at most 65535.'],
    ['HTTP_PORT', '-1', 'must be at least 0.'],
    ['DATABASE_POOL_SIZE', '0', 'must be at least 1.'],
    ['RATE_LIMIT_PER_MINUTE', '0', 'must be at least 1.'],
    ['CHAIN_CURRENCIES', 'EUR', COINS],
    ['CHAIN_CURRENCIES', '[]', COINS],
    ['CHAIN_CURRENCIES', '{"EUR":{"mint":"x"}}', COINS],
    ['CHAIN_CURRENCIES', JSON.stringify({ EUR: { ...coin, decimals: 10 } }), COINS],
    ['CHAIN_CURRENCIES', JSON.stringify({ EUR: { ...coin, decimals: 2.5 } }), COINS],
    ['CHAIN_CURRENCIES', JSON.stringify({ EUR: { ...coin, units: 1 } }), COINS],
    ['CHAIN_CURRENCIES', JSON.stringify({ EURO: coin }), 'names EURO, which is no currency of ISO 4217.'],
    ['CHAIN_CURRENCIES', '{"EUR":{"mint":"x","decimals":6}}', 'gives EUR a mint that is no address.'],
    [
      'CHAIN_CURRENCIES',
      JSON.stringify({ KWD: { ...coin, decimals: 2 } }),
      'gives KWD a coin of 2 decimals, and its minor unit has 3.',
    ],
    [
      'CHAIN_CURRENCIES',
      JSON.stringify({ JPY: { ...coin, decimals: 8 } }),
      'gives JPY a coin of 8 decimals, more than 7 finer than its minor unit.',
    ],
    [
      'CHAIN_CURRENCIES',
      JSON.stringify({ EUR: coin, USD: coin }),
      'gives USD a mint that another currency has.',
    ],
    ['CHAIN_PAYERS', '0', 'must be at least 1.'],
    ['CHAIN_SPEND_LIMIT_SOL', '0', 'must be at least 0.01.'],
    ['CHAIN_MAX_PRIORITY_FEE', '0.5', 'must be a whole number.'],
    ['CHAIN_CHECK_MODE', 'never', 'must be one of cached, strict.'],
    ['CHAIN_PROGRAM_ID', 'short', 'must be at least 32 characters long.'],
    ['DATABASE_URL', 'mysql://db', 'must be a URL starting with postgres:// or postgresql://.'],
    ['DATABASE_URL', 'not a url', 'must be a URL starting with postgres:// or postgresql://.'],
    ['AMQP_URL', 'http://broker', 'must be a URL starting with amqp:// or amqps://.'],
    ['REDIS_URL', 'http://cache', 'must be a URL starting with redis:// or rediss://.'],
    ['SMTP_URL', 'mailto:me', 'must be a URL starting with smtp:// or smtps://.'],
    ['JWT_ALGORITHMS.0', 'none', 'must be one of EdDSA, ES256, RS256, HS256.'],
    ['JWT_ALGORITHMS', ' , ', 'must be at least 1 of them.'],
    ['JWT_SECRET', 'too short', 'must be at least 32 characters long.'],
    ['JWT_PUBLIC_KEYS', 'none', 'must be a JSON Web Key Set, {"keys":[…]}.'],
    ['JWT_PUBLIC_KEYS', '{"keys":[]}', 'must be a JSON Web Key Set, {"keys":[…]}.'],
    ['JWT_PUBLIC_KEYS', 'null', 'must be a JSON Web Key Set, {"keys":[…]}.'],
    ['QR_MASTER_KEYS', 'short', 'must be id:key pairs, id from 0 to 255, key 32 bytes in base64.'],
    ['QR_MASTER_KEYS', `256:${key()}`, 'must be id:key pairs, id from 0 to 255, key 32 bytes in base64.'],
    ['QR_MASTER_KEYS', `:${key()}`, 'must be id:key pairs, id from 0 to 255, key 32 bytes in base64.'],
    ['QR_MASTER_KEYS', `1:${key()},1:${key()}`, 'must not give two keys the same id.'],
    ['ALLOW_TEST_PAYMENTS', 'yes', 'must be one of true, false.'],
    ['TEST_WEBHOOK_SECRET', 'x', 'must be at least 8 characters long.'],
  ])('is %s of %s', (name, value, sentence) => {
    expect(problemsOf({ ...api, [name.split('.')[0] ?? '']: value })).toEqual([`${name} ${sentence}`]);
  });

  it.each<[string, Record<string, string | undefined>, string]>([
    ['no source of keys', { JWT_JWKS_URL: undefined }, 'Exactly one of'],
    ['two sources of keys', { JWT_PUBLIC_KEYS: '{"keys":[{"kty":"OKP"}]}' }, 'Exactly one of'],
    [
      'a symmetric algorithm beside a public key',
      { JWT_ALGORITHMS: 'RS256,HS256' },
      'JWT_ALGORITHMS must be HS256',
    ],
    [
      'a secret with public algorithms',
      { JWT_JWKS_URL: undefined, JWT_SECRET: 's'.repeat(32) },
      'JWT_ALGORITHMS must be HS256',
    ],
    ['play money in production', { ALLOW_TEST_PAYMENTS: undefined }, 'PAYMENT_PROVIDER is test'],
    [
      'a provider without its keys',
      { PAYMENT_PROVIDER: 'stripe', STRIPE_SECRET_KEY: 'k' },
      'STRIPE_WEBHOOK_SECRET is not set; PAYMENT_PROVIDER=stripe needs it.',
    ],
  ])('is %s', (_what, change, sentence) => {
    expect(problemsOf({ ...api, ...change })).toEqual([expect.stringContaining(sentence)]);
  });

  it('is told together with all others', () => {
    const problems = problemsOf({
      HTTP_PORT: 'x',
      LOG_LEVEL: 'loud',
      AMQP_URL: 'http://broker',
      DATABASE_URL: 'postgres://db',
    });
    const about = problems.map((problem) => problem.split(' ')[0]);
    expect(about.toSorted()).toEqual(
      [
        'AMQP_URL',
        'CHAIN_PROGRAM_ID',
        'CHAIN_RPC_URL',
        'Exactly',
        'HTTP_PORT',
        'JWT_ISSUER',
        'LOG_LEVEL',
      ].concat(['PAYMENT_PROVIDER', 'QR_MASTER_KEYS']),
    );
  });

  it('never shows the value: it may be a secret', () => {
    const canary = 'c4n4ry';
    const env = Object.fromEntries(variables.map((name) => [name, canary]));
    const problems = problemsOf(env);
    expect(problems.length).toBeGreaterThan(15);
    for (const problem of problems) expect(problem).not.toContain(canary);
  });
});
