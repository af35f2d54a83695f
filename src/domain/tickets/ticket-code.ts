import { createCipheriv, createDecipheriv, randomBytes, sign, verify } from 'node:crypto';
import { uuidBytes, uuidOf } from '../../platform/ids.ts';
import type { CodeKeyRing } from './code-keys.ts';

/** What a code says: which ticket, in whose hands it was then, and when it was made. */
export type CodeContent = { ticketId: string; ownerEpoch: number; issuedAt: Date };

const VERSION = 1;
const CIPHER = 'aes-256-gcm';
const NONCE = 12;
const TAG = 16;
const HEAD = 2 + NONCE;
const CONTENT = 16 + 4 + 4;
const SIGNATURE = 64;
const LENGTH = HEAD + CONTENT + SIGNATURE + TAG;

/**
 * Seals a code for one event: base64url of `version | key id | nonce12 | AES-256-GCM(content | Ed25519 signature) | tag16`.
 * Tenant and event are bound in as associated data and are not inside: the scanner must know them already.
 */
export function sealCode(keys: CodeKeyRing, tenantId: string, eventId: string, content: CodeContent): string {
  const { id, read, sign: signingKey } = keys.current(tenantId, eventId);
  const plain = Buffer.alloc(CONTENT);
  plain.set(uuidBytes(content.ticketId));
  plain.writeUInt32BE(content.ownerEpoch, 16);
  plain.writeUInt32BE(Math.floor(content.issuedAt.getTime() / 1000), 20);
  const head = Buffer.concat([Uint8Array.of(VERSION, id), randomBytes(NONCE)]);
  const context = associatedData(id, tenantId, eventId);
  const signature = sign(null, Buffer.concat([context, plain]), signingKey);
  const cipher = createCipheriv(CIPHER, read, head.subarray(2), { authTagLength: TAG });
  cipher.setAAD(context);
  const sealed = Buffer.concat([
    cipher.update(plain),
    cipher.update(signature),
    cipher.final(),
    cipher.getAuthTag(),
  ]);
  return Buffer.concat([head, sealed]).toString('base64url');
}

/** Opens a code at a gate of `eventId`. Undefined for every kind of wrong code alike. */
export function openCode(
  keys: CodeKeyRing,
  tenantId: string,
  eventId: string,
  code: string,
): CodeContent | undefined {
  if (code.length !== Math.ceil((LENGTH * 4) / 3)) return undefined;
  const bytes = Buffer.from(code, 'base64url');
  if (bytes.length !== LENGTH || bytes.toString('base64url') !== code || bytes[0] !== VERSION)
    return undefined;
  const eventKeys = keys.find(bytes[1] as number, tenantId, eventId);
  if (!eventKeys) return undefined;
  const context = associatedData(eventKeys.id, tenantId, eventId);
  const decipher = createDecipheriv(CIPHER, eventKeys.read, bytes.subarray(2, HEAD), { authTagLength: TAG });
  decipher.setAAD(context);
  decipher.setAuthTag(bytes.subarray(LENGTH - TAG));
  let opened: Buffer;
  try {
    opened = Buffer.concat([decipher.update(bytes.subarray(HEAD, LENGTH - TAG)), decipher.final()]);
  } catch {
    return undefined;
  }
  const plain = opened.subarray(0, CONTENT);
  if (!verify(null, Buffer.concat([context, plain]), eventKeys.verify, opened.subarray(CONTENT)))
    return undefined;
  return {
    ticketId: uuidOf(plain.subarray(0, 16)),
    ownerEpoch: plain.readUInt32BE(16),
    issuedAt: new Date(plain.readUInt32BE(20) * 1000),
  };
}

function associatedData(keyId: number, tenantId: string, eventId: string): Buffer {
  return Buffer.concat([Uint8Array.of(VERSION, keyId), uuidBytes(tenantId), uuidBytes(eventId)]);
}
