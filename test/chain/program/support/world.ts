import type { TransactionInstruction } from '@solana/web3.js';
import type { LiteSVM } from 'litesvm';
import { type Address, TOKEN_2022_PROGRAM, toAddress } from '../../../../programs-client/addresses.ts';
import { type CreateEventInput, createEvent } from '../../../../programs-client/instructions/create-event.ts';
import { initConfig } from '../../../../programs-client/instructions/init-config.ts';
import { mintTicket } from '../../../../programs-client/instructions/mint-ticket.ts';
import { registerOrganizer } from '../../../../programs-client/instructions/register-organizer.ts';
import { eventAddress, organizerAddress } from '../../../../programs-client/pdas.ts';
import { type Actor, actor } from './actors.ts';
import {
  type AccountData,
  account,
  type ChainOptions,
  newChain,
  PROGRAM,
  putAccount,
  SOL,
  send,
} from './chain.ts';

/** Everybody in the tests. `feePayer` pays transaction fees and nothing else; `mallory` has no right to anything. */
export const people = {
  feePayer: actor('fee payer'),
  payer: actor('payer'),
  admin: actor('admin'),
  acme: actor('acme, an organizer'),
  rival: actor('rival, another organizer'),
  gate: actor('gate'),
  alice: actor('alice'),
  bob: actor('bob'),
  carol: actor('carol'),
  mallory: actor('mallory'),
  treasury: actor('treasury'),
  royalties: actor('royalties'),
  /** Gets rent back. */
  vault: actor('vault'),
};

export const id16 = (byte: number): Uint8Array => new Uint8Array(16).fill(byte);

export const ACME = organizerAddress(PROGRAM, id16(1));
export const RIVAL = organizerAddress(PROGRAM, id16(2));
/** Acme's main event: open transfers, 110 % resale cap, 100 tickets. Ticket 0 is Alice's. */
export const SHOW = eventAddress(PROGRAM, ACME, id16(1));
/** An event of the rival's. Its ticket 0 is Alice's too. */
export const RIVAL_SHOW = eventAddress(PROGRAM, RIVAL, id16(1));
export const FACE_VALUE = 2n * SOL;
export const PROTOCOL_FEE_BPS = 250;
export const ROYALTY_BPS = 1000;
export const RESALE_CAP_BPS = 11_000;
/** When the tests play, in Unix seconds. */
export const NOW = 1_900_000_000;

let built: [Address, AccountData][] | undefined;

/** A chain with two organizers, their events and a ticket each: the accounts of one that was built by transactions, copied. */
export function newWorld(): LiteSVM {
  built ??= accountsOf(buildWorld(newLand()));
  const svm = newChain();
  setTime(svm, NOW);
  for (const [address, data] of built) putAccount(svm, address, data);
  return svm;
}

function accountsOf(svm: LiteSVM): [Address, AccountData][] {
  const owned = [PROGRAM, TOKEN_2022_PROGRAM].flatMap((owner) => svm.getProgramAccounts(owner as never));
  const addresses = [
    ...owned.map(({ address }) => toAddress(address)),
    ...Object.values(people).map(({ address }) => address),
  ];
  return addresses.flatMap((address) => {
    const found = account(svm, address);
    return found === undefined ? [] : [[address, found]];
  });
}

/** A chain with the program, the clock at `NOW`, and everybody rich. Nothing is initialized. */
export function newLand(how: ChainOptions = {}): LiteSVM {
  const svm = newChain(how);
  setTime(svm, NOW);
  for (const { address } of Object.values(people)) svm.airdrop(address as never, (1000n * SOL) as never);
  return svm;
}

/** Puts everything onto an empty land that a world has. */
export function buildWorld(svm: LiteSVM): LiteSVM {
  const { payer, admin, acme, rival, treasury, royalties } = people;
  const config = { treasury: treasury.address, protocolFeeBps: PROTOCOL_FEE_BPS };
  must(svm, initConfig(PROGRAM, { payer: payer.address, admin: admin.address, ...config }), payer, admin);
  for (const [tenant, authority] of [acme, rival].entries()) {
    const input = {
      payer: payer.address,
      admin: admin.address,
      tenantId: id16(tenant + 1),
      authority: authority.address,
      feeRecipient: royalties.address,
      resaleFeeBps: ROYALTY_BPS,
    };
    must(svm, registerOrganizer(PROGRAM, input), payer, admin);
  }
  makeEvent(svm, 1, {});
  makeEvent(svm, 1, { organizer: RIVAL, authority: rival.address });
  mint(svm, SHOW, 0, people.alice);
  mint(svm, RIVAL_SHOW, 0, people.alice, { organizer: RIVAL, authority: rival });
  return svm;
}

/** An event of Acme's, if nothing else is said. */
export function makeEvent(svm: LiteSVM, id: number, changes: Partial<CreateEventInput>): Address {
  const input: CreateEventInput = {
    payer: people.payer.address,
    authority: people.acme.address,
    organizer: ACME,
    eventId: id16(id),
    gateAuthority: people.gate.address,
    rentRecipient: people.vault.address,
    maxSupply: 100,
    resaleCapBps: RESALE_CAP_BPS,
    transferPolicy: 'open',
    keepCollectible: false,
    ...changes,
  };
  const signer = Object.values(people).find(({ address }) => address === input.authority) as Actor;
  must(svm, createEvent(PROGRAM, input), people.payer, signer);
  return eventAddress(PROGRAM, input.organizer, input.eventId);
}

export function mint(
  svm: LiteSVM,
  event: Address,
  index: number,
  holder: Actor,
  by = { organizer: ACME, authority: people.acme },
): void {
  must(svm, mintOf(event, index, holder.address, by.organizer, by.authority), people.payer, by.authority);
}

/** The texts of an ordinary ticket. */
export const MINT_TEXTS = {
  name: 'Rock Night 2027 #000123',
  symbol: 'TSRA',
  uri: 'https://tickets.example.com/nft/0123456789abcdef/metadata.json',
  attributes: { event: 'Rock Night 2027', type: 'Standing', seat: 'A-12', number: '000123' },
};

/** Mints with texts of usual length and all four attributes. */
export function mintOf(
  event: Address,
  index: number,
  holder: Address,
  organizer = ACME,
  authority = people.acme,
): TransactionInstruction {
  return mintTicket(PROGRAM, {
    payer: people.payer.address,
    authority: authority.address,
    organizer,
    event,
    index,
    ticketId: id16(index),
    holder,
    faceValue: FACE_VALUE,
    ...MINT_TEXTS,
  });
}

/** Sends one instruction that has to succeed. */
export function must(svm: LiteSVM, instruction: TransactionInstruction, ...signers: Actor[]): void {
  const { error, logs } = send(svm, [instruction], [people.feePayer, ...signers]);
  if (error !== undefined) throw new Error(`${error}\n${logs.join('\n')}`);
}

export function setTime(svm: LiteSVM, unixTime: number): void {
  const clock = svm.getClock();
  clock.unixTimestamp = BigInt(unixTime);
  svm.setClock(clock);
}
