import { fork } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { SignJWT } from 'jose';
import { Client } from 'undici';

export type Api = {
  url: string;
  /** The connection of a caller, numbered from 0; it stays open from one measurement to the next. */
  caller(number: number): Client;
  stop(): Promise<void>;
};

const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const jwk = { ...publicKey.export({ format: 'jwk' }), alg: 'EdDSA', kid: 'bench', use: 'sig' };

/** What makes a process believe the tokens of `issueToken`. */
export const identity = {
  JWT_ISSUER: 'tessera-bench',
  JWT_AUDIENCE: 'tessera',
  JWT_ALGORITHMS: 'EdDSA',
  JWT_PUBLIC_KEYS: JSON.stringify({ keys: [jwk] }),
};

/** Starts the API on the database at `databaseUrl`, or on canned answers without one. */
export async function startApi(databaseUrl: string | undefined): Promise<Api> {
  const env = {
    PATH: process.env.PATH,
    NODE_ENV: 'test',
    LOG_LEVEL: 'error',
    RATE_LIMIT_PER_MINUTE: '1000000',
    HOLDS_PER_MINUTE: '1000000',
    MAX_HELD_PLACES: '10000',
    DATABASE_URL: databaseUrl ?? 'postgres://nobody@127.0.0.1:1/nothing',
    CHAIN_PROGRAM_ID: 'TesseraTicket111111111111111111111111111111',
    QR_MASTER_KEYS: `1:${randomBytes(32).toString('base64')}`,
    ...identity,
  };
  const script = fileURLToPath(new URL('./serve.ts', import.meta.url));
  const child = fork(script, databaseUrl === undefined ? ['--canned'] : [], { env });
  const [ready] = (await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(([code]) => {
      throw new Error(`the API ended with ${code} before it listened`);
    }),
  ])) as [{ url: string }];
  const callers: Client[] = [];
  return {
    url: ready.url,
    caller(number) {
      callers[number] ??= new Client(ready.url, { pipelining: 1 });
      return callers[number];
    },
    async stop() {
      await Promise.all(callers.map((client) => client.destroy()));
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
    },
  };
}

export function issueToken(tenantId: string, subject: string, role = 'buyer'): Promise<string> {
  return new SignJWT({ tenant: tenantId, role })
    .setProtectedHeader({ alg: 'EdDSA', typ: 'JWT', kid: 'bench' })
    .setSubject(subject)
    .setIssuer('tessera-bench')
    .setAudience('tessera')
    .setIssuedAt()
    .setExpirationTime('24h')
    .sign(privateKey);
}
