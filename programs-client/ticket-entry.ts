import type { Address } from './addresses.ts';
import type { TicketCheckedIn, TicketClosed, TicketEntry, TicketMinted, TicketResold } from './entries.ts';
import type { RevokeReason } from './event-rules.ts';
import { mintAddress } from './pdas.ts';
import { accountOf, loggedAs, placeOf, type Ran } from './ran.ts';
import type { Fields } from './wire.ts';

/** The entry of an instruction on a ticket. */
export function ticketEntry(ran: Ran): TicketEntry {
  switch (ran.name) {
    case 'mint_ticket':
      return minted(ran);
    case 'resell':
      return resold(ran);
    case 'close_ticket':
      return closed(ran);
    case 'transfer_ticket': {
      const who = { from: accountOf(ran, 'holder'), to: accountOf(ran, 'to') };
      return {
        kind: 'ticket_transferred',
        ...ticketOf(ran),
        ...who,
        ...stamp(loggedAs(ran, 'TicketTransferred')),
      };
    }
    case 'reissue': {
      const logged = loggedAs(ran, 'TicketReissued');
      const who = { from: logged?.from as Address | undefined, to: accountOf(ran, 'to') };
      return { kind: 'ticket_reissued', ...ticketOf(ran), ...who, ...stamp(logged) };
    }
    case 'revoke': {
      const logged = loggedAs(ran, 'TicketRevoked');
      const who = { from: logged?.from as Address | undefined, to: undefined };
      const reason = ran.args.reason as RevokeReason;
      return { kind: 'ticket_revoked', ...ticketOf(ran), ...who, reason, ...stamp(logged) };
    }
    case 'check_in':
      return checkedIn(ran);
    default:
      throw new Error(`no entry is known for the instruction ${ran.name}`);
  }
}

function minted(ran: Ran): TicketMinted {
  return {
    kind: 'ticket_minted',
    ...ticketOf(ran),
    from: undefined,
    to: accountOf(ran, 'holder'),
    organizer: accountOf(ran, 'organizer'),
    index: ran.args.index as number,
    ticketId: ran.args.id as Uint8Array,
    faceValue: ran.args.face_value as bigint,
    ...stamp(loggedAs(ran, 'TicketMinted')),
  };
}

function resold(ran: Ran): TicketResold {
  const currency = accountOf(ran, 'currency_mint');
  const what = {
    kind: 'ticket_resold',
    ...ticketOf(ran),
    from: accountOf(ran, 'seller'),
    to: accountOf(ran, 'buyer'),
    price: ran.args.price as bigint,
    currencyMint: currency === ran.programId ? undefined : currency,
  } as const;
  const logged = loggedAs(ran, 'TicketResold');
  if (logged === undefined) return { ...what, complete: false };
  return {
    ...what,
    ...known(logged),
    proceeds: logged.proceeds as bigint,
    royalty: logged.royalty as bigint,
    protocolFee: logged.protocol_fee as bigint,
  };
}

function checkedIn(ran: Ran): TicketCheckedIn {
  const logged = loggedAs(ran, 'TicketCheckedIn');
  const holder = logged?.holder as Address | undefined;
  return { kind: 'ticket_checked_in', ...ticketOf(ran), from: holder, to: holder, ...stamp(logged) };
}

function closed(ran: Ran): TicketClosed {
  const logged = loggedAs(ran, 'TicketClosed');
  const what = { kind: 'ticket_closed', ...ticketOf(ran) } as const;
  if (logged === undefined) return { ...what, from: undefined, to: undefined, complete: false };
  const from = logged.from as Address;
  const kept = logged.kept as boolean;
  return { ...what, from, to: kept ? from : undefined, kept, ...known(logged) };
}

/** The mint's address follows from the ticket's, also where the instruction does not name it. */
function ticketOf(ran: Ran) {
  const ticket = accountOf(ran, 'ticket');
  const mint = ran.accounts.mint ?? mintAddress(ran.programId, ticket);
  return { ...placeOf(ran), event: accountOf(ran, 'event'), ticket, mint };
}

function stamp(logged: Fields | undefined) {
  return logged === undefined ? ({ complete: false } as const) : known(logged);
}

function known(logged: Fields) {
  return { complete: true, version: logged.version as number, unixTime: Number(logged.unix_time) } as const;
}
