import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { type TenantId, toTenantId, uuidBytes, uuidOf } from '../../platform/ids.ts';

const PREFIX = 'tk_live_';
const SECRET_BYTES = 24;

export type ParsedApiKey = { tenantId: TenantId; id: string; secret: Uint8Array };

/** `tk_live_` and, in base64url, tenant, key id and a 192-bit secret: the tenant is known before any row is read. */
export function formatApiKey(tenantId: string, id: string): { text: string; secretHash: Buffer } {
  const secret = randomBytes(SECRET_BYTES);
  const text = PREFIX + Buffer.concat([uuidBytes(tenantId), uuidBytes(id), secret]).toString('base64url');
  return { text, secretHash: hashSecret(secret) };
}

export function isApiKey(text: string): boolean {
  return text.startsWith(PREFIX);
}

/** Undefined for anything that no call of `formatApiKey` wrote. */
export function parseApiKey(text: string): ParsedApiKey | undefined {
  const body = text.slice(PREFIX.length);
  const bytes = Buffer.from(body, 'base64url');
  if (!isApiKey(text) || bytes.length !== 32 + SECRET_BYTES || bytes.toString('base64url') !== body)
    return undefined;
  return {
    tenantId: toTenantId(uuidOf(bytes.subarray(0, 16))),
    id: uuidOf(bytes.subarray(16, 32)),
    secret: bytes.subarray(32),
  };
}

/** SHA-256 is enough for a random secret: there is nothing to guess. */
export function hashSecret(secret: Uint8Array): Buffer {
  return createHash('sha256').update(secret).digest();
}

export function matchesHash(secret: Uint8Array, hash: Buffer): boolean {
  const own = hashSecret(secret);
  return own.length === hash.length && timingSafeEqual(own, hash);
}
