import type { Address } from '../../../../programs-client/addresses.ts';
import type { TenantTx } from '../../../platform/tenant-tx.ts';
import type { Failure } from './classify-failure.ts';
import type { KeyRef } from './signer.ts';

export type Purpose =
  | 'register_organizer'
  | 'create_event'
  | 'grow_event'
  | 'mint'
  | 'transfer'
  | 'revoke'
  | 'check_in';

/** What a transaction is about; one transaction per purpose and subject may be alive. */
export type Subject = { id: string; ticketId?: string | undefined };

/** A transaction that is still to be written: it depends on who pays and on the moment. */
export type Draft = {
  purpose: Purpose;
  subjects: readonly Subject[];
  /** Sign beside the payer. */
  signers: readonly KeyRef[];
  /** The message that all sign. `units` is given when a simulation said what it takes. */
  write(payer: Address, blockhash: string, units?: number): Uint8Array;
  /** Ask a node first whether it would run: for what failed before. */
  careful?: boolean;
};

/** `superfluous`: another transaction for a subject is alive, or the subject needs none any more. */
export type DraftOutcome = 'kept' | 'superfluous' | Failure;

export type SignedDraft = Pick<Draft, 'purpose' | 'subjects'> & {
  draft: Draft;
  raw: Uint8Array;
  signature: string;
};

/**
 * SQL that must be true when the bytes are kept, and commits with them. Returns the subjects that still need a
 * transaction; their rows are locked, so that nobody else makes one.
 */
export type Claim = (tx: TenantTx, now: Date) => Promise<ReadonlySet<string>>;
