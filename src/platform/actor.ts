import { DomainError } from './errors.ts';
import type { TenantId } from './ids.ts';

export const roles = ['admin', 'organiser', 'support', 'buyer', 'scanner'] as const;
export type Role = (typeof roles)[number];

/** Who asks: always of one tenant, taken from the verified token or key and from nowhere else. */
export type Actor = {
  tenantId: TenantId;
  /** The user for whom this is done; an API key without a user has its own id here. */
  subject: string;
  role: Role;
  via: 'jwt' | 'api_key' | 'worker';
  scopes: readonly string[];
};

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

/** As it is written into histories and logs: `jwt:user_1`. */
export function actorName(actor: Actor): string {
  return `${actor.via}:${actor.subject}`;
}
