import type { Address } from './addresses.ts';
import type { ConfigChanged, Entry, EventChanged, EventClosed, OrganizerChanged } from './entries.ts';
import type { TransferPolicy } from './event-rules.ts';
import { accountOf, loggedAs, placeOf, present, type Ran } from './ran.ts';
import { ticketEntry } from './ticket-entry.ts';

/** The entry that an instruction stands for. */
export function entryOf(ran: Ran): Entry {
  switch (ran.name) {
    case 'init_config':
    case 'set_config':
    case 'propose_admin':
    case 'accept_admin':
      return configChanged(ran);
    case 'register_organizer':
    case 'update_organizer':
    case 'propose_organizer_authority':
    case 'accept_organizer_authority':
      return organizerChanged(ran);
    case 'create_event':
    case 'update_event':
    case 'cancel_event':
      return eventChanged(ran);
    case 'close_event':
      return eventClosed(ran);
    default:
      return ticketEntry(ran);
  }
}

function configChanged(ran: Ran): ConfigChanged {
  const what = { kind: 'config_changed', ...placeOf(ran), config: accountOf(ran, 'config') } as const;
  const logged = loggedAs(ran, 'ConfigChanged');
  if (logged === undefined) return { ...what, complete: false };
  return {
    ...what,
    complete: true,
    admin: logged.admin as Address,
    pendingAdmin: present(logged.pending_admin),
    treasury: logged.treasury as Address,
    protocolFeeBps: logged.protocol_fee_bps as number,
    paused: logged.paused as boolean,
    unixTime: Number(logged.unix_time),
  };
}

function organizerChanged(ran: Ran): OrganizerChanged {
  const organizer = accountOf(ran, 'organizer');
  const what = { kind: 'organizer_changed', ...placeOf(ran), organizer } as const;
  const logged = loggedAs(ran, 'OrganizerChanged');
  if (logged === undefined) return { ...what, complete: false };
  return {
    ...what,
    complete: true,
    tenantId: logged.tenant as Uint8Array,
    authority: logged.authority as Address,
    pendingAuthority: present(logged.pending_authority),
    feeRecipient: logged.fee_recipient as Address,
    resaleFeeBps: logged.resale_fee_bps as number,
    unixTime: Number(logged.unix_time),
  };
}

function eventChanged(ran: Ran): EventChanged {
  const event = accountOf(ran, 'event');
  const organizer = accountOf(ran, 'organizer');
  const what = { kind: 'event_changed', ...placeOf(ran), event, organizer } as const;
  const logged = loggedAs(ran, 'EventChanged');
  if (logged === undefined) return { ...what, complete: false };
  return {
    ...what,
    complete: true,
    gateAuthority: logged.gate_authority as Address,
    maxSupply: logged.max_supply as number,
    transferPolicy: logged.transfer_policy as TransferPolicy,
    windows: {
      transferOpensAt: Number(logged.transfer_opens_at),
      transferClosesAt: Number(logged.transfer_closes_at),
      checkInOpensAt: Number(logged.check_in_opens_at),
      checkInClosesAt: Number(logged.check_in_closes_at),
    },
    status: logged.status as 'active' | 'cancelled',
    unixTime: Number(logged.unix_time),
  };
}

function eventClosed(ran: Ran): EventClosed {
  const event = accountOf(ran, 'event');
  const organizer = accountOf(ran, 'organizer');
  const what = { kind: 'event_closed', ...placeOf(ran), event, organizer } as const;
  const logged = loggedAs(ran, 'EventClosed');
  if (logged === undefined) return { ...what, complete: false };
  return { ...what, complete: true, unixTime: Number(logged.unix_time) };
}
