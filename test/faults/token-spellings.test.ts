import { generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto';
import { expect, it } from 'vitest';
import { createTokenVerifier, type VerifyToken } from '../../src/platform/http/verify-token.ts';

const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const jwk = { ...publicKey.export({ format: 'jwk' }), alg: 'EdDSA', kid: 'k', use: 'sig' };
const tenant = randomUUID();
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

function verifier(): VerifyToken {
  return createTokenVerifier({
    issuer: 'issuer',
    audience: 'tessera',
    algorithms: ['EdDSA'],
    keys: { jwks: JSON.stringify({ keys: [jwk] }) },
    clock: { now: () => new Date() },
  });
}

function token(claims: Record<string, unknown> = {}, key: KeyObject = privateKey): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const text = `${part({ alg: 'EdDSA', typ: 'JWT', kid: 'k' })}.${part({
    iss: 'issuer',
    aud: 'tessera',
    exp: Math.floor(Date.now() / 1000) + 600,
    sub: 'alice',
    tenant,
    role: 'buyer',
    ...claims,
  })}`;
  return `${text}.${sign(null, Buffer.from(text), key).toString('base64url')}`;
}

/** 64 bytes leave four bits over in the last character of their base64: sixteen characters decode alike. */
function* spellings(good: string, count: number): Generator<string> {
  const last = ALPHABET.indexOf(good.at(-1) as string);
  for (let i = 1; i < 16; i++) yield good.slice(0, -1) + ALPHABET[(last & ~15) | ((last + i) & 15)];
  for (let i = 1; i <= count; i++) {
    yield `${good}${'='.repeat(i % 100)}`;
    yield `${good.slice(0, -i % 80)}${' '.repeat(i % 9)}${good.slice(-i % 80)}`;
  }
}

it('has one spelling: no other one of its signature opens', async () => {
  const verify = verifier();
  const good = token();
  await expect(verify(good)).resolves.toMatchObject({ subject: 'alice' });
  let asked = 0;
  for (const other of spellings(good, 500)) {
    if (other === good) continue;
    asked++;
    await expect(verify(other), other.slice(-100)).rejects.toMatchObject({ code: 'unauthenticated' });
  }
  expect(asked).toBeGreaterThan(900);
  await expect(verify(good)).resolves.toMatchObject({ subject: 'alice' });
});

it('that is longer than one can be is refused before its signature is looked at', async () => {
  const long = token({ padding: 'x'.repeat(9_000) });
  await expect(verifier()(long)).rejects.toMatchObject({ code: 'unauthenticated', cause: 'malformed' });
});

it.each([
  'wallet:9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM',
  'Wallet:x',
  'wallet:',
  'worker:background',
  'system:x',
  'api_key:1',
])('whose subject is a name that we give ourselves (%s) opens nothing', async (sub) => {
  await expect(verifier()(token({ sub }))).rejects.toMatchObject({ cause: 'bad_subject' });
});

it.each(['auth0|wallet:1', 'wallet', 'wallets:1', 'x-wallet:1'])(
  'may be of somebody called %s',
  async (sub) => {
    await expect(verifier()(token({ sub }))).resolves.toMatchObject({ subject: sub });
  },
);
