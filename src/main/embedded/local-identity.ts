import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { exportJWK, generateKeyPair, importJWK, type JWK, SignJWT } from 'jose';
import type { Role } from '../../platform/actor.ts';

/** An identity provider for one machine: it makes the tokens that the demo and the developer use. */
export type LocalIdentity = {
  issuer: string;
  audience: string;
  /** Public keys as a JWK set, for JWT_PUBLIC_KEYS. */
  publicKeys: string;
  /** For QR_MASTER_KEYS. */
  codeKeys: string;
  issueToken(claims: { tenantId: string; subject: string; role: Role }): Promise<string>;
};

type Secrets = { privateJwk: JWK; codeKey: string };

const ISSUER = 'tessera-local';
const AUDIENCE = 'tessera';

export async function openLocalIdentity(path: string): Promise<LocalIdentity> {
  const secrets = await readOrCreate(path);
  const { d: _private, ...publicJwk } = secrets.privateJwk;
  const privateKey = await importJWK(secrets.privateJwk, 'EdDSA');
  return {
    issuer: ISSUER,
    audience: AUDIENCE,
    publicKeys: JSON.stringify({ keys: [publicJwk] }),
    codeKeys: `1:${secrets.codeKey}`,
    issueToken: ({ tenantId, subject, role }) =>
      new SignJWT({ tenant: tenantId, role })
        .setProtectedHeader({ alg: 'EdDSA', typ: 'JWT', kid: 'local' })
        .setSubject(subject)
        .setIssuer(ISSUER)
        .setAudience(AUDIENCE)
        .setIssuedAt()
        .setExpirationTime('30d')
        .sign(privateKey),
  };
}

async function readOrCreate(path: string): Promise<Secrets> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Secrets;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const { privateKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true });
  const privateJwk = { ...(await exportJWK(privateKey)), alg: 'EdDSA', kid: 'local', use: 'sig' };
  const secrets = { privateJwk, codeKey: randomBytes(32).toString('base64') };
  await writeFile(path, `${JSON.stringify(secrets)}\n`, { mode: 0o600 });
  return secrets;
}
