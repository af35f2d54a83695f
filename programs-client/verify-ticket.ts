import { type Commitment, type Connection, PublicKey } from '@solana/web3.js';
import {
  accountDiscriminators,
  decodeClosedEvent,
  decodeEvent,
  decodeTicket,
  type TicketAccount,
} from './accounts.ts';
import { type Address, LOCAL_PROGRAM, TOKEN_2022_PROGRAM, toAddress } from './addresses.ts';
import { mintAddress, ticketAddress, tokenAddress } from './pdas.ts';
import { type Metadata, parseMint, parseTokenAccount } from './token-2022.ts';

export type VerifiedTicket = {
  mint: Address;
  ticket: Address;
  event: Address;
  organizer: Address;
  index: number;
  /** The service's id of the ticket, a UUID's 16 bytes. */
  ticketId: Uint8Array;
  /** Who holds the NFT, by the token account that it is in and by the ticket's account. */
  holder: Address;
  status: 'active' | 'checked_in';
  eventStatus: 'active' | 'cancelled' | 'closed';
  version: number;
  /** Unix seconds. */
  checkedInAt: number | undefined;
  metadata: Metadata;
  /** The slot that all of it was read at. */
  slot: number;
};

export type VerifyOptions = {
  /** 'finalized' by default, which nothing can undo. */
  commitment?: Commitment | undefined;
  /** The program that is trusted; the address of local clusters by default. Anybody can deploy a look-alike. */
  programId?: Address | undefined;
};

/** The mint is no ticket, or no longer one: the message says why. */
export class NotATicketError extends Error {
  override name = 'NotATicketError';
}

/**
 * Checks a ticket without any key and without the service, from the chain alone. Throws a `NotATicketError` for a mint
 * that the program did not make, and for a ticket that was revoked, burned or closed.
 *
 * The way back from a mint: only the ticket's account may edit the mint's metadata, so the metadata names it; from its
 * event and index its own address must follow, and the mint's from that. Nobody but the program can create those.
 */
export async function verifyTicket(
  connection: Connection,
  mint: Address,
  options: VerifyOptions = {},
): Promise<VerifiedTicket> {
  const { commitment = 'finalized', programId = LOCAL_PROGRAM } = options;
  const read = readerOf(connection, commitment);
  // Two reads find the addresses, the last one reads everything at one slot; a transfer in between starts over.
  for (let attempt = 0; attempt < 3; attempt++) {
    const metadata = metadataOf(mint, (await read([mint])).accounts[0], programId);
    const ticket = metadata.updateAuthority;
    const before = ticketOf(ticket, mint, (await read([ticket])).accounts[0], programId);
    const token = tokenAddress(programId, ticket, before.holder);
    const { slot, accounts } = await read([mint, ticket, before.event, token]);
    const [mintAccount, ticketAccount, eventAccount, holding] = accounts;
    const now = ticketOf(ticket, mint, ticketAccount, programId);
    if (now.version !== before.version) continue;
    checkHolding(mint, now, holding);
    return {
      mint,
      ticket,
      event: now.event,
      ...eventOf(eventAccount, programId),
      index: now.index,
      ticketId: now.ticketId,
      holder: now.holder,
      status: now.status === 'checked_in' ? 'checked_in' : 'active',
      version: now.version,
      checkedInAt: now.checkedInAt,
      metadata: metadataOf(mint, mintAccount, programId),
      slot,
    };
  }
  throw new Error('the ticket changed hands at every attempt to read it');
}

type Account = { owner: PublicKey; data: Uint8Array } | null | undefined;

function readerOf(connection: Connection, commitment: Commitment) {
  return async (addresses: Address[]) => {
    const keys = addresses.map((address) => new PublicKey(address));
    const { context, value } = await connection.getMultipleAccountsInfoAndContext(keys, commitment);
    return { slot: context.slot, accounts: value as Account[] };
  };
}

function metadataOf(mint: Address, account: Account, programId: Address): Metadata {
  if (account == null) throw new NotATicketError('there is no such mint: never minted, revoked, or closed');
  const parsed = ownedBy(account, TOKEN_2022_PROGRAM) ? parseMint(account.data) : undefined;
  const metadata = parsed?.metadata;
  if (parsed === undefined || metadata === undefined) {
    throw new NotATicketError('the account is no Token-2022 mint with metadata');
  }
  if (metadata.mint !== mint || mintAddress(programId, metadata.updateAuthority) !== mint) {
    throw new NotATicketError('the mint was not made by the ticketing program');
  }
  if (parsed.supply !== 1n || parsed.decimals !== 0 || parsed.mintAuthority !== undefined) {
    throw new NotATicketError('the mint has no supply of exactly one for ever: its token was burned');
  }
  return metadata;
}

function ticketOf(ticket: Address, mint: Address, account: Account, programId: Address): TicketAccount {
  if (account == null)
    throw new NotATicketError('the ticket was closed after its event; the NFT is a keepsake');
  if (!ownedBy(account, programId))
    throw new NotATicketError('the ticket account belongs to another program');
  const decoded = decodeTicket(account.data);
  if (decoded.mint !== mint || ticketAddress(programId, decoded.event, decoded.index) !== ticket) {
    throw new NotATicketError('the ticket account is of another mint');
  }
  if (decoded.status === 'revoked') throw new NotATicketError('the ticket was revoked');
  return decoded;
}

function checkHolding(mint: Address, ticket: TicketAccount, account: Account): void {
  const token = account && ownedBy(account, TOKEN_2022_PROGRAM) ? parseTokenAccount(account.data) : undefined;
  const held = token?.mint === mint && token.owner === ticket.holder && token.amount === 1n;
  if (!held) throw new NotATicketError('the NFT is not where the ticket account says it is');
}

function eventOf(account: Account, programId: Address): Pick<VerifiedTicket, 'organizer' | 'eventStatus'> {
  if (account == null || !ownedBy(account, programId)) throw new NotATicketError('the event does not exist');
  const closed = accountDiscriminators.closedEvent.every((byte, at) => account.data[at] === byte);
  const { organizer, status } = closed ? decodeClosedEvent(account.data) : decodeEvent(account.data);
  return { organizer, eventStatus: status };
}

function ownedBy(account: { owner: PublicKey }, program: Address): boolean {
  return toAddress(account.owner) === program;
}
