/** The program's accounts as plain objects. Decoding throws on another discriminator, length or layout. */
import { type Address, NO_ADDRESS } from './addresses.ts';
import type { RevokeReason, TransferPolicy, Windows } from './event-rules.ts';
import { accountDiscriminator, accountSize, decodeAccount, type Fields } from './wire.ts';

/** Bytes of each account. Rent-exempt lamports: `connection.getMinimumBalanceForRentExemption(size)`. */
export const accountSizes = {
  config: accountSize('Config'),
  organizer: accountSize('Organizer'),
  event: accountSize('Event'),
  closedEvent: accountSize('ClosedEvent'),
  ticket: accountSize('Ticket'),
  /** The token account that holds a ticket. */
  token: 165,
};

/** First eight bytes of each account, for filters. A ticket's event is at byte 10, an event's organizer too. */
export const accountDiscriminators = {
  config: accountDiscriminator('Config'),
  organizer: accountDiscriminator('Organizer'),
  event: accountDiscriminator('Event'),
  closedEvent: accountDiscriminator('ClosedEvent'),
  ticket: accountDiscriminator('Ticket'),
};

export type ConfigAccount = {
  admin: Address;
  pendingAdmin: Address | undefined;
  treasury: Address;
  /** In 1/100 of a percent. */
  protocolFeeBps: number;
  paused: boolean;
};

export function decodeConfig(data: Uint8Array): ConfigAccount {
  const fields = decodeAccount('Config', data);
  return {
    admin: fields.admin as Address,
    pendingAdmin: present(fields.pending_admin as Address),
    treasury: fields.treasury as Address,
    protocolFeeBps: fields.protocol_fee_bps as number,
    paused: fields.paused as boolean,
  };
}

export type OrganizerAccount = {
  tenantId: Uint8Array;
  authority: Address;
  pendingAuthority: Address | undefined;
  feeRecipient: Address;
  /** In 1/100 of a percent. */
  resaleFeeBps: number;
};

export function decodeOrganizer(data: Uint8Array): OrganizerAccount {
  const fields = decodeAccount('Organizer', data);
  return {
    tenantId: fields.tenant as Uint8Array,
    authority: fields.authority as Address,
    pendingAuthority: present(fields.pending_authority as Address),
    feeRecipient: fields.fee_recipient as Address,
    resaleFeeBps: fields.resale_fee_bps as number,
  };
}

export type EventAccount = {
  organizer: Address;
  eventId: Uint8Array;
  gateAuthority: Address;
  /** Undefined for SOL. */
  currencyMint: Address | undefined;
  rentRecipient: Address;
  maxSupply: number;
  /** In 1/100 of a percent of the face value. */
  resaleCapBps: number;
  transferPolicy: TransferPolicy;
  keepCollectible: boolean;
  windows: Windows;
  status: 'active' | 'cancelled';
};

/** Throws for a closed event too: that is an account of its own, see `decodeClosedEvent`. */
export function decodeEvent(data: Uint8Array): EventAccount {
  const fields = decodeAccount('Event', data);
  const windows = fields.windows as Fields;
  return {
    organizer: fields.organizer as Address,
    eventId: fields.id as Uint8Array,
    gateAuthority: fields.gate_authority as Address,
    currencyMint: present(fields.currency_mint as Address),
    rentRecipient: fields.rent_recipient as Address,
    maxSupply: fields.max_supply as number,
    resaleCapBps: fields.resale_cap_bps as number,
    transferPolicy: fields.transfer_policy as TransferPolicy,
    keepCollectible: fields.keep_collectible as boolean,
    windows: {
      transferOpensAt: Number(windows.transfer_opens_at),
      transferClosesAt: Number(windows.transfer_closes_at),
      checkInOpensAt: Number(windows.check_in_opens_at),
      checkInClosesAt: Number(windows.check_in_closes_at),
    },
    status: fields.status as 'active' | 'cancelled',
  };
}

export type ClosedEventAccount = {
  organizer: Address;
  eventId: Uint8Array;
  rentRecipient: Address;
  keepCollectible: boolean;
  status: 'closed';
};

/** What stays of an event after `closeEvent`. */
export function decodeClosedEvent(data: Uint8Array): ClosedEventAccount {
  const fields = decodeAccount('ClosedEvent', data);
  return {
    organizer: fields.organizer as Address,
    eventId: fields.id as Uint8Array,
    rentRecipient: fields.rent_recipient as Address,
    keepCollectible: fields.keep_collectible as boolean,
    status: 'closed',
  };
}

export type TicketAccount = {
  event: Address;
  index: number;
  ticketId: Uint8Array;
  mint: Address;
  /** The last holder, if the ticket is revoked. */
  holder: Address;
  /** In the smallest unit of the event's currency. */
  faceValue: bigint;
  status: 'active' | 'checked_in' | 'revoked';
  /** 1 when minted, one more at every change. */
  version: number;
  /** Unix seconds. */
  checkedInAt: number | undefined;
  revokeReason: RevokeReason | undefined;
};

export function decodeTicket(data: Uint8Array): TicketAccount {
  const fields = decodeAccount('Ticket', data);
  return {
    event: fields.event as Address,
    index: fields.index as number,
    ticketId: fields.id as Uint8Array,
    mint: fields.mint as Address,
    holder: fields.holder as Address,
    faceValue: fields.face_value as bigint,
    status: fields.status as TicketAccount['status'],
    version: fields.version as number,
    checkedInAt: Number(fields.checked_in_at) || undefined,
    revokeReason: fields.revoke_reason === 'none' ? undefined : (fields.revoke_reason as RevokeReason),
  };
}

function present(address: Address): Address | undefined {
  return address === NO_ADDRESS ? undefined : address;
}
