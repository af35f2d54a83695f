import { DomainError } from './errors.ts';
import type { TenantId } from './ids.ts';

export const roles = ['admin', 'organiser', 'support', 'buyer', 'scanner'] as const;
export type Role = (typeof roles)[number];

/** Who asks: always of one tenant, taken from the verified token or key and from nowhere else. */
export type Actor = {
  tenantId: TenantId;
  /** The user for whom this is done; an API key without a user has its own id here. */
  subject: string;
  /** In lower case; an address that the identity provider vouches for. What somebody typed is never here. */
  verifiedEmail?: string;
  role: Role;
  via: 'jwt' | 'api_key' | 'worker';
  scopes: readonly string[];
  /** The API key in whose name this is asked for a user. */
  keyId?: string;
};

/** The right to transfer tickets of others, which staff do not have by being staff; admins give it to keys and tokens. */
export const TRANSFER_FOR_OTHERS = 'transfer_for_others';

export function mayTransferForOthers(actor: Actor): boolean {
  return actor.role === 'admin' || (isStaff(actor) && actor.scopes.includes(TRANSFER_FOR_OTHERS));
}

const STAFF: readonly Role[] = ['admin', 'organiser', 'support'];

export function isStaff(actor: Actor): boolean {
  return STAFF.includes(actor.role);
}

/** @throws DomainError forbidden when the actor has none of `allowed`; an admin may do what an organiser may. */
export function requireRole(actor: Actor, ...allowed: Role[]): void {
  if (allowed.includes(actor.role)) return;
  if (actor.role === 'admin' && allowed.includes('organiser')) return;
  throw new DomainError('forbidden', 'forbidden', `This needs the role ${allowed.join(' or ')}.`);
}

/**
 * As it is written into histories, logs and idempotency rows: `jwt:user_1`, `api_key:{id}`, and `api_key:{id}/user_1` for
 * a user whom a key names. The key is always in it, so nobody gets another's name by naming them.
 */
export function actorName({ via, subject, keyId }: Actor): string {
  return keyId === undefined ? `${via}:${subject}` : `${via}:${keyId}/${subject}`;
}
