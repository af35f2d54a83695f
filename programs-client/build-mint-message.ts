import { type Address, addressBytes, COMPUTE_BUDGET_PROGRAM, toAddress } from './addresses.ts';
import { put, putByte, putLength, putText, putU32, putU64, type Writer } from './byte-writer.ts';
import { type ComputeUse, computeLimit } from './compute-limits.ts';
import { findAddressBytes } from './find-address.ts';
import { type MintTicketInput, mintTexts } from './instructions/mint-ticket.ts';
import { knownBytes } from './known-bytes.ts';
import { addMember, type Members, orderMembers, READ, SIGN, WRITE } from './message-members.ts';
import { authAddress, configAddress } from './pdas.ts';
import { MAX_TRANSACTION_BYTES } from './send.ts';
import { instructionNamed } from './wire.ts';

/** One ticket of a message; units and limits as in `MintTicketInput`. */
export type MintOfMessage = Omit<MintTicketInput, 'payer' | 'authority' | 'organizer' | 'event'>;

export type MintMessageInput = {
  programId: Address;
  /** Pays the fee and all rent. Signs first. */
  payer: Address;
  /** The organizer's. Signs second, if it is not the payer. */
  authority: Address;
  organizer: Address;
  event: Address;
  /** In base58, or its 32 bytes. */
  blockhash: string | Uint8Array;
  /** Of the whole transaction. By default what these very mints can take at most, see `computeLimit`. */
  computeUnitLimit?: number | undefined;
  /** The priority fee in micro-lamports a unit; none if undefined. */
  computeUnitPrice?: bigint | undefined;
  /** One or two: of three, the logs would be cut before the last event. */
  mints: readonly MintOfMessage[];
};

export type MintMessage = {
  /** What payer and authority sign; `attachSignatures` makes the transaction of it. */
  message: Uint8Array;
  /** Where each ticket will be, in the order of `mints`. */
  tickets: { ticket: Address; mint: Address; token: Address }[];
};

/**
 * A legacy message that sets the compute limit (and price) and mints one ticket of an event or two: the very bytes that
 * `compileMessage` gives for those instructions, written as they stand on the wire, without web3.js' objects in between.
 * Undefined if no transaction can hold them, as with two tickets of long texts, or one of the longest.
 * Throws a `RangeError` on a number, id or text that does not fit its field, and on none or more than two mints; a
 * `TypeError` on what is no address.
 */
export function buildMintMessage(input: MintMessageInput): MintMessage | undefined {
  const { mints, computeUnitPrice } = input;
  if (mints.length !== 1 && mints.length !== 2) {
    throw new RangeError(`a transaction mints one ticket or two, not ${mints.length}`);
  }
  const members: Members = { keys: [], roles: [] };
  addMember(members, knownBytes(input.payer), SIGN | WRITE);
  const budget = addMember(members, COMPUTE_BUDGET, READ);
  const program = addMember(members, knownBytes(input.programId), READ);
  const tickets = mints.map((mint) => addressesOf(input, mint));
  const accounts = tickets.map((own) => addAccounts(members, input, own));
  const { order, place, header } = orderMembers(members);
  const budgetInstructions = computeUnitPrice === undefined ? 1 : 2;
  const placed = (indices: number[]) => indices.map((one) => place[one] as number);

  const writer: Writer = { bytes: Buffer.allocUnsafe(LONGEST), at: 0 };
  put(writer, Uint8Array.from(header));
  putLength(writer, order.length);
  for (const member of order) put(writer, members.keys[member] as Uint8Array);
  put(writer, blockhashBytes(input.blockhash));
  putLength(writer, mints.length + budgetInstructions);
  putHead(writer, placed([budget]), 5);
  putByte(writer, SET_COMPUTE_UNIT_LIMIT);
  putU32(writer, input.computeUnitLimit ?? limitOf(mints, tickets, budgetInstructions));
  if (computeUnitPrice !== undefined) {
    putHead(writer, placed([budget]), 9);
    putByte(writer, SET_COMPUTE_UNIT_PRICE);
    putU64(writer, computeUnitPrice);
  }
  mints.forEach((mint, nth) => {
    putMint(writer, placed([program, ...(accounts[nth] as number[])]), mint);
  });
  if (1 + 64 * (header[0] as number) + writer.at > MAX_TRANSACTION_BYTES) return undefined;
  return { message: new Uint8Array(writer.bytes.subarray(0, writer.at)), tickets: tickets.map(inBase58) };
}

/** More than two mints of the longest texts take. */
const LONGEST = 4096;
const COMPUTE_BUDGET = addressBytes(COMPUTE_BUDGET_PROGRAM);
const SET_COMPUTE_UNIT_LIMIT = 2;
const SET_COMPUTE_UNIT_PRICE = 3;

const MINT = instructionNamed('mint_ticket');
const DISCRIMINATOR = Uint8Array.from(MINT.discriminator);
/** Discriminator, index, id and face value. */
const MINT_HEAD = 8 + 4 + 16 + 8;

/** The instruction's accounts in the order of the IDL. */
const ACCOUNTS = (MINT.accounts as { name: string; signer?: true; writable?: true; address?: Address }[]).map(
  ({ name, signer, writable, address }) => ({
    name,
    role: (signer ? SIGN : READ) | (writable ? WRITE : READ),
    fixed: address && addressBytes(address),
  }),
);

type Own = {
  ticket: Uint8Array;
  mint: Uint8Array;
  token: Uint8Array;
  holder: Uint8Array;
  /** How far the three addresses are from bump 255 together, which the program has to search as well. */
  bumps: number;
};

function addressesOf({ programId, event }: MintMessageInput, { index, holder: name }: MintOfMessage): Own {
  const program = knownBytes(programId);
  const number: Writer = { bytes: Buffer.alloc(4), at: 0 };
  putU32(number, index);
  const holder = addressBytes(name);
  const ticket = findAddressBytes([SEEDS.ticket, knownBytes(event), number.bytes], program);
  const mint = findAddressBytes([SEEDS.mint, ticket.bytes], program);
  const token = findAddressBytes([SEEDS.token, ticket.bytes, holder], program);
  const bumps = 3 * 255 - ticket.bump - mint.bump - token.bump;
  return { ticket: ticket.bytes, mint: mint.bytes, token: token.bytes, holder, bumps };
}

const SEEDS = { ticket: Buffer.from('ticket'), mint: Buffer.from('mint'), token: Buffer.from('token') };

/** Where the accounts of a mint stand among the members. */
function addAccounts(members: Members, input: MintMessageInput, own: Own): number[] {
  const { programId, event } = input;
  const accounts: { [account: string]: Uint8Array } = {
    payer: knownBytes(input.payer),
    authority: knownBytes(input.authority),
    config: knownBytes(configAddress(programId)),
    organizer: knownBytes(input.organizer),
    event: knownBytes(event),
    auth: knownBytes(authAddress(programId, event)),
    ticket: own.ticket,
    mint: own.mint,
    token: own.token,
    holder: own.holder,
  };
  return ACCOUNTS.map(({ name, role, fixed }) =>
    addMember(members, fixed ?? (accounts[name] as Uint8Array), role),
  );
}

/** The places of an instruction's program and accounts, and how long its data is. */
function putHead(writer: Writer, [program, ...accounts]: number[], length: number): void {
  putByte(writer, program as number);
  putLength(writer, accounts.length);
  put(writer, Uint8Array.from(accounts));
  putLength(writer, length);
}

function putMint(writer: Writer, places: number[], mint: MintOfMessage): void {
  const texts = mintTexts(mint);
  putHead(
    writer,
    places,
    texts.reduce((sum, { length }) => sum + 4 + length, MINT_HEAD),
  );
  if (mint.ticketId.length !== 16) throw new RangeError(`an id has 16 bytes, not ${mint.ticketId.length}`);
  put(writer, DISCRIMINATOR);
  putU32(writer, mint.index);
  put(writer, mint.ticketId);
  putU64(writer, mint.faceValue);
  for (const { text, length } of texts) putText(writer, text, length);
}

function limitOf(mints: readonly MintOfMessage[], own: Own[], budgetInstructions: number): number {
  const uses = mints.map(({ attributes }, nth): ComputeUse => {
    const given = Object.values(attributes).filter((text) => text !== undefined && text !== '');
    return { instruction: 'mint_ticket', attributes: given.length, bumps: own[nth]?.bumps };
  });
  return computeLimit(uses, budgetInstructions);
}

function blockhashBytes(blockhash: string | Uint8Array): Uint8Array {
  return typeof blockhash === 'string' ? knownBytes(blockhash) : addressBytes(toAddress(blockhash));
}

function inBase58({ ticket, mint, token }: Own): MintMessage['tickets'][number] {
  return { ticket: toAddress(ticket), mint: toAddress(mint), token: toAddress(token) };
}
