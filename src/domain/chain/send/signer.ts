import type { TenantId } from '../../../platform/ids.ts';

/** Which key: what it is for, never the key itself. */
export type KeyRef =
  /** Administers the program's config and registers organizers. */
  | { use: 'admin' }
  /** Pays rent and fees; several, so that transactions do not queue behind one account. */
  | { use: 'payer'; index: number }
  /** Refills the payers, and gets the rents of events back. */
  | { use: 'treasury' }
  /** Signs for a tenant's events: create, mint, revoke. */
  | { use: 'organizer'; tenantId: TenantId }
  /** Signs check-ins of a tenant's events. */
  | { use: 'gate'; tenantId: TenantId }
  /** The wallet kept for a user, derived from the tenant's seed. */
  | { use: 'custodial'; tenantId: TenantId; userId: string };

/** Keys that sign for the chain. A KMS or HSM can stand behind it: nothing here ever returns a private key. */
export type Signer = {
  /** The base58 address of a key. */
  address(key: KeyRef): Promise<string>;
  /** The 64-byte Ed25519 signature of `message`. */
  sign(key: KeyRef, message: Uint8Array): Promise<Uint8Array>;
};
