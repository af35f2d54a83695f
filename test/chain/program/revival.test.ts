import { PublicKey, SystemProgram, type TransactionInstruction } from '@solana/web3.js';
import type { LiteSVM } from 'litesvm';
import { describe, expect, it } from 'vitest';
import { SYSTEM_PROGRAM } from '../../../programs-client/addresses.ts';
import { checkIn } from '../../../programs-client/instructions/check-in.ts';
import { closeEvent } from '../../../programs-client/instructions/close-event.ts';
import { closeTicket } from '../../../programs-client/instructions/close-ticket.ts';
import { createEvent } from '../../../programs-client/instructions/create-event.ts';
import { revoke } from '../../../programs-client/instructions/revoke.ts';
import { transferTicket } from '../../../programs-client/instructions/transfer-ticket.ts';
import { ticketAddresses, tokenAddress } from '../../../programs-client/pdas.ts';
import type { Actor } from './support/actors.ts';
import { account, PROGRAM, send } from './support/chain.ts';
import { errorName } from './support/error-name.ts';
import { readTicket } from './support/read.ts';
import { sale } from './support/scenarios.ts';
import { byAcme, cancel, cancelAndClose } from './support/special-attacks.ts';
import { stateOf } from './support/state-of.ts';
import { id16, mintOf, must, newWorld, people, SHOW } from './support/world.ts';

const { feePayer, payer, acme, alice, bob, gate, mallory, vault } = people;
const { ticket, mint } = ticketAddresses(PROGRAM, SHOW, 0);
const on = { ...sale, ...byAcme, event: SHOW, holder: alice.address };

const closing = closeTicket(PROGRAM, on);
const voiding = revoke(PROGRAM, { ...on, reason: 'fraud' });
const minting = mintOf(SHOW, 0, bob.address);
const using = checkIn(PROGRAM, { gateAuthority: gate.address, event: SHOW, index: 0 });
const creating = createEvent(PROGRAM, {
  ...byAcme,
  payer: payer.address,
  eventId: id16(1),
  gateAuthority: gate.address,
  rentRecipient: vault.address,
  maxSupply: 100,
  resaleCapBps: 0,
  transferPolicy: 'open',
  keepCollectible: false,
});

/** Keeps an account alive that has just been closed: without lamports the runtime drops it only at the end. */
const funding = (address: string) =>
  SystemProgram.transfer({
    fromPubkey: new PublicKey(mallory.address),
    toPubkey: new PublicKey(address),
    lamports: 10_000_000,
  });

/** In one transaction, so that nothing is swept away in between. */
const together = (svm: LiteSVM, instructions: TransactionInstruction[], ...signers: Actor[]) =>
  errorName(send(svm, instructions, [feePayer, ...signers]).error);

const over = () => {
  const svm = newWorld();
  cancelAndClose(svm, SHOW);
  return svm;
};
const cancelled = () => {
  const svm = newWorld();
  cancel(svm, SHOW);
  return svm;
};

const attempts: [string, () => LiteSVM, TransactionInstruction[], Actor[], string][] = [
  ['closed twice', over, [closing, closing], [acme], 'BadAccount'],
  [
    'closed, funded and closed again',
    over,
    [closing, funding(ticket), closing],
    [acme, mallory],
    'BadAccount',
  ],
  ['closed, funded and used', over, [closing, funding(ticket), using], [acme, mallory, gate], 'EventClosed'],
  [
    'closed, funded and minted again',
    over,
    [closing, funding(ticket), funding(mint), minting],
    [acme, mallory, payer],
    'EventClosed',
  ],
  [
    'closed, funded and given away',
    over,
    [closing, funding(ticket), transferTicket(PROGRAM, { ...on, to: bob.address })],
    [acme, mallory, payer, alice],
    'EventClosed',
  ],
  [
    'revoked, funded and minted again',
    newWorld,
    [voiding, funding(mint), minting],
    [acme, mallory, payer],
    'AlreadyExists',
  ],
  ['revoked and used', newWorld, [voiding, using], [acme, gate], 'Revoked'],
  [
    'revoked twice, with its mint funded',
    newWorld,
    [voiding, funding(mint), voiding],
    [acme, mallory],
    'Revoked',
  ],
];

describe('a ticket cannot be', () => {
  it.each(attempts)('%s in one transaction', (_, make, instructions, signers, expected) => {
    const svm = make();
    const before = stateOf(svm, [ticket, mint]);
    expect(together(svm, instructions, ...signers)).toBe(expected);
    expect(stateOf(svm, [ticket, mint])).toEqual(before);
  });

  it('brought back by lamports: what is closed stays an empty account of the system program', () => {
    const svm = over();
    const token = tokenAddress(PROGRAM, ticket, alice.address);
    const addresses = [ticket, mint, token];
    expect(together(svm, [closing, ...addresses.map(funding)], acme, mallory)).toBe('success');
    for (const address of addresses) {
      expect(account(svm, address)).toMatchObject({ owner: SYSTEM_PROGRAM, lamports: 10_000_000n });
      expect(account(svm, address)?.data).toHaveLength(0);
    }
    expect(together(svm, [closing], acme)).toBe('BadAccount');
    expect(together(svm, [minting], acme, payer)).toBe('EventClosed');
  });
});

describe('an event cannot be', () => {
  const ending = closeEvent(PROGRAM, { ...on, rentRecipient: vault.address });

  it.each([
    ['closed twice', [ending, ending], 'EventClosed'],
    ['closed and created again', [ending, creating], 'AlreadyExists'],
    ['closed, funded and created again', [ending, funding(SHOW), creating], 'AlreadyExists'],
    ['closed and minted for', [ending, minting], 'EventClosed'],
  ])('%s in one transaction', (_, instructions, expected) => {
    const svm = cancelled();
    const before = stateOf(svm, [SHOW]);
    const signers = [acme, payer, mallory].filter(({ address }) =>
      instructions.some(({ keys }) => keys.some((key) => key.isSigner && key.pubkey.toBase58() === address)),
    );
    expect(together(svm, instructions, ...signers)).toBe(expected);
    expect(stateOf(svm, [SHOW])).toEqual(before);
  });
});

describe('a ticket that is minted and revoked in one transaction', () => {
  it('leaves its tombstone, so that the index is used up', () => {
    const svm = newWorld();
    const fresh = mintOf(SHOW, 5, alice.address);
    const out = revoke(PROGRAM, { ...on, index: 5, reason: 'other' });
    expect(together(svm, [fresh, out], payer, acme)).toBe('success');
    expect(readTicket(svm, SHOW, 5)).toMatchObject({ status: 'revoked', version: 2 });
    expect(together(svm, [fresh], payer, acme)).toBe('AlreadyExists');
    must(svm, mintOf(SHOW, 6, alice.address), payer, acme);
  });
});
