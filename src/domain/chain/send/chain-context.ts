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

const PAYERS = 4;

/** Payers take turns, so that transactions do not queue behind one account. */
export function payerFor(id: string): KeyRef {
  const hash = [...id].reduce((sum, character) => (sum * 31 + character.charCodeAt(0)) >>> 0, 0);
  return { use: 'payer', index: hash % PAYERS };
}

export function allPayers(): KeyRef[] {
  return Array.from({ length: PAYERS }, (_, index) => ({ use: 'payer', index }));
}

export function organizerKey(tenantId: TenantId): KeyRef {
  return { use: 'organizer', tenantId };
}
