import type { Fields } from './wire.ts';

/** How tickets of an event may change hands; see TransferPolicy in the program. */
export type TransferPolicy = 'open' | 'organizer_approved' | 'resale_only' | 'locked';

export type RevokeReason = 'refunded' | 'chargeback' | 'fraud' | 'event_cancelled' | 'other';

/** Unix seconds, both ends included; 0 leaves an end open. */
export type Windows = {
  transferOpensAt: number;
  transferClosesAt: number;
  checkInOpensAt: number;
  checkInClosesAt: number;
};

export const OPEN_WINDOWS: Windows = {
  transferOpensAt: 0,
  transferClosesAt: 0,
  checkInOpensAt: 0,
  checkInClosesAt: 0,
};

/** Windows as the IDL names them. */
export function windowFields(windows: Windows): Fields {
  return {
    transfer_opens_at: windows.transferOpensAt,
    transfer_closes_at: windows.transferClosesAt,
    check_in_opens_at: windows.checkInOpensAt,
    check_in_closes_at: windows.checkInClosesAt,
  };
}
