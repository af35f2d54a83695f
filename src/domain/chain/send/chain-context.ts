import type { AppContext } from '../../../context.ts';
import type { Db } from '../../../platform/db.ts';
import type { TenantId } from '../../../platform/ids.ts';
import type { Rpc } from '../rpc/rpc.ts';
import type { KeyRef, Signer } from './signer.ts';

/** What the jobs that write to the chain have beside the rest. Only the mint worker has a signer. */
export type ChainContext = Pick<
  AppContext,
  'config' | 'db' | 'cache' | 'clock' | 'log' | 'metrics' | 'failpoints'
> & {
  /** The same database as a role that finds due work across tenants. */
  relay: Db;
  rpc: Rpc;
  programId: string;
  signer: Signer;
};

const FIRST_PAYERS = 4;

/** Who gets the rents of an event that was made when there were four payers and the hash of an id chose among them. */
export function firstRentRecipient(eventId: string): KeyRef {
  const hash = [...eventId].reduce((sum, character) => (sum * 31 + character.charCodeAt(0)) >>> 0, 0);
  return { use: 'payer', index: hash % FIRST_PAYERS };
}

export function allPayers(count = FIRST_PAYERS): KeyRef[] {
  return Array.from({ length: count }, (_, index) => ({ use: 'payer', index }));
}

/** Every key that has to have money on a chain of one's own. */
export function fundedKeys(payers: number): KeyRef[] {
  return [{ use: 'admin' }, { use: 'treasury' }, ...allPayers(payers)];
}

export function organizerKey(tenantId: TenantId): KeyRef {
  return { use: 'organizer', tenantId };
}
