import { randomFillSync } from 'node:crypto';
import { v7 } from 'uuid';

declare const brand: unique symbol;
export type Brand<T, Name extends string> = T & { readonly [brand]: Name };

export type TenantId = Brand<string, 'TenantId'>;

/** Asking the system for 16 bytes at a time took a fifth of the time of a purchase. */
const pool = Buffer.alloc(8_192);
let used = pool.length;

function takeRandom(count: number): Buffer {
  if (used + count > pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += count;
  return pool.subarray(used - count, used);
}

let last = { msecs: 0, seq: 0 };

/** A time-ordered id, later than all before it: it loads 6–8 times faster into a large index than a random one. */
export function newId(): string {
  const random = takeRandom(16);
  const msecs = Date.now();
  // The start leaves room for more ids than a millisecond can take.
  last = msecs > last.msecs ? { msecs, seq: random.readUInt32BE(6) >>> 1 } : { ...last, seq: last.seq + 1 };
  return v7({ random, ...last });
}

let lastAt = { msecs: 0, seq: 0 };

/**
 * The same at a time of the database, for ids whose order among processes decides something: later than all that this
 * process made for the same millisecond.
 */
export function newIdAt(now: Date): string {
  const random = takeRandom(16);
  const msecs = now.getTime();
  lastAt = { msecs, seq: msecs === lastAt.msecs ? lastAt.seq + 1 : random.readUInt32BE(6) >>> 1 };
  return v7({ random, ...lastAt });
}

/** Crockford's base 32: no letter that a reader could take for a digit. */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** `RES_20241203123456_A2B3C4D5`: a prefix, the second in UTC, and 40 random bits. */
export function newCode(prefix: string, now: Date): string {
  const second = now.toISOString().replace(/\D/g, '').slice(0, 14);
  let random = '';
  for (const byte of takeRandom(8)) random += ALPHABET[byte & 31];
  return `${prefix}_${second}_${random}`;
}

export const UUID_PATTERN = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** @throws TypeError when `value` is no lower-case UUID; it may then go into SQL text as it is. */
export function toTenantId(value: string): TenantId {
  if (!UUID_PATTERN.test(value)) throw new TypeError('a tenant id is a lower-case UUID');
  return value as TenantId;
}

/** The 16 bytes of a UUID. */
export function uuidBytes(id: string): Uint8Array {
  return new Uint8Array(Buffer.from(id.replaceAll('-', ''), 'hex'));
}

/** The UUID that 16 bytes spell. */
export function uuidOf(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes).toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
