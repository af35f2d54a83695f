import type { TenantId } from './ids.ts';

/**
 * A place for what may vanish at any moment. It speeds things up and decides nothing: a failed read is a miss,
 * a failed write is forgotten, and both are counted by the implementation.
 */
export type Cache = {
  get(key: CacheKey): Promise<string | undefined>;
  set(key: CacheKey, value: string, ttlSeconds: number): Promise<void>;
  /** Writes only over an older `version`, so that two writers after two commits cannot leave the older state behind. */
  setNewer(key: CacheKey, value: string, version: bigint, ttlSeconds: number): Promise<void>;
  delete(...keys: CacheKey[]): Promise<void>;
  /** Counts up; the counter ends `ttlSeconds` after its first step. */
  increment(key: CacheKey, ttlSeconds: number): Promise<number>;
  ping(): Promise<boolean>;
  close(): Promise<void>;
};

declare const cacheKeyBrand: unique symbol;
export type CacheKey = string & { readonly [cacheKeyBrand]: true };

type KeyKind =
  | 'event'
  | 'event_tickets'
  | 'transaction'
  | 'ticket'
  | 'seat_lock'
  | 'reservation'
  | 'rate'
  | 'holds'
  | 'idempotency';

/** The only way to a key: the tenant comes first, so no tenant can name another's. */
export function tenantKey(tenantId: TenantId, kind: KeyKind, ...parts: string[]): CacheKey {
  return `t:${tenantId}:${kind}:${parts.join(':')}` as CacheKey;
}

/** Keys that hold no tenant's data: the state of the circuits to other services. */
export function circuitKey(service: string): CacheKey {
  return `circuit:${service}` as CacheKey;
}

/** What `setNewer` stores. */
export function versioned(value: string, version: bigint): string {
  return `${version}|${value}`;
}

/** The value without its version. */
export function unversioned(stored: string): string {
  return stored.slice(stored.indexOf('|') + 1);
}
