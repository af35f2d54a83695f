/** Where the program keeps its accounts. All of them follow from the program's address and a few ids. */
import {
  type Address,
  ASSOCIATED_TOKEN_PROGRAM,
  addressBytes,
  TOKEN_2022_PROGRAM,
  UPGRADEABLE_LOADER,
} from './addresses.ts';
import { findAddress } from './find-address.ts';

export function configAddress(programId: Address): Address {
  return remembered(`${programId} config`, () => derive(programId, 'config'));
}

/** @param tenantId the tenant's UUID, 16 bytes */
export function organizerAddress(programId: Address, tenantId: Uint8Array): Address {
  return derive(programId, 'org', id16(tenantId));
}

/** @param eventId the event's UUID, 16 bytes */
export function eventAddress(programId: Address, organizer: Address, eventId: Uint8Array): Address {
  return derive(programId, 'event', addressBytes(organizer), id16(eventId));
}

/** Holds every authority over an event's mints and token accounts. */
export function authAddress(programId: Address, event: Address): Address {
  return remembered(`${programId} auth ${event}`, () => derive(programId, 'auth', addressBytes(event)));
}

/** @param index the ticket's number within the event, from 0, below its max supply */
export function ticketAddress(programId: Address, event: Address, index: number): Address {
  if (!Number.isInteger(index) || index < 0 || index > 0xffffffff) {
    throw new RangeError(`a ticket's index is a 32-bit number, not ${index}`);
  }
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, index, true);
  return derive(programId, 'ticket', addressBytes(event), bytes);
}

export function mintAddress(programId: Address, ticket: Address): Address {
  return derive(programId, 'mint', addressBytes(ticket));
}

/** The token account that holds a ticket for a holder. Not their associated token account: see docs/program.md. */
export function tokenAddress(programId: Address, ticket: Address, holder: Address): Address {
  return derive(programId, 'token', addressBytes(ticket), addressBytes(holder));
}

export function ticketAddresses(
  programId: Address,
  event: Address,
  index: number,
): { ticket: Address; mint: Address } {
  const ticket = ticketAddress(programId, event, index);
  return { ticket, mint: mintAddress(programId, ticket) };
}

/** A holder's associated token account, which resales in a currency are paid from and to. */
export function associatedTokenAddress(
  mint: Address,
  holder: Address,
  tokenProgram: Address = TOKEN_2022_PROGRAM,
): Address {
  const seeds = [addressBytes(holder), addressBytes(tokenProgram), addressBytes(mint)];
  return findAddress(seeds, ASSOCIATED_TOKEN_PROGRAM).address;
}

/** Where the upgradeable loader keeps a program's code and upgrade authority. */
export function programDataAddress(programId: Address): Address {
  return findAddress([addressBytes(programId)], UPGRADEABLE_LOADER).address;
}

/** Addresses that one instruction after another needs; a third of the time of building a mint goes without. */
const memory = new Map<string, Address>();

function remembered(name: string, find: () => Address): Address {
  const address = memory.get(name) ?? find();
  if (memory.size >= 1000) memory.clear();
  memory.set(name, address);
  return address;
}

function derive(programId: Address, name: string, ...seeds: Uint8Array[]): Address {
  return findAddress([Buffer.from(name), ...seeds], programId).address;
}

function id16(id: Uint8Array): Uint8Array {
  if (id.length !== 16) throw new RangeError(`an id has 16 bytes, not ${id.length}`);
  return id;
}
