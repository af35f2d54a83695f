import { hash } from 'node:crypto';
import { sql } from 'kysely';
import { type Actor, actorName } from './actor.ts';
import { DomainError } from './errors.ts';
import type { TenantTx } from './tenant-tx.ts';

/** Names one request of one principal; the same key of another tenant, principal or route is another request. */
export type IdempotencyKey = { actor: Actor; route: string; key: string; request: unknown };

export type Stored = { status: number; body: unknown };

/**
 * Runs `effect` once per key, in the transaction that also stores its answer. A repetition gets the stored answer.
 * @throws DomainError 409 while the first request runs, 422 when the key came with another request.
 */
export async function idempotently(
  tx: TenantTx,
  id: IdempotencyKey,
  now: Date,
  effect: () => Promise<Stored>,
): Promise<Stored> {
  const principal = actorName(id.actor);
  const row = { tenant_id: id.actor.tenantId, principal, route: id.route, key: id.key };
  const { rows } = await sql<{ free: boolean }>`
    select pg_try_advisory_xact_lock(hashtextextended(${Object.values(row).join('\n')}, 0)) as free`.execute(
    tx,
  );
  if (!rows[0]?.free) throw inFlight();
  const hash = requestHash(id.request);
  const known = await tx
    .selectFrom('idempotency_keys')
    .select(['request_hash', 'status', 'response'])
    .where('tenant_id', '=', row.tenant_id)
    .where('principal', '=', row.principal)
    .where('route', '=', row.route)
    .where('key', '=', row.key)
    .executeTakeFirst();
  if (known) {
    if (!hash.equals(known.request_hash)) throw keyReused();
    if (known.status === null) throw inFlight();
    return { status: known.status, body: known.response };
  }
  const stored = await effect();
  await tx
    .insertInto('idempotency_keys')
    .values({
      ...row,
      request_hash: hash,
      status: stored.status,
      response: JSON.stringify(stored.body),
      created_at: now,
    })
    .execute();
  return stored;
}

/** SHA-256 over the request with its keys in order, so that a client may write them in any. */
export function requestHash(request: unknown): Buffer {
  return hash('sha256', canonical(request), 'buffer');
}

export function inFlight(): DomainError {
  return new DomainError(
    'conflict',
    'idempotency_in_flight',
    'The first request with this key is still running.',
    {
      retryAfter: 1,
    },
  );
}

export function keyReused(): DomainError {
  return new DomainError(
    'unprocessable',
    'idempotency_key_reused',
    'This key was used with another request.',
  );
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? 'null';
  let members = '';
  for (const name of Object.keys(value).sort()) {
    const member = (value as Record<string, unknown>)[name];
    if (member === undefined) continue;
    members += `${members && ','}${JSON.stringify(name)}:${canonical(member)}`;
  }
  return `{${members}}`;
}
