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
  /** The most compute units that it needs, as far as is known without a simulation. */
  units: number;
  /** Bytes of each account that it makes, for whose rent somebody has to have the money. */
  accounts: readonly number[];
  /** The message that all sign. */
  write(terms: Terms): Uint8Array;
  /** Ask a node first whether it would run: for what failed before. */
  careful?: boolean;
};

/** What is decided when a draft is signed. */
export type Terms = {
  payer: Address;
  /** In base58. */
  blockhash: string;
  /** What a simulation said that it takes; else the draft knows. */
  units?: number | undefined;
  /** In micro-lamports a unit; 0 for none. */
  unitPrice: number;
};

/** `superfluous`: another transaction for a subject is alive, or the subject needs none any more. */
export type DraftOutcome = 'kept' | 'superfluous' | Failure;

export type SignedDraft = Pick<Draft, 'purpose' | 'subjects'> & {
  draft: Draft;
  raw: Uint8Array;
  signature: string;
  payer: Address;
  /** What it costs at most. */
  lamports: bigint;
};

/**
 * SQL that must be true when the bytes are kept, and commits with them. Returns those of `wanted` that still need a
 * transaction; their rows are locked, so that nobody else makes one.
 */
export type Claim = (tx: TenantTx, now: Date, wanted: ReadonlySet<string>) => Promise<ReadonlySet<string>>;
