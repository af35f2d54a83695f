import type { TenantId } from '../../../platform/ids.ts';
import type { Purpose } from './draft.ts';

/** A transaction that was kept, and is not known to have come to anything; with what it takes to decide on it. */
export type Pending = {
  tenantId: TenantId;
  id: string;
  purpose: Purpose;
  subjectId: string;
  ticketId: string | null;
  eventId: string | null;
  account: string | null;
  attempt: number;
  signature: string;
  raw: Buffer;
  lastValid: bigint;
  missed: number;
  preparedAt: Date;
  /** What was counted for it; the other row of a shared transaction has none. */
  lamports: bigint;
};
