import type { Address } from './addresses.ts';
import type { RevokeReason, TransferPolicy, Windows } from './event-rules.ts';

/**
 * What an event of the logs adds to an entry. Logs are cut at 10 kB: `complete` is false where that has cost the
 * event, and the reader must read the ticket's account instead.
 */
type Logged<Known> =
  | ({ complete: true } & Known)
  | ({ complete: false } & { [field in keyof Known]?: undefined });

type At = {
  /** "2" for the third instruction, "2.0" for the first it called, counted through all depths. */
  instructionPath: string;
  /** Entries of the same instruction, from 0. The program writes one each. */
  ordinal: number;
};

type OfTicket = At & {
  event: Address;
  ticket: Address;
  mint: Address;
};

type Stamp = {
  /** Of the ticket, after the change. */
  version: number;
  /** Unix seconds of the cluster's clock. */
  unixTime: number;
};

export type TicketMinted = OfTicket & {
  kind: 'ticket_minted';
  from: undefined;
  to: Address;
  index: number;
  ticketId: Uint8Array;
  faceValue: bigint;
  organizer: Address;
} & Logged<Stamp>;

export type TicketTransferred = OfTicket & {
  kind: 'ticket_transferred';
  from: Address;
  to: Address;
} & Logged<Stamp>;

export type TicketResold = OfTicket & {
  kind: 'ticket_resold';
  from: Address;
  to: Address;
  /** In the smallest unit of the currency. */
  price: bigint;
  /** Undefined for SOL. */
  currencyMint: Address | undefined;
} & Logged<
    Stamp & {
      /** What the seller got; with the two fees it makes the price. */
      proceeds: bigint;
      royalty: bigint;
      protocolFee: bigint;
    }
  >;

export type TicketCheckedIn = OfTicket & {
  kind: 'ticket_checked_in';
  /** The holder, if known; the same as `to`. */
  from: Address | undefined;
  to: Address | undefined;
} & Logged<Stamp>;

export type TicketRevoked = OfTicket & {
  kind: 'ticket_revoked';
  /** Undefined only if incomplete. */
  from: Address | undefined;
  to: undefined;
  reason: RevokeReason;
} & Logged<Stamp>;

export type TicketReissued = OfTicket & {
  kind: 'ticket_reissued';
  /** Undefined only if incomplete. */
  from: Address | undefined;
  to: Address;
} & Logged<Stamp>;

export type TicketClosed = OfTicket & {
  kind: 'ticket_closed';
  /** Undefined only if incomplete. */
  from: Address | undefined;
  /** Still the holder, if the NFT was left to them. */
  to: Address | undefined;
} & Logged<Stamp & { kept: boolean }>;

export type EventChanged = At & {
  kind: 'event_changed';
  event: Address;
  organizer: Address;
} & Logged<{
    gateAuthority: Address;
    maxSupply: number;
    transferPolicy: TransferPolicy;
    windows: Windows;
    status: 'active' | 'cancelled';
    unixTime: number;
  }>;

export type EventClosed = At & { kind: 'event_closed'; event: Address; organizer: Address } & Logged<{
    unixTime: number;
  }>;

export type OrganizerChanged = At & { kind: 'organizer_changed'; organizer: Address } & Logged<{
    tenantId: Uint8Array;
    authority: Address;
    pendingAuthority: Address | undefined;
    feeRecipient: Address;
    resaleFeeBps: number;
    unixTime: number;
  }>;

export type ConfigChanged = At & { kind: 'config_changed'; config: Address } & Logged<{
    admin: Address;
    pendingAdmin: Address | undefined;
    treasury: Address;
    protocolFeeBps: number;
    paused: boolean;
    unixTime: number;
  }>;

export type TicketEntry =
  | TicketMinted
  | TicketTransferred
  | TicketResold
  | TicketCheckedIn
  | TicketRevoked
  | TicketReissued
  | TicketClosed;

/** One thing that the program did in a transaction. */
export type Entry = TicketEntry | EventChanged | EventClosed | OrganizerChanged | ConfigChanged;
