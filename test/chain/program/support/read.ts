/** Accounts of a test chain, decoded. */
import type { LiteSVM } from 'litesvm';
import {
  type ConfigAccount,
  decodeConfig,
  decodeEvent,
  decodeOrganizer,
  decodeTicket,
  type EventAccount,
  type OrganizerAccount,
  type TicketAccount,
} from '../../../../programs-client/accounts.ts';
import type { Address } from '../../../../programs-client/addresses.ts';
import { configAddress, ticketAddresses, tokenAddress } from '../../../../programs-client/pdas.ts';
import {
  type Mint,
  parseMint,
  parseTokenAccount,
  type TokenAccount,
} from '../../../../programs-client/token-2022.ts';
import { account, PROGRAM } from './chain.ts';

export const readConfig = (svm: LiteSVM): ConfigAccount => decodeConfig(dataOf(svm, configAddress(PROGRAM)));

export const readOrganizer = (svm: LiteSVM, organizer: Address): OrganizerAccount =>
  decodeOrganizer(dataOf(svm, organizer));

export const readEvent = (svm: LiteSVM, event: Address): EventAccount => decodeEvent(dataOf(svm, event));

export const readTicket = (svm: LiteSVM, event: Address, index: number): TicketAccount =>
  decodeTicket(dataOf(svm, ticketAddresses(PROGRAM, event, index).ticket));

/** The NFT's mint; undefined if it is closed. */
export function readMint(svm: LiteSVM, event: Address, index: number): Mint | undefined {
  const found = account(svm, ticketAddresses(PROGRAM, event, index).mint);
  return found && parseMint(found.data);
}

/** The token account that a holder has for a ticket; undefined if there is none. */
export function readToken(
  svm: LiteSVM,
  event: Address,
  index: number,
  holder: Address,
): TokenAccount | undefined {
  const { ticket } = ticketAddresses(PROGRAM, event, index);
  const found = account(svm, tokenAddress(PROGRAM, ticket, holder));
  return found && parseTokenAccount(found.data);
}

export const lamportsOf = (svm: LiteSVM, address: Address): bigint => account(svm, address)?.lamports ?? 0n;

function dataOf(svm: LiteSVM, address: Address): Uint8Array {
  const found = account(svm, address);
  if (found === undefined) throw new Error(`there is no account at ${address}`);
  return found.data;
}
